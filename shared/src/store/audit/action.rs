//! What can be on record.

/// Every act with the word that stands for it in the log. One list, so that none has two.
macro_rules! actions {
    ($($(#[$meaning:meta])* $name:ident $word:literal,)+) => {
        /// What somebody did.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
        pub enum Action {
            $($(#[$meaning])* $name,)+
        }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word in the log.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

actions! {
    /// A batch was accepted: mails are owed.
    BatchAccepted "batch_accepted",
    /// A batch was started before its hold was over.
    BatchStarted "batch_started",
    /// A batch was stopped in its hold.
    BatchUndone "batch_undone",
    /// A batch was paused.
    BatchPaused "batch_paused",
    /// A paused batch goes on.
    BatchResumed "batch_resumed",
    /// A batch paused itself.
    BatchBraked "batch_braked",
    /// A batch was stopped.
    BatchStopped "batch_stopped",
    /// Sending, which was held after a promotion of Postgres, goes on.
    SendingResumed "sending_resumed",
    /// Emails found in the relay's log were marked as sent.
    MarkedSent "marked_sent",
    /// One mail that waited for its next try was to be tried at once.
    DeliveryHurried "delivery_hurried",
    /// One mail was stopped.
    DeliveryStopped "delivery_stopped",
    /// A test mail was accepted.
    TestMailSent "test_mail_sent",
    /// Mailed passwords were ended.
    PasswordsRevoked "passwords_revoked",
    /// A file was uploaded, to be checked.
    FileUploaded "file_uploaded",
    /// The good rows of a file were stored.
    FileImported "file_imported",
    /// A file was discarded before it was stored.
    FileDiscarded "file_discarded",
    /// An import was undone.
    ImportUndone "import_undone",
    /// A filter was saved under a name.
    FilterSaved "filter_saved",
    /// A saved filter was deleted.
    FilterDeleted "filter_deleted",
    /// A user was added by hand.
    UserAdded "user_added",
    /// A user was changed.
    UserChanged "user_changed",
    /// A user was locked: their passwords ended, and they are sent no other.
    UserLocked "user_locked",
    /// A user was unlocked.
    UserUnlocked "user_unlocked",
    /// Everything that is kept about a user was exported.
    UserExported "user_exported",
    /// A user was deleted.
    UserDeleted "user_deleted",
    /// Mail may go to an address again.
    AddressUnblocked "address_unblocked",
    /// A system email has another version.
    SystemEmailSaved "system_email_saved",
    /// An administrator signed in.
    SignedIn "signed_in",
    /// A sign-in to the console failed.
    SignInFailed "sign_in_failed",
    /// A sign-in to the console was refused unchecked, because too many had failed.
    SignInThrottled "sign_in_throttled",
    /// A request came with an API key that is not valid.
    KeyRefused "key_refused",
    /// The platform had a password checked, and it was right.
    CredentialAccepted "credential_accepted",
    /// The platform had a password checked, and it was wrong.
    CredentialRefused "credential_refused",
    /// The platform had a password checked that was refused unchecked, because too many had been wrong.
    CredentialThrottled "credential_throttled",
    /// An administrator signed out.
    SignedOut "signed_out",
    /// An administrator has another password, of their own.
    OwnPasswordChanged "own_password_changed",
    /// An administrator entered their password again.
    PasswordConfirmed "password_confirmed",
    /// An administrator chose a password with a link that works once.
    PasswordLinkUsed "password_link_used",
    /// An administrator ended their other sessions.
    SessionsEnded "sessions_ended",
    /// Somebody became an administrator.
    AdministratorAdded "administrator_added",
    /// An administrator may not sign in any more.
    AdministratorDisabled "administrator_disabled",
    /// An administrator may sign in again.
    AdministratorEnabled "administrator_enabled",
    /// An administrator's password was reset.
    AdministratorRenewed "administrator_renewed",
    /// An API key was made.
    KeyMade "key_made",
    /// An API key was revoked.
    KeyRevoked "key_revoked",
}

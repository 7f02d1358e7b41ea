//! The actions of the audit log.

crate::named_enum! {
    /// An action.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
    pub enum Action {
        /// A batch was accepted: mails are owed.
        BatchAccepted = "batch_accepted",
        /// A batch was started before the end of its hold.
        BatchStarted = "batch_started",
        /// A batch was stopped during its hold.
        BatchUndone = "batch_undone",
        /// A batch was paused.
        BatchPaused = "batch_paused",
        /// A paused batch was resumed.
        BatchResumed = "batch_resumed",
        /// A batch paused itself.
        BatchBraked = "batch_braked",
        /// A batch was stopped.
        BatchStopped = "batch_stopped",
        /// Sending was resumed after a promotion of Postgres.
        SendingResumed = "sending_resumed",
        /// Emails found in the relay's log were marked as sent.
        MarkedSent = "marked_sent",
        /// A mail that waited for a retry was made due at once.
        DeliveryHurried = "delivery_hurried",
        /// One mail was stopped.
        DeliveryStopped = "delivery_stopped",
        /// A test mail was accepted.
        TestMailSent = "test_mail_sent",
        /// Mailed passwords were revoked.
        PasswordsRevoked = "passwords_revoked",
        /// A file was uploaded to be checked.
        FileUploaded = "file_uploaded",
        /// The valid rows of a file were stored.
        FileImported = "file_imported",
        /// A file was discarded before it was stored.
        FileDiscarded = "file_discarded",
        /// An import was undone.
        ImportUndone = "import_undone",
        /// A filter was saved under a name.
        FilterSaved = "filter_saved",
        /// A saved filter was deleted.
        FilterDeleted = "filter_deleted",
        /// A do-not-mail list was added.
        DoNotMailListAdded = "do_not_mail_list_added",
        /// It was changed whether every batch leaves out the users on a do-not-mail list.
        DoNotMailListChanged = "do_not_mail_list_changed",
        /// A do-not-mail list was deleted.
        DoNotMailListDeleted = "do_not_mail_list_deleted",
        /// Addresses were put on a do-not-mail list.
        DoNotMailAddressesAdded = "do_not_mail_addresses_added",
        /// An address was taken off a do-not-mail list.
        DoNotMailAddressRemoved = "do_not_mail_address_removed",
        /// A user was added by hand.
        UserAdded = "user_added",
        /// A user was changed.
        UserChanged = "user_changed",
        /// A user was locked: their passwords ended, and no further ones are sent.
        UserLocked = "user_locked",
        /// A user was unlocked.
        UserUnlocked = "user_unlocked",
        /// All data about a user was exported.
        UserExported = "user_exported",
        /// A user was deleted.
        UserDeleted = "user_deleted",
        /// An address was unblocked.
        AddressUnblocked = "address_unblocked",
        /// A new version of a system email was saved.
        SystemEmailSaved = "system_email_saved",
        /// An administrator signed in.
        SignedIn = "signed_in",
        /// A sign-in to the console failed.
        SignInFailed = "sign_in_failed",
        /// A sign-in to the console was refused without a check: too many failures, or too many attempts by all
        /// clients.
        SignInThrottled = "sign_in_throttled",
        /// A request used an invalid API key.
        KeyRefused = "key_refused",
        /// The platform checked a password, and it was correct.
        CredentialAccepted = "credential_accepted",
        /// The platform checked a password, and it was wrong.
        CredentialRefused = "credential_refused",
        /// The platform's check of a password was refused without a check: too many wrong ones, or too many checks at
        /// once.
        CredentialThrottled = "credential_throttled",
        /// An administrator signed out.
        SignedOut = "signed_out",
        /// An administrator changed their own password.
        OwnPasswordChanged = "own_password_changed",
        /// An administrator confirmed their password.
        PasswordConfirmed = "password_confirmed",
        /// An administrator chose a password with a one-time link.
        PasswordLinkUsed = "password_link_used",
        /// An administrator ended their other sessions.
        SessionsEnded = "sessions_ended",
        /// An administrator was added.
        AdministratorAdded = "administrator_added",
        /// An administrator was disabled.
        AdministratorDisabled = "administrator_disabled",
        /// An administrator was enabled again.
        AdministratorEnabled = "administrator_enabled",
        /// An administrator's password was reset.
        AdministratorRenewed = "administrator_renewed",
        /// An API key was created.
        KeyMade = "key_made",
        /// An API key was revoked.
        KeyRevoked = "key_revoked",
    }
}

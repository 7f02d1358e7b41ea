//! Replies of real servers and providers: what they are about and what follows.
//!
//! Codes are as documented or observed; the texts are shortened or our own. `S` is our sender address, `R`
//! the recipient's.

use super::super::reply_table::Scope::{self, Account, Content, Recipient, Relay, Unclear};
use super::super::{Reply, TroubleClass as T};
use super::*;
use Phase::{Auth, Connect, Data, Dot, Ehlo, Greeting, Mail, Rcpt, StartTls};

/// What follows from a reply.
#[derive(Clone, Copy)]
enum Then {
    Sent,
    Fail(T),
    Retry(T),
    SlowDown(T),
    HoldBack(T),
}
use Then::{Fail, HoldBack, Retry, Sent, SlowDown};

type Case = (&'static str, Phase, &'static str, Scope, Then);

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Amazon SES
    ("Amazon SES", Dot, "250 Ok 0102018a", Recipient, Sent),
    ("Amazon SES", Dot, "454 Throttling failure: maximum sending rate exceeded", Account, SlowDown(T::Throttled)),
    ("Amazon SES", Dot, "454 Throttling failure: daily message quota exceeded", Account, SlowDown(T::Throttled)),
    ("Amazon SES", Dot, "554 Message rejected: email address is not verified", Unclear, Fail(T::Refused)),
    ("Amazon SES", Dot, "554 Message rejected: sending paused for this account", Unclear, Fail(T::Refused)),
    ("Amazon SES", Dot, "554 Access denied: user is not authorized to perform ses:SendRawEmail", Unclear, Fail(T::Refused)),
    ("Amazon SES", Dot, "554 Transaction failed: expected disposition, got null", Unclear, Fail(T::Refused)),
    ("Amazon SES", Dot, "451 Temporary service failure", Unclear, Retry(T::Throttled)),
    ("Amazon SES", Dot, "552 Message is too long", Unclear, Fail(T::ContentTooLarge)),
    ("Amazon SES", Auth, "535 Authentication credentials invalid", Account, HoldBack(T::Auth)),
    ("Amazon SES", Mail, "530 Authentication required", Account, HoldBack(T::Auth)),
    ("Amazon SES", Mail, "501 Invalid MAIL FROM address provided", Relay, HoldBack(T::Protocol)),
    ("Amazon SES", Ehlo, "421 Too many concurrent SMTP connections", Relay, HoldBack(T::Throttled)),

    // Gmail and Google Workspace
    ("Google", Rcpt, "550 5.1.1 The email account that you tried to reach does not exist", Recipient, Fail(T::AddressUnknown)),
    ("Google", Rcpt, "550 5.2.1 The user you are trying to contact is receiving mail too quickly", Recipient, Fail(T::Refused)),
    ("Google", Rcpt, "450 4.2.1 The user you are trying to contact is receiving mail at a rate that", Recipient, Retry(T::Throttled)),
    ("Google", Rcpt, "550 5.2.1 The email account that you tried to reach is inactive", Recipient, Fail(T::Refused)),
    ("Google", Rcpt, "452 4.2.2 The recipient's inbox is out of storage space", Recipient, Retry(T::MailboxFull)),
    ("Google", Rcpt, "552 5.2.2 The recipient's inbox is out of storage space", Recipient, Fail(T::MailboxFull)),
    ("Google", Rcpt, "553 5.1.2 We weren't able to find the recipient domain", Unclear, Fail(T::AddressUnknown)),
    ("Google", Rcpt, "553 5.1.3 The recipient address is not a valid RFC 5321 address", Recipient, Fail(T::AddressUnknown)),
    ("Google", Rcpt, "452 4.5.3 Your message has too many recipients", Account, SlowDown(T::Throttled)),
    ("Google", Mail, "553 5.1.7 The sender address is not a valid RFC 5321 address", Account, HoldBack(T::SenderRefused)),
    ("Google", Dot, "550 5.4.5 Daily user sending limit exceeded", Account, HoldBack(T::Quota)),
    ("Google", Dot, "550 5.4.5 Daily SMTP relay limit exceeded for user", Account, HoldBack(T::Quota)),
    ("Google", Dot, "552 5.3.4 Your message exceeded Google's message size limits", Content, Fail(T::ContentTooLarge)),
    ("Google", Dot, "550 5.7.1 Our system has detected that this message is likely unsolicited mail", Unclear, Fail(T::Policy)),
    ("Google", Dot, "550 5.7.26 This mail has been blocked because the sender is unauthenticated", Unclear, Fail(T::Policy)),
    ("Google", Dot, "421 4.7.28 Our system has detected an unusual rate of mail from your IP", Relay, Retry(T::Throttled)),
    ("Google", Dot, "450 4.7.28 Our system has detected an unusual rate of mail", Account, SlowDown(T::Throttled)),
    ("Google", Rcpt, "421 4.7.0 Try again later, closing connection", Relay, HoldBack(T::Throttled)),
    ("Google", Greeting, "421 4.7.0 IP not in whitelist for RCPT domain", Relay, HoldBack(T::Throttled)),
    ("Google", Mail, "421 4.3.0 Temporary system problem", Relay, HoldBack(T::Throttled)),
    ("Google", Dot, "451 4.3.0 Mail server temporarily rejected message", Unclear, Retry(T::Throttled)),
    ("Google", Mail, "530 5.7.0 Must issue a STARTTLS command first", Account, HoldBack(T::Auth)),
    ("Google", Mail, "530 5.5.1 Authentication required", Account, HoldBack(T::Auth)),
    ("Google", Auth, "534 5.7.9 Application-specific password required", Account, HoldBack(T::Auth)),
    ("Google", Auth, "535 5.7.8 Username and password not accepted", Account, HoldBack(T::Auth)),
    ("Google", Auth, "454 4.7.0 Too many login attempts", Account, HoldBack(T::Auth)),
    ("Google", Auth, "534 5.7.14 Please log in with your web browser", Account, HoldBack(T::Auth)),
    ("Google", Rcpt, "550 5.7.1 Invalid credentials for relay: the IP address has not been registered", Unclear, Fail(T::Policy)),
    ("Google", Mail, "550 5.7.1 Mail relay denied", Account, HoldBack(T::SenderRefused)),
    ("Google", Rcpt, "550-5.7.1 the email account is\n5.7.1 restricted by its administrator", Unclear, Fail(T::Policy)),
    ("Google", Dot, "550 5.6.0 Mail message is malformed", Content, Fail(T::Refused)),
    ("Google", Data, "502 5.5.1 Too many unrecognized commands, goodbye", Relay, Retry(T::Protocol)),
    ("Google", Rcpt, "503 5.5.1 MAIL first", Relay, Retry(T::Protocol)),
    ("Google", StartTls, "454 4.7.0 TLS not available due to temporary reason", Relay, HoldBack(T::Tls)),

    // Microsoft 365, Exchange and Outlook.com
    ("Exchange Online", Rcpt, "550 5.1.10 RESOLVER.ADR.RecipientNotFound", Recipient, Fail(T::AddressUnknown)),
    ("Exchange Online", Rcpt, "550 5.1.1 RESOLVER.ADR.ExRecipNotFound", Recipient, Fail(T::AddressUnknown)),
    ("Exchange Online", Rcpt, "550 5.4.1 Recipient address rejected: access denied", Unclear, Fail(T::Refused)),
    ("Exchange Online", Rcpt, "550 5.1.8 Access denied, bad outbound sender", Account, HoldBack(T::SenderRefused)),
    ("Exchange Online", Dot, "550 5.1.90 Your message can't be sent because you've reached your daily limit for recipients", Account, HoldBack(T::Quota)),
    ("Exchange Online", Dot, "554 5.2.0 STOREDRV.Submission.Exception: SubmissionQuotaExceededException", Unclear, Fail(T::Refused)),
    ("Exchange Online", Dot, "554 5.2.252 SendAsDenied: S not allowed to send as", Unclear, Fail(T::Refused)),
    ("Exchange Online", Dot, "432 4.3.2 STOREDRV.ClientSubmit: sender thread limit exceeded", Relay, SlowDown(T::Throttled)),
    ("Exchange Online", Dot, "432 4.3.2 Concurrent connections limit exceeded", Relay, SlowDown(T::Throttled)),
    ("Exchange Online", Mail, "451 4.7.500 Server busy. Please try again later", Relay, HoldBack(T::Throttled)),
    ("Exchange Online", Rcpt, "451 4.7.500 Server busy. Please try again later", Account, SlowDown(T::Throttled)),
    ("Exchange Online", Rcpt, "451 4.7.501 Access denied, spam abuse detected", Account, SlowDown(T::Throttled)),
    ("Exchange Online", Rcpt, "550 5.7.501 Access denied, spam abuse detected from your account", Account, HoldBack(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.502 Access denied, banned sender", Account, HoldBack(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.511 Access denied, banned sending IP", Account, HoldBack(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.606 Access denied, banned sending IP", Account, HoldBack(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.705 Access denied, tenant has exceeded threshold", Account, HoldBack(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.708 Access denied, traffic not accepted from this IP", Account, HoldBack(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains", Account, HoldBack(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.510 Access denied, recipient domain does not accept mail over IPv6", Unclear, Fail(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.124 Sender not in allowed-senders list of the group", Unclear, Fail(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.133 Sender not authenticated for group", Unclear, Fail(T::Policy)),
    ("Exchange Online", Rcpt, "550 5.7.64 TenantAttribution; relay access denied", Unclear, Fail(T::Policy)),
    ("Exchange Online", Mail, "530 5.7.57 Client was not authenticated to send anonymous mail", Account, HoldBack(T::Auth)),
    ("Exchange Online", Dot, "550 5.7.60 Client does not have permissions to send as this sender", Account, HoldBack(T::SenderRefused)),
    ("Exchange Online", Dot, "554 5.2.3 Message exceeds the maximum size of the mailbox", Content, Fail(T::ContentTooLarge)),
    ("Exchange Online", Rcpt, "552 5.2.2 Submission quota exceeded for the mailbox", Recipient, Fail(T::MailboxFull)),
    ("Exchange Online", Rcpt, "450 4.4.317 Cannot connect to remote server", Recipient, Retry(T::Throttled)),
    ("Exchange Online", Rcpt, "451 4.4.4 Mail received as unauthenticated, incoming to a recipient domain", Recipient, Retry(T::Throttled)),
    ("Exchange Online", Rcpt, "550 5.4.14 Hop count exceeded, possible mail loop", Unclear, Fail(T::Refused)),
    ("Exchange Online", Auth, "535 5.7.3 Authentication unsuccessful", Account, HoldBack(T::Auth)),
    ("Exchange Online", Auth, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled", Account, HoldBack(T::Auth)),
    ("Exchange Online", Greeting, "421 4.3.2 The maximum number of concurrent server connections has exceeded a limit", Relay, HoldBack(T::Throttled)),
    ("Exchange Server", Rcpt, "452 4.3.1 Insufficient system resources", Relay, SlowDown(T::Throttled)),
    ("Exchange Server", Mail, "452 4.3.1 Insufficient system resources", Relay, HoldBack(T::Throttled)),
    ("Exchange Server", Rcpt, "550 5.7.1 Unable to relay", Unclear, Fail(T::Policy)),
    ("Exchange Server", Rcpt, "530 5.7.1 Client was not authenticated", Account, HoldBack(T::Auth)),
    ("Exchange Server", Rcpt, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Unclear, Fail(T::Policy)),
    ("Exchange Server", Dot, "421 4.4.1 Connection timed out", Relay, Retry(T::Throttled)),
    ("Outlook.com", Rcpt, "550 5.5.0 Requested action not taken: mailbox unavailable", Unclear, Fail(T::Refused)),
    ("Outlook.com", Rcpt, "451 4.7.650 The mail server has been temporarily rate limited due to IP reputation", Account, SlowDown(T::Throttled)),
    ("Outlook.com", Mail, "550 5.7.1 Unfortunately, messages from this IP weren't sent (S3150)", Account, HoldBack(T::SenderRefused)),
    ("Outlook.com", Dot, "550 5.7.515 Access denied, sending domain does not meet the required authentication level", Unclear, Fail(T::Policy)),

    // Yahoo and AOL
    ("Yahoo", Dot, "554 delivery error: This user doesn't have a yahoo.com account", Unclear, Fail(T::Refused)),
    ("Yahoo", Rcpt, "552 Requested mail action aborted: exceeded storage allocation", Recipient, Fail(T::MailboxFull)),
    ("Yahoo", Mail, "421 4.7.0 [TSS04] Messages temporarily deferred due to user complaints", Relay, HoldBack(T::Throttled)),
    ("Yahoo", Mail, "553 5.7.1 [BL21] Connections will not be accepted from this address", Account, HoldBack(T::SenderRefused)),
    ("Yahoo", Dot, "554 5.7.9 Message not accepted for policy reasons", Unclear, Fail(T::Policy)),
    ("Yahoo", Rcpt, "451 Resources temporarily not available, please try again later", Unclear, Retry(T::Throttled)),
    ("Yahoo", Data, "451 Message temporarily deferred", Unclear, Retry(T::Throttled)),

    // iCloud
    ("iCloud", Rcpt, "550 5.1.1 user does not exist", Recipient, Fail(T::AddressUnknown)),
    ("iCloud", Rcpt, "552 5.2.2 user is over quota", Recipient, Fail(T::MailboxFull)),
    ("iCloud", Rcpt, "471 4.7.1 this destination is being protected", Unclear, Retry(T::Throttled)),
    ("iCloud", Dot, "554 5.7.1 [CS01] Message rejected due to local policy", Unclear, Fail(T::Policy)),
    ("iCloud", Dot, "550 5.7.0 From address is not one of your addresses", Unclear, Fail(T::Policy)),

    // Sending services
    ("SendGrid", Rcpt, "550 The from address does not match a verified Sender Identity", Unclear, Fail(T::Refused)),
    ("SendGrid", Dot, "550 The from address does not match a verified Sender Identity", Unclear, Fail(T::Refused)),
    ("SendGrid", Mail, "451 You have exceeded your messaging limits", Relay, HoldBack(T::Throttled)),
    ("SendGrid", Auth, "451 Authentication failed: Maximum credits exceeded", Account, HoldBack(T::Auth)),
    ("SendGrid", Auth, "535 Authentication failed: Bad username / password", Account, HoldBack(T::Auth)),
    ("Mailgun", Dot, "421 Domain not allowed: free accounts are for authorized recipients only", Relay, Retry(T::Throttled)),
    ("Mailgun", Dot, "554 Free accounts are for test purposes only", Unclear, Fail(T::Refused)),
    ("Mailgun", Rcpt, "550 5.7.1 Relaying denied", Unclear, Fail(T::Policy)),
    ("Mailgun", Dot, "452 4.7.28 hourly limit of this domain reached", Account, SlowDown(T::Throttled)),
    ("Postmark", Dot, "550 5.7.1 The 'From' address you supplied is not a Sender Signature on your account", Unclear, Fail(T::Policy)),
    ("Postmark", Rcpt, "550 5.1.1 recipient is inactive, see suppressions", Recipient, Fail(T::AddressUnknown)),
    ("SparkPost", Dot, "550 5.7.1 relaying denied: unconfigured sending domain", Unclear, Fail(T::Policy)),
    ("SparkPost", Dot, "451 4.7.1 daily sending limit exceeded", Unclear, Retry(T::Throttled)),
    ("Mailjet", Dot, "550 sender address not validated", Unclear, Fail(T::Refused)),
    ("Brevo", Auth, "525 5.7.13 Unauthorized IP address", Account, HoldBack(T::Auth)),
    ("Brevo", Dot, "550 5.4.5 daily allowance of the plan is used up", Account, HoldBack(T::Quota)),
    ("Mandrill", Rcpt, "550 5.7.1 rejected by rule", Unclear, Fail(T::Policy)),
    ("Zoho", Mail, "553 Sender is not allowed to relay emails", Account, HoldBack(T::SenderRefused)),
    ("Zoho", Dot, "554 5.1.8 Email outgoing blocked", Account, HoldBack(T::SenderRefused)),
    ("Zoho", Rcpt, "550 5.4.6 Unusual sending activity detected", Unclear, Fail(T::Refused)),
    ("Proofpoint", Mail, "550 5.7.1 Service unavailable; client blocked", Account, HoldBack(T::SenderRefused)),
    ("Proofpoint", Rcpt, "550 5.7.0 Local policy violation", Unclear, Fail(T::Policy)),
    ("Mimecast", Rcpt, "451 Greylisting in action, please try again later", Unclear, Retry(T::Throttled)),
    ("Mimecast", Rcpt, "550 Invalid recipient", Unclear, Fail(T::Refused)),
    ("Mimecast", Rcpt, "550 Local CT reputation policy: rejected by header based anti-spoofing policy", Unclear, Fail(T::Refused)),
    ("Barracuda", Dot, "550 permanent failure for one or more recipients: blocked", Unclear, Fail(T::Refused)),
    ("Cisco", Rcpt, "452 Too many recipients received this hour", Unclear, Retry(T::Throttled)),

    // European mailbox providers
    ("GMX and WEB.DE", Rcpt, "550 Requested action not taken: mailbox unavailable", Unclear, Fail(T::Refused)),
    ("GMX and WEB.DE", Greeting, "554 No SMTP service: bad DNS PTR resource record", Relay, HoldBack(T::Policy)),
    ("GMX and WEB.DE", Mail, "450 Requested mail action not taken: try again later, mail send limit exceeded", Relay, HoldBack(T::Throttled)),
    ("T-Online", Greeting, "554 IP=192.0.2.1 None or bad reputation, ask for a reset", Relay, HoldBack(T::Policy)),
    ("T-Online", Rcpt, "550 user unknown", Unclear, Fail(T::Refused)),
    ("Orange", Mail, "421 Service refused, please try later. OFR_999", Relay, HoldBack(T::Throttled)),
    ("Orange", Rcpt, "571 5.7.1 Message refused, DMARC", Unclear, Fail(T::Policy)),
    ("La Poste", Dot, "571 5.7.1 Message refused by content rule", Unclear, Fail(T::Policy)),
    ("OVH", Mail, "550 5.7.1 Spam detected by the outgoing filter", Account, HoldBack(T::SenderRefused)),
    ("OVH", Rcpt, "451 4.7.1 quota of messages per hour exceeded", Unclear, Retry(T::Throttled)),
    ("Infomaniak", Dot, "550 5.4.5 daily limit of this address reached", Account, HoldBack(T::Quota)),

    // Postfix
    ("Postfix", Rcpt, "550 5.1.1 <R>: Recipient address rejected: User unknown in local recipient table", Recipient, Fail(T::AddressUnknown)),
    ("Postfix", Rcpt, "450 4.1.1 <R>: Recipient address rejected: unverified address", Recipient, Retry(T::Throttled)),
    ("Postfix", Rcpt, "450 4.1.2 <R>: Recipient address rejected: Domain not found", Recipient, Retry(T::Throttled)),
    ("Postfix", Rcpt, "454 4.7.1 <R>: Relay access denied", Account, HoldBack(T::RelayingDenied)),
    ("Postfix", Rcpt, "554 5.7.1 <R>: Relay access denied", Unclear, Fail(T::Policy)),
    ("Postfix", Rcpt, "554 5.7.1 <R>: Recipient address rejected: Access denied", Unclear, Fail(T::Policy)),
    ("Postfix", Rcpt, "554 5.7.1 <S>: Sender address rejected: Access denied", Account, HoldBack(T::SenderRefused)),
    ("Postfix", Rcpt, "553 5.7.1 <S>: Sender address rejected: not owned by user beckon", Account, HoldBack(T::SenderRefused)),
    ("Postfix", Rcpt, "553 5.7.1 <S>: Sender address rejected: not logged in", Account, HoldBack(T::SenderRefused)),
    ("Postfix", Rcpt, "550 5.1.0 <S>: Sender address rejected: User unknown in virtual mailbox table", Account, HoldBack(T::SenderRefused)),
    ("Postfix", Rcpt, "450 4.1.8 <S>: Sender address rejected: Domain not found", Account, HoldBack(T::SenderRefused)),
    ("Postfix", Rcpt, "504 5.5.2 <S>: Sender address rejected: need fully-qualified address", Account, HoldBack(T::SenderRefused)),
    ("Postfix", Rcpt, "450 4.7.1 <client.example>: Client host rejected: cannot find your hostname", Unclear, Retry(T::Throttled)),
    ("Postfix", Rcpt, "554 5.7.1 <client.example>: Client host rejected: Access denied", Unclear, Fail(T::Policy)),
    ("Postfix", Rcpt, "504 5.5.2 <host>: Helo command rejected: need fully-qualified hostname", Unclear, Fail(T::Refused)),
    ("Postfix", Rcpt, "450 4.7.1 Error: too many recipients from 192.0.2.1", Unclear, Retry(T::Throttled)),
    ("Postfix", Mail, "450 4.7.1 Error: too much mail from 192.0.2.1", Relay, HoldBack(T::Throttled)),
    ("Postfix", Greeting, "421 4.7.0 Error: too many connections from 192.0.2.1", Relay, HoldBack(T::Throttled)),
    ("Postfix", Rcpt, "421 4.7.0 Error: too many errors", Relay, HoldBack(T::Throttled)),
    ("Postfix", Mail, "452 4.3.1 Insufficient system storage", Relay, HoldBack(T::Throttled)),
    ("Postfix", Mail, "530 5.7.0 Must issue a STARTTLS command first", Account, HoldBack(T::Auth)),
    ("Postfix", Mail, "552 5.3.4 Message size exceeds fixed limit", Content, Fail(T::ContentTooLarge)),
    ("Postfix", Dot, "552 5.3.4 Error: message file too big", Content, Fail(T::ContentTooLarge)),
    ("Postfix", Dot, "451 4.3.0 Error: queue file write error", Unclear, Retry(T::Throttled)),
    ("Postfix", Dot, "550 5.7.1 message content rejected", Unclear, Fail(T::Policy)),
    ("Postfix", Dot, "554 5.7.1 Service unavailable; blocked using zen.example", Unclear, Fail(T::Policy)),
    ("Postfix", Data, "554 5.5.1 Error: no valid recipients", Unclear, Fail(T::Refused)),
    ("Postfix", Auth, "535 5.7.8 Error: authentication failed", Account, HoldBack(T::Auth)),
    ("Postfix", Ehlo, "503 5.5.1 Error: send EHLO once", Relay, HoldBack(T::Policy)),
    ("Postfix", Rcpt, "556 5.1.10 <R>: Recipient address rejected: Domain does not accept mail (nullMX)", Recipient, Fail(T::AddressUnknown)),
    ("Postfix", Mail, "553 5.6.7 must use SMTPUTF8", Recipient, Fail(T::AddressUnsupported)),

    // Other servers
    ("postgrey", Rcpt, "450 4.2.0 <R>: Recipient address rejected: Greylisted", Unclear, Retry(T::Throttled)),
    ("rspamd", Dot, "451 4.7.1 Try again later", Unclear, Retry(T::Throttled)),
    ("rspamd", Dot, "554 5.7.1 Spam message rejected", Unclear, Fail(T::Policy)),
    ("rspamd", Dot, "451 4.7.1 Rate limit exceeded for the sender", Unclear, Retry(T::Throttled)),
    ("Exim", Rcpt, "550 relay not permitted", Unclear, Fail(T::Refused)),
    ("Exim", Rcpt, "550 Unrouteable address", Unclear, Fail(T::Refused)),
    ("Exim", Rcpt, "451 Temporary local problem - please try later", Unclear, Retry(T::Throttled)),
    ("Exim", Rcpt, "451 sender rate over limit", Unclear, Retry(T::Throttled)),
    ("Exim", Rcpt, "550 Sender verify failed", Unclear, Fail(T::Refused)),
    ("Exim", Greeting, "421 too many concurrent SMTP connections; please try again later", Relay, HoldBack(T::Throttled)),
    ("Exim", Dot, "552 Message size exceeds maximum permitted", Unclear, Fail(T::ContentTooLarge)),
    ("Exim", Rcpt, "452 too many recipients", Unclear, Retry(T::Throttled)),
    ("cPanel", Rcpt, "550 Domain has exceeded the max emails per hour allowed. Message discarded", Unclear, Fail(T::Refused)),
    ("OpenSMTPD", Rcpt, "550 Invalid recipient: R", Unclear, Fail(T::Refused)),
    ("OpenSMTPD", Ehlo, "503 5.5.1 Invalid command: Already said hello", Relay, HoldBack(T::Policy)),
    ("OpenSMTPD", Dot, "421 4.3.0 Temporary Error", Relay, Retry(T::Throttled)),
    ("OpenSMTPD", Rcpt, "524 5.2.4 Mailing list expansion problem: R", Recipient, Fail(T::Refused)),
    ("sendmail", Rcpt, "550 5.7.1 <R>... Relaying denied", Unclear, Fail(T::Policy)),
    ("sendmail", Rcpt, "550 5.1.1 <R>... User unknown", Recipient, Fail(T::AddressUnknown)),
    ("sendmail", Mail, "553 5.1.8 <S>... Domain of sender address does not exist", Account, HoldBack(T::SenderRefused)),
    ("sendmail", Mail, "451 4.1.8 Domain of sender address does not resolve", Account, HoldBack(T::SenderRefused)),
    ("sendmail", Mail, "452 4.4.5 Insufficient disk space; try again later", Relay, HoldBack(T::Throttled)),
    ("sendmail", Rcpt, "452 4.4.5 Insufficient disk space; try again later", Account, SlowDown(T::Throttled)),
    ("sendmail", Greeting, "421 4.3.2 Connection rate limit exceeded", Relay, HoldBack(T::Throttled)),
    ("qmail", Rcpt, "553 sorry, that domain isn't in my list of allowed rcpthosts", Unclear, Fail(T::Refused)),
    ("qmail", Rcpt, "550 sorry, no mailbox here by that name (#5.1.1)", Unclear, Fail(T::Refused)),
    ("qmail", Dot, "554 mail server permanently rejected message (#5.3.0)", Unclear, Fail(T::Refused)),
    ("Dovecot submission", Mail, "530 5.7.0 Authentication required", Account, HoldBack(T::Auth)),
    ("Dovecot submission", Auth, "535 5.7.8 Authentication failed", Account, HoldBack(T::Auth)),
    ("Dovecot submission", Dot, "451 4.4.0 Lost connection to relay server", Recipient, Retry(T::Throttled)),
    ("Dovecot LMTP", Dot, "452 4.2.2 <R> Quota exceeded", Recipient, Retry(T::MailboxFull)),
    ("James", Rcpt, "550 5.7.1 Requested action not taken: relaying denied", Unclear, Fail(T::Policy)),
    ("Haraka", Rcpt, "550 I cannot deliver mail for R", Unclear, Fail(T::Refused)),
    ("Stalwart", Rcpt, "452 4.4.5 Rate limit exceeded, try again later", Account, SlowDown(T::Throttled)),
    ("Stalwart", Rcpt, "550 5.1.2 Relay not allowed", Unclear, Fail(T::AddressUnknown)),
    ("hMailServer", Rcpt, "530 SMTP authentication is required", Account, HoldBack(T::Auth)),
    ("hMailServer", Rcpt, "550 Delivery is not allowed to this address", Unclear, Fail(T::Refused)),
    ("MDaemon", Rcpt, "550 5.7.1 Sorry, relaying of that recipient denied", Unclear, Fail(T::Policy)),
    ("Zimbra", Rcpt, "553 5.7.1 <S>: Sender address rejected: not owned by user", Account, HoldBack(T::SenderRefused)),
    ("any", Connect, "421 service not available", Relay, HoldBack(T::Throttled)),
    ("any", Rcpt, "551 5.1.6 user has moved", Recipient, Fail(T::AddressUnknown)),
    ("any", Rcpt, "450 4.2.2 mailbox full", Recipient, Retry(T::MailboxFull)),
    ("any", Rcpt, "553 5.1.4 ambiguous address", Recipient, Fail(T::Refused)),
    ("any", Mail, "538 5.7.11 encryption required for this mechanism", Account, HoldBack(T::Auth)),
    ("any", Rcpt, "550 5.3.2 system not accepting mail", Relay, HoldBack(T::Policy)),
];

#[test]
fn replies_of_real_servers_are_classified_correctly() {
    assert!(CASES.len() >= 150, "{}", CASES.len());
    let envelope = to("ada@example.org");
    for (server, phase, line, scope, then) in CASES {
        let (code, words) = line.split_at(3);
        let words = words.trim_start_matches(['-', ' ']);
        // Whole words only.
        let words = words
            .replace("<S>", "<beckon@example.org>")
            .replace("<R>", "<ada@example.org>");
        let reply = Reply {
            code: code.parse().unwrap(),
            text: words,
        };
        let answer = Answer::from_reply_about(&envelope, *phase, &reply);
        let expected = match *then {
            Sent => Verdict::Accepted,
            Fail(class) => refused(class),
            Retry(class) => later(class),
            SlowDown(class) => Verdict::SlowDown { class },
            HoldBack(class) => trouble(class),
        };
        assert_eq!(
            (answer.scope, answer.verdict),
            (*scope, expected),
            "{server} at {phase}: {line}"
        );
    }
}

#[test]
fn an_address_counts_as_unknown_only_if_the_relay_reports_that() {
    for code in 400..600_u16 {
        for detail in 0..8 {
            for subject in 0..8 {
                let enhanced = format!("{}.{subject}.{detail}", code / 100);
                let is_explicit = code >= 500 && subject == 1 && [1, 2, 3, 6].contains(&detail);
                for phase in Phase::ALL {
                    let reply = Reply {
                        code,
                        text: format!("{enhanced} no"),
                    };
                    let class = Answer::from_reply(phase, &reply).class();
                    let is_unknown = class == Some(T::AddressUnknown);
                    assert!(!is_unknown || is_explicit, "{phase}: {code} {enhanced}");
                }
            }
        }
    }
}

#[test]
fn refusals_of_the_account_or_by_the_relay_fail_no_mail() {
    for code in 400..600_u16 {
        for enhanced in [
            "", "x.1.0 ", "x.1.7 ", "x.3.2 ", "x.4.5 ", "x.5.3 ", "x.7.1 ", "x.7.501 ",
        ] {
            for phase in Phase::ALL {
                let text = format!("{}no", enhanced.replace('x', &(code / 100).to_string()));
                let answer = Answer::from_reply(phase, &Reply { code, text });
                let is_ours = matches!(answer.scope, Account | Relay);
                let fails = matches!(answer.verdict, Verdict::Refused { .. });
                assert!(!(is_ours && fails), "{phase}: {code} {enhanced}: {answer:?}");
            }
        }
    }
}

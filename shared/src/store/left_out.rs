//! Which of the chosen users are left out of a batch, and why.
//!
//! The rule exists once. [`Facts::reason`] is the rule, and `with_facts` is the only statement that
//! reads what it needs from Postgres. The check page counts users by their facts and asks the rule.
//! Intake hands Postgres the rule as a table with an entry for each set of facts (`reasons`), so that
//! no user leaves Postgres.

use super::exclusion::ExcludedUsers;
use super::{Db, StoreResult, within};
use crate::system_email::SystemEmailKind;
use std::time::Duration;
use uuid::Uuid;

/// How many mailed passwords of one user may work at a time, used or not.
///
/// Each is tried in turn at a sign-in, and fifty requests for one user must not create fifty working
/// passwords.
pub const MAX_LIVE_PASSWORDS: i32 = 5;

/// How long after an email the same user is left out of the next batch of its kind.
pub(super) const RECENT: Duration = Duration::from_hours(24);

crate::named_enum! {
    /// Why a chosen user gets no email, in the order in which the reasons apply.
    ///
    /// Those that the sender can waive come last. So each choice on the check page concerns exactly
    /// the users who are counted under its reason.
    #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
    pub enum LeftOutReason {
        /// Not a user, or deleted since they were chosen.
        UnknownUser = "unknown_user",
        /// Chosen twice; counted once for each repetition.
        Duplicate = "duplicate",
        /// An email to their address failed for good, and the address has not been unblocked.
        AddressBlocked = "address_blocked",
        /// Their address is on a do-not-mail list.
        DoNotMail = "do_not_mail",
        /// They match a saved filter that the sender left out.
        ExcludedByFilter = "excluded_by_filter",
        /// Locked users get no password.
        UserLocked = "user_locked",
        /// An email of this kind is on its way to them.
        AlreadyWaiting = "already_waiting",
        /// They have [`MAX_LIVE_PASSWORDS`] mailed passwords that work.
        TooManyPasswords = "too_many_passwords",
        /// They have signed in, unless those are included.
        SignedIn = "signed_in",
        /// They got an email of this kind in the last 24 hours, unless those are included.
        MailedRecently = "mailed_recently",
    }
}

/// Users who are sent to although they are usually left out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Inclusions {
    /// Those who have signed in.
    pub signed_in: bool,
    /// Those who got an email of this kind in the last 24 hours.
    pub recent: bool,
}

impl Inclusions {
    /// All users who may be included.
    pub const ALL: Self = Self {
        signed_in: true,
        recent: true,
    };
}

/// What is true of a chosen user: a set of bits, numbered as in `with_facts`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Facts(i32);

impl Facts {
    /// No user has this id or address.
    pub const UNKNOWN: Self = Self(1);
    /// The same user was chosen before.
    pub const REPEATED: Self = Self(2);
    /// Their address is blocked.
    pub const BLOCKED: Self = Self(4);
    /// They are locked.
    pub const LOCKED: Self = Self(8);
    /// An email of this kind is on its way to them.
    pub const WAITING: Self = Self(16);
    /// They have as many working mailed passwords as is allowed.
    pub const MANY_PASSWORDS: Self = Self(32);
    /// They have signed in.
    pub const SIGNED_IN: Self = Self(64);
    /// They got an email of this kind in the last 24 hours.
    pub const RECENT: Self = Self(128);
    /// Their address is on a do-not-mail list that the batch leaves out.
    pub const ON_LIST: Self = Self(256);
    /// They match a saved filter that the sender left out.
    pub const EXCLUDED: Self = Self(512);

    /// Number of different sets.
    const SETS: i32 = 1_024;

    /// Whether these facts are among them.
    pub const fn has(self, facts: Self) -> bool {
        self.0 & facts.0 == facts.0
    }

    /// The same with these facts.
    #[must_use]
    pub const fn with(self, facts: Self) -> Self {
        Self(self.0 | facts.0)
    }

    /// The same without these facts.
    #[must_use]
    pub const fn without(self, facts: Self) -> Self {
        Self(self.0 & !facts.0)
    }

    /// Why users with these facts are left out of a batch; none if they get the email.
    pub fn reason(self, kind: SystemEmailKind, including: Inclusions) -> Option<LeftOutReason> {
        let is_password = kind == SystemEmailKind::PasswordReset;
        let applies = |reason: &LeftOutReason| match reason {
            LeftOutReason::UnknownUser => self.has(Self::UNKNOWN),
            LeftOutReason::Duplicate => self.has(Self::REPEATED),
            LeftOutReason::AddressBlocked => self.has(Self::BLOCKED),
            LeftOutReason::DoNotMail => self.has(Self::ON_LIST),
            LeftOutReason::ExcludedByFilter => self.has(Self::EXCLUDED),
            LeftOutReason::UserLocked => is_password && self.has(Self::LOCKED),
            LeftOutReason::AlreadyWaiting => self.has(Self::WAITING),
            LeftOutReason::TooManyPasswords => is_password && self.has(Self::MANY_PASSWORDS),
            LeftOutReason::SignedIn => !including.signed_in && self.has(Self::SIGNED_IN),
            LeftOutReason::MailedRecently => !including.recent && self.has(Self::RECENT),
        };
        LeftOutReason::ALL.into_iter().find(applies)
    }
}

/// The rule as a table: the reason for each set of facts, at the set's number; empty for users who get
/// the email.
pub(super) fn reasons(kind: SystemEmailKind, including: Inclusions) -> Vec<String> {
    let reason = |bits| Facts(bits).reason(kind, including).map_or("", LeftOutReason::as_str);
    (0..Facts::SETS).map(|bits| reason(bits).to_owned()).collect()
}

/// A statement about the facts of chosen users. `$query` is `query`, or `query_as` followed by the type of its rows.
///
/// `$given` ends with a table expression `given (user_id, given, n)`: the users in the order in which
/// they were chosen; `user_id` is null and `given` what was sent where no user was found. `$rest` reads
/// `facts (user_id, given, n, facts)` and may use `$6` and higher for its own arguments. `offset 0`
/// makes Postgres look up each user by id.
macro_rules! with_facts {
    ($query:ident $($row:ident)?, $given:literal, $rest:literal $(+ $more:literal)?, $kind:expr, $excluded:expr $(, $argument:expr)* $(,)?) => {
        sqlx::$query!(
            $($row,)?
            $given
                + r#",
known as materialized (
    select given.user_id, given.given, given.n, u.id, u.email_key, u.locked_at, u.signed_in_at,
           row_number() over (partition by given.user_id order by given.n) as turn
    from given
    left join users u on u.id = given.user_id
),
-- What is owed belongs to a batch that has not finished, and was written no earlier than the first of
-- these: months before that are not looked at.
unfinished as materialized (
    select uuid_v7_from(min(created_at)) as beginning from batches where finished_at is null
),
facts as materialized (
    select known.user_id, known.given, known.n,
           1 * (known.id is null)::integer
           + 2 * (known.turn > 1)::integer
           + 4 * (blocked.is_blocked is not null)::integer
           + 8 * (known.locked_at is not null)::integer
           + 16 * owed.is_waiting::integer
           + 32 * (coalesce(passwords.live, 0) >= $3::integer)::integer
           + 64 * (known.signed_in_at is not null)::integer
           + 128 * (past.is_recent is not null)::integer
           + 256 * (listed.is_listed is not null)::integer
           -- Postgres hashes the array.
           + 512 * coalesce(known.user_id = any($5::uuid[]), false)::integer as facts
    from known
    cross join lateral (
        select exists (
            select from (
                select batch_id from deliveries
                where user_id = known.user_id and id >= (select beginning from unfinished)
                  and state in ('waiting', 'queued', 'sending', 'retrying')
                offset 0
            ) d
            cross join lateral (select from batches where id = d.batch_id and kind = $1::mail_kind offset 0) b
        ) as is_waiting
    ) owed
    left join lateral (
        select true as is_recent from last_sent
        where user_id = known.user_id and kind = $1 and sent_at > now() - make_interval(secs => $2::float8)
        offset 0
    ) past on true
    left join lateral (
        select true as is_blocked from blocked_addresses where email_key = known.email_key offset 0
    ) blocked on true
    left join lateral (
        select count(*) as live
        from credentials c
        where c.user_id = known.user_id and c.kind = 'generated' and c.expires_at > now()
    ) passwords on $1 = 'password_reset'
    left join lateral (
        select true as is_listed from do_not_mail_addresses
        where digest = address_digest(known.email_key) and list_id = any($4::uuid[])
        limit 1
    ) listed on cardinality($4::uuid[]) > 0
)"#
                + $rest
                $(+ $more)?,
            $kind as _,
            $crate::store::seconds($crate::store::left_out::RECENT),
            $crate::store::left_out::MAX_LIVE_PASSWORDS,
            &$excluded.lists,
            &$excluded.users
            $(, $argument)*
        )
    };
}
pub(super) use with_facts;

/// Number of selected users that share these facts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UserCount {
    /// The facts they share.
    pub facts: Facts,
    /// How many.
    pub count: i64,
}

/// The users of a written choice, counted by their facts for one kind of system email.
pub async fn of_selection(
    db: &Db,
    id: Uuid,
    kind: SystemEmailKind,
    excluded: &ExcludedUsers,
) -> StoreResult<Vec<UserCount>> {
    let counting = with_facts!(
        query,
        "with given as materialized (
             select chosen.id as user_id, null::text as given, chosen.n
             from selections s cross join lateral unnest(s.chosen) with ordinality as chosen (id, n)
             where s.id = $6
         )",
        r#" select facts as "facts!", count(*) as "count!" from facts group by facts"#,
        kind,
        excluded,
        id
    );
    let rows = within(counting.fetch_all(db)).await?;
    let counts = rows.into_iter().map(|row| UserCount {
        facts: Facts(row.facts),
        count: row.count,
    });
    Ok(counts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: Facts = Facts(Facts::SETS - 1);

    /// The reason that goes with each fact, in order.
    const EACH: [(Facts, LeftOutReason); 10] = [
        (Facts::UNKNOWN, LeftOutReason::UnknownUser),
        (Facts::REPEATED, LeftOutReason::Duplicate),
        (Facts::BLOCKED, LeftOutReason::AddressBlocked),
        (Facts::ON_LIST, LeftOutReason::DoNotMail),
        (Facts::EXCLUDED, LeftOutReason::ExcludedByFilter),
        (Facts::LOCKED, LeftOutReason::UserLocked),
        (Facts::WAITING, LeftOutReason::AlreadyWaiting),
        (Facts::MANY_PASSWORDS, LeftOutReason::TooManyPasswords),
        (Facts::SIGNED_IN, LeftOutReason::SignedIn),
        (Facts::RECENT, LeftOutReason::MailedRecently),
    ];

    #[test]
    fn each_fact_has_its_reason_and_the_first_counts() {
        let mut left = EVERYTHING;
        for (fact, reason) in EACH {
            let kind = SystemEmailKind::PasswordReset;
            assert_eq!(fact.reason(kind, Inclusions::default()), Some(reason));
            assert_eq!(left.reason(kind, Inclusions::default()), Some(reason));
            left = left.without(fact);
        }
        assert_eq!(left, Facts::default());
        assert_eq!(EACH.map(|(_, reason)| reason), LeftOutReason::ALL);
    }

    #[test]
    fn invites_also_go_to_locked_users_and_leave_out_those_who_have_signed_in() {
        let reason = |facts: Facts, including| facts.reason(SystemEmailKind::Invite, including);
        let signed_in = Inclusions {
            signed_in: true,
            recent: false,
        };

        assert_eq!(reason(Facts::LOCKED, Inclusions::default()), None);
        assert_eq!(reason(Facts::MANY_PASSWORDS, Inclusions::default()), None);
        assert_eq!(
            reason(Facts::SIGNED_IN, Inclusions::default()),
            Some(LeftOutReason::SignedIn)
        );
        assert_eq!(reason(Facts::SIGNED_IN, signed_in), None);
        assert_eq!(reason(Facts::RECENT, signed_in), Some(LeftOutReason::MailedRecently));
        assert_eq!(reason(Facts::RECENT, Inclusions::ALL), None);
    }

    #[test]
    fn the_table_has_the_reason_for_each_set_of_facts() {
        for kind in SystemEmailKind::ALL {
            let table = reasons(kind, Inclusions::default());
            assert_eq!(table.len(), 1_024);
            for (bits, reason) in (0..).zip(&table) {
                let expected = Facts(bits).reason(kind, Inclusions::default());
                assert_eq!(reason, expected.map_or("", LeftOutReason::as_str), "{kind:?} {bits}");
            }
        }
    }
}

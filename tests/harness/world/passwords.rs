//! The promise that every mailed password works.

use std::collections::HashMap;

use futures_util::{StreamExt as _, stream};
use sqlx::Row as _;

use super::World;

/// Concurrent sign-ins. Each costs a hash, and the API has as many threads for that as there are cores.
const AT_ONCE: usize = 4;

/// The credentials of a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Live {
    /// This many mailed passwords.
    Mailed(usize),
    /// A chosen password.
    Chosen,
}

impl World {
    /// Asserts that every password in a mail that the relay kept for one of these users works. Users with several mails
    /// sign in with each password; of users with one mail, `most` sign in. Users who have chosen a password are
    /// skipped, because that ended their mailed passwords.
    ///
    /// Returns how many signed in.
    ///
    /// # Panics
    ///
    /// When a password does not work.
    pub async fn assert_mailed_passwords_work(&self, whose: impl Fn(&str) -> bool, most: usize) -> usize {
        let mails = match self.relay.all_mails() {
            Ok(mails) => mails,
            Err(fault) => panic!("{fault}"),
        };
        let mut passwords: HashMap<&str, Vec<&str>> = HashMap::new();
        for mail in mails.iter().filter(|mail| whose(&mail.recipient)) {
            if let Some(password) = mail.password() {
                passwords.entry(&mail.recipient).or_default().push(password);
            }
        }
        let live = self.live_passwords().await;
        passwords.retain(|person, _| live.get(*person) != Some(&Live::Chosen));
        for (person, mailed) in &passwords {
            let Some(Live::Mailed(live)) = live.get(*person) else {
                panic!("{person} has no password that works")
            };
            assert!(
                *live >= mailed.len(),
                "{person}: {live} of {} passwords live",
                mailed.len()
            );
        }
        let (several, single): (Vec<_>, Vec<_>) = passwords.into_iter().partition(|(_, mailed)| mailed.len() > 1);
        let chosen: Vec<_> = several.into_iter().chain(single.into_iter().take(most)).collect();
        let signing_in = chosen.len();
        stream::iter(chosen)
            .for_each_concurrent(AT_ONCE, async |(person, mailed)| {
                for password in &mailed {
                    let mails = mailed.len();
                    assert!(self.signs_in(person, password).await, "{person}, with {mails} mails");
                }
            })
            .await;
        signing_in
    }

    async fn live_passwords(&self) -> HashMap<String, Live> {
        let rows = sqlx::query(
            "select u.email, count(*) as live, bool_or(c.kind = 'chosen') as chosen from credentials c join users u on u.id = c.user_id
             where c.expires_at is null or c.expires_at > now() group by u.email",
        )
        .fetch_all(&self.db)
        .await;
        let rows = rows.unwrap_or_else(|fault| panic!("could not read the verifiers: {fault}"));
        let live = |row: &sqlx::postgres::PgRow| {
            if row.get("chosen") {
                return Live::Chosen;
            }
            Live::Mailed(usize::try_from(row.get::<i64, _>("live")).unwrap_or_default())
        };
        rows.iter().map(|row| (row.get("email"), live(row))).collect()
    }
}

//! Checks that the demo kept Beckon's promises: the ledger against the relay's log.

use std::collections::{BTreeSet, HashMap};

use harness::relay::Transaction;
use uuid::Uuid;

use crate::api::{Batch, Delivery, Import};
use crate::ledger::{adds_up, has_ended};
use crate::people::{Fate, Person, Sheet};

/// Faults found, one sentence each; empty when there are none.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Vec<String>);

/// The expected counts of a batch.
pub(crate) struct Expected {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) unsure: u64,
    pub(crate) left_out: u64,
}

impl Expected {
    /// The expected counts of invites to these users.
    pub(crate) fn of_invites(people: &[Person]) -> Self {
        let of = |fate| people.iter().filter(|person| person.fate == fate).count() as u64;
        Self {
            sent: people.len() as u64 - of(Fate::NoSuchUser),
            failed: of(Fate::NoSuchUser),
            unsure: of(Fate::LineBreaks),
            left_out: 0,
        }
    }
}

impl Complaints {
    /// All faults.
    pub(crate) fn list(&self) -> &[String] {
        &self.0
    }

    /// Adds the complaint unless the condition holds.
    pub(crate) fn unless(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.0.push(complaint());
        }
    }

    /// Checks that every user was imported and every mistake was reported in its place.
    pub(crate) fn check_import(&mut self, import: &Import, people: &[Person], sheet: &Sheet) {
        self.unless(
            import.created == people.len() && import.rejected == sheet.faults.len() && import.rows == sheet.rows,
            || {
                format!(
                    "of {} rows {} came in and {} did not; it should be {} and {}",
                    import.rows,
                    import.created,
                    import.rejected,
                    people.len(),
                    sheet.faults.len()
                )
            },
        );
        let listed: BTreeSet<_> = import
            .problems
            .iter()
            .map(|problem| (problem.row, problem.column.clone(), problem.code.clone()))
            .collect();
        for (row, column, code) in &sheet.faults {
            let found = listed.contains(&(*row, column.clone(), code.clone()));
            self.unless(found, || format!("row {row}, column {column}: {code} was not reported"));
        }
    }

    /// Checks the counts.
    pub(crate) fn check_sums(&mut self, name: &str, batch: &Batch, expected: &Expected) {
        self.unless(adds_up(batch), || format!("the ledger of {name} does not add up"));
        self.unless(has_ended(batch), || format!("mails of {name} are still being sent"));
        for (state, expected) in [
            ("sent", expected.sent),
            ("failed", expected.failed),
            ("unsure", expected.unsure),
            ("left_out", expected.left_out),
        ] {
            let found = batch.of(state);
            self.unless(found == expected, || {
                format!("{name}: {found} are {state}, and it should be {expected}")
            });
        }
    }

    /// Checks that each `sent` delivery has one mail, or two if an attempt was unsure, and that others have none.
    pub(crate) fn check_mails(&mut self, deliveries: &[Delivery], log: &[Transaction]) {
        let mut caught: HashMap<Uuid, usize> = HashMap::new();
        for transaction in log.iter().filter(|transaction| transaction.kept) {
            let delivery = transaction.delivery.as_deref().and_then(|text| text.parse().ok());
            match delivery {
                Some(delivery) => *caught.entry(delivery).or_default() += 1,
                None => self.unless(false, || {
                    format!("{} got a mail that names no delivery", transaction.recipient)
                }),
            }
        }
        for delivery in deliveries {
            let mails = caught.remove(&delivery.id).unwrap_or_default();
            let right = match (delivery.state.as_str(), delivery.unsure) {
                ("sent", false) => mails == 1,
                ("sent", true) => (1..=2).contains(&mails),
                (_, true) => mails <= 1,
                (_, false) => mails == 0,
            };
            self.unless(right, || {
                let who = delivery.email.as_deref().unwrap_or("an unnamed recipient");
                format!("{who} is {} and has {mails} caught mails", delivery.state)
            });
        }
        self.unless(caught.is_empty(), || {
            format!("{} caught mails belong to no delivery", caught.len())
        });
    }
}

#[cfg(test)]
mod tests;

//! Steps for an operator after a standby of Postgres was promoted: marks emails that the relay accepted as sent, and
//! resumes sending. `deploy/runbooks/failover.md` describes when and why.

use crate::StartError;
use crate::config::{FailoverStep, Settings};
use shared::store::database_history::{self as history, MarkedCounts};
use shared::store::{self, PlanCacheMode};
use std::collections::BTreeSet;
use std::io::BufRead as _;
use uuid::Uuid;

/// Number of ids per statement.
const GROUP: usize = 10_000;

/// Takes a step and describes the result.
///
/// # Errors
///
/// [`StartError::Failover`] with the remedy, or the error from Postgres.
pub async fn take(step: FailoverStep, settings: &Settings) -> Result<String, StartError> {
    match step {
        FailoverStep::ResumeSending => resume(settings).await,
        FailoverStep::MarkSent => mark_sent(settings).await,
    }
}

async fn resume(settings: &Settings) -> Result<String, StartError> {
    let db = store::connect(
        &settings.database,
        "beckon-api: resume-sending",
        PlanCacheMode::CustomPlans,
    )?;
    match history::resume(&db).await? {
        Some(held_at) => Ok(format!("Sending is resumed. It was on hold since {held_at}.")),
        None => Err(StartError::Failover(
            "sending is not on hold; nothing was changed".to_owned(),
        )),
    }
}

/// Marks the deliveries listed on standard input. An invalid line aborts before anything is changed.
async fn mark_sent(settings: &Settings) -> Result<String, StartError> {
    let mut lines = Vec::new();
    for line in std::io::stdin().lock().lines() {
        lines.push(line.map_err(|fault| StartError::System("read Message-IDs from standard input", fault))?);
    }
    let ids = deliveries(&lines).map_err(StartError::Failover)?;
    let db = store::connect(&settings.database, "beckon-api: mark-sent", PlanCacheMode::CustomPlans)?;
    let mut all = MarkedCounts::default();
    for group in ids.chunks(GROUP) {
        let some = history::mark_sent(&db, group).await?;
        all.marked += some.marked;
        all.ended += some.ended;
        all.passwords += some.passwords;
        all.unknown += some.unknown;
    }
    Ok(summary(all))
}

/// Parses lines to deliveries, each once. A Message-ID is a delivery's id, @, and the sender's domain.
fn deliveries(lines: &[String]) -> Result<Vec<Uuid>, String> {
    let mut ids = BTreeSet::new();
    for (number, line) in (1..).zip(lines) {
        let text = line.trim().trim_start_matches('<').trim_end_matches('>');
        if text.is_empty() {
            continue;
        }
        let id = text.split('@').next().unwrap_or_default();
        let id = Uuid::try_parse(id).map_err(|_| {
            format!(
                "line {number} of standard input is neither a Message-ID of Beckon nor a delivery id; nothing was changed"
            )
        })?;
        ids.insert(id);
    }
    if ids.is_empty() {
        return Err("standard input contains no delivery; write one Message-ID or delivery id per line".to_owned());
    }
    Ok(ids.into_iter().collect())
}

fn summary(all: MarkedCounts) -> String {
    format!(
        "{} marked as sent, {} had ended before, {} are password emails and stay due, {} are not in this database",
        all.marked, all.ended, all.passwords, all.unknown
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Uuid>, String> {
        deliveries(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn message_ids_and_bare_ids_are_read_once_each() {
        let id = Uuid::from_u128(7);
        let text = format!("<{id}@lerna.example>\n\n{id}\n");
        assert_eq!(read(&text), Ok(vec![id]));
    }

    #[test]
    fn an_invalid_line_is_named() {
        let refusal = read("00000000-0000-0000-0000-000000000007\nsomething@else\n").unwrap_err();
        assert!(refusal.starts_with("line 2 of standard input"), "{refusal}");
        assert!(read("\n").unwrap_err().contains("contains no delivery"));
    }
}

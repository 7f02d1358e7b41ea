//! How long a batch will take, as far as that can be known before.

use crate::console::words::lasting;
use crate::problem::Problem;
use crate::state::Api;
use shared::store::batches;
use shared::system_email::SystemEmailKind;

/// In words, or that it cannot be told.
pub(super) async fn of(api: &Api, kind: SystemEmailKind, mails: i64) -> Result<String, Problem> {
    let measured = batches::usual_rate(&api.db, kind).await?;
    let rate = match (api.mail_rate, measured) {
        (Some(set), Some(measured)) => Some(set.min(measured)),
        (set, measured) => set.or(measured),
    };
    Ok(match rate.filter(|rate| *rate > 0.0) {
        Some(rate) => told(mails, rate),
        None => "As fast as your mail server takes them".to_owned(),
    })
}

fn told(mails: i64, rate: f64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a guess in whole seconds"
    )]
    let seconds = (mails as f64 / rate).ceil() as i64;
    let pace = if rate >= 1.0 {
        format!("{rate:.0} a second")
    } else {
        format!("{:.0} a minute", rate * 60.0)
    };
    format!("About {} after the start, at {pace}", lasting(seconds.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_rounded_and_says_at_what_pace() {
        assert_eq!(told(1_204, 50.2), "About 24 seconds after the start, at 50 a second");
        assert_eq!(told(1, 4_000.0), "About 1 second after the start, at 4000 a second");
        assert_eq!(told(600, 0.5), "About 20 minutes after the start, at 30 a minute");
    }
}

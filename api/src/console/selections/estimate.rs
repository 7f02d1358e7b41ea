//! Estimates how long a batch will take.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::console::format::lasting;
use shared::store::batches;
use shared::system_email::SystemEmailKind;

/// The estimate as text, or a sentence if there is no basis for one.
pub(super) async fn of(api: &AppState, kind: SystemEmailKind, mails: i64) -> Result<String, Problem> {
    let measured = batches::usual_rate(&api.db, kind).await?;
    let rate = match (api.mail_rate, measured) {
        (Some(set), Some(measured)) => Some(set.min(measured)),
        (set, measured) => set.or(measured),
    };
    Ok(match rate.filter(|rate| *rate > 0.0) {
        Some(rate) => estimate(mails, rate),
        None => "Depends on how fast your mail server accepts them".to_owned(),
    })
}

fn estimate(mails: i64, rate: f64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "an estimate in whole seconds"
    )]
    let seconds = (mails as f64 / rate).ceil() as i64;
    let pace = if rate >= 1.0 {
        format!("{rate:.0} per second")
    } else {
        format!("{:.0} per minute", rate * 60.0)
    };
    format!("About {} after it starts, at {pace}", lasting(seconds.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_rounded_and_states_the_rate() {
        assert_eq!(
            estimate(1_204, 50.2),
            "About 24 seconds after it starts, at 50 per second"
        );
        assert_eq!(
            estimate(1, 4_000.0),
            "About 1 second after it starts, at 4000 per second"
        );
        assert_eq!(estimate(600, 0.5), "About 20 minutes after it starts, at 30 per minute");
    }
}

//! Step 3: the sums, before anything is sent.

use super::estimate;
use super::own::{self, Own};
use super::schedule::Schedule;
use crate::console::batch::live::mails;
use crate::console::blocked::BlockedRow;
use crate::console::fields::Fields;
use crate::console::frame::{Frame, Place};
use crate::console::respond::{page_as, redirect_noting};
use crate::console::session::Administrator;
use crate::console::words::{counted, lasting, some};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::state::Api;
use crate::status_words::left_out;
use crate::system_emails::current;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use shared::store::blocked::{self, BlockedFilter};
use shared::store::selections::{self, Selection, Sum};
use shared::system_email::SystemEmailKind;
use std::collections::BTreeMap;
use url::form_urlencoded::byte_serialize;
use uuid::Uuid;

/// The page.
#[derive(Template)]
#[template(path = "console/check.html")]
pub(super) struct CheckPage {
    pub(super) frame: Frame,
    id: Uuid,
    name: &'static str,
    subject: String,
    from: String,
    hold: String,
    has_hold: bool,
    estimate: String,
    is_password_mail: bool,
    choice: Choice,
    sums: Sums,
    /// What is known of the address of the one person who was chosen, if no mail goes to it.
    blocked: Option<BlockedRow>,
    /// How many have signed in, and how many got this mail in the last 24 hours.
    signed_in: i64,
    recent: i64,
    /// What the button does at once, and what it does later without its moment.
    button: String,
    button_later: String,
    pub(super) faults: Vec<(&'static str, String)>,
    schedule: Schedule,
}

/// What stands behind the `?`: what the administrator chose about people who would usually be left out, and when
/// the batch starts.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Choice {
    /// Password mails: also to people who have signed in.
    #[serde(default)]
    pub(super) signed_in: Option<bool>,
    /// Also to people who got this mail in the last 24 hours.
    #[serde(default)]
    pub(super) recent: Option<bool>,
    /// A later start, in UTC, as the field sends it; empty for now.
    #[serde(default)]
    pub(super) start_at: String,
}

impl Choice {
    /// Reads the form of the page.
    pub(super) fn read(fields: &Fields) -> Self {
        let is_true = |name: &str| Some(fields.text(name) == "true");
        Self {
            signed_in: is_true("signed_in"),
            recent: is_true("recent"),
            start_at: fields.trimmed("start_at").to_owned(),
        }
    }

    /// Who is included, as the form repeats it to say what its numbers are of.
    pub(super) fn included(&self) -> String {
        let is = |choice: Option<bool>| choice.unwrap_or_default();
        format!("signed_in={}&recent={}", is(self.signed_in), is(self.recent))
    }

    /// What stands behind the `?`.
    pub(super) fn query(&self) -> String {
        let mut query = self.included();
        if !self.start_at.is_empty() {
            let start_at: String = byte_serialize(self.start_at.as_bytes()).collect();
            query.push_str("&start_at=");
            query.push_str(&start_at);
        }
        query
    }

    /// Without a word, one person who was chosen by name gets their mail, and of many those are left
    /// out who need none.
    pub(super) fn resolved(&self, is_one: bool) -> (bool, bool) {
        (self.signed_in.unwrap_or(is_one), self.recent.unwrap_or(is_one))
    }
}

/// What would be sent, and who is left out: it adds up to who was chosen.
struct Sums {
    chosen: String,
    sent: i64,
    left_out: Vec<(&'static str, String)>,
    /// Whose address is blocked: they are not left out, and their mail is suppressed.
    blocked: i64,
}

impl CheckPage {
    fn sent_shown(&self) -> String {
        counted(self.sums.sent)
    }

    fn blocked_shown(&self) -> String {
        counted(self.sums.blocked)
    }

    fn blocked_told(&self) -> String {
        match self.sums.blocked {
            1 => "1 person has a blocked address: an email to it failed before. They get nothing.".to_owned(),
            n => format!(
                "{} people have a blocked address: an email to it failed before. They get nothing.",
                counted(n)
            ),
        }
    }

    fn signed_in_shown(&self) -> String {
        some(self.signed_in, "person has", "people have")
    }

    fn recent_shown(&self) -> String {
        some(self.recent, "person got", "people got")
    }

    /// When it starts unless it is scheduled.
    fn starts_usually(&self) -> String {
        if self.has_hold {
            format!("{} after you send. Until then you can undo it.", self.hold)
        } else {
            "As soon as you send".to_owned()
        }
    }

    fn includes_signed_in(&self) -> bool {
        self.choice.signed_in.unwrap_or_default()
    }

    fn includes_recent(&self) -> bool {
        self.choice.recent.unwrap_or_default()
    }
}

/// Shows the sums.
pub(in crate::console) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<Uuid>,
    Query(choice): Query<Choice>,
) -> Result<Response, Problem> {
    let (selection, kind) = match own::find(&api, &administrator, id).await? {
        Own::Open(selection, kind) => (selection, kind),
        Own::Sent(response) => return Ok(response),
    };
    if own::write_down(&api, &selection).await? == 0 {
        return Ok(redirect_noting(
            &format!("/console/selections/{id}"),
            "Nobody is chosen yet. Select at least one user.",
        ));
    }
    let schedule = Schedule::read(&api, &choice.start_at).await?;
    let page = of(&api, &administrator, &selection, kind, choice, schedule).await?;
    let status = if page.faults.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    page_as(status, &page)
}

/// The page for a choice and a start.
pub(super) async fn of(
    api: &Api,
    administrator: &Administrator,
    selection: &Selection,
    kind: SystemEmailKind,
    choice: Choice,
    schedule: Schedule,
) -> Result<CheckPage, Problem> {
    let all = selections::sums(&api.db, selection.id, kind).await?;
    let total: i64 = all.iter().map(|sum| sum.n).sum();
    let (signed_in, recent) = choice.resolved(total == 1);
    let sums = sums(&all, kind, signed_in, recent);
    let blocked = match (total, sums.blocked) {
        (1, 1) => blocked::find(&api.db, &addresses_of(selection.id)).await?,
        _ => None,
    };
    let letter = current(api, kind).await?;
    let of_those = |is: fn(&Sum) -> bool| all.iter().filter(|sum| is(sum)).map(|sum| sum.n).sum();
    let hold = i64::try_from(api.hold.as_secs()).unwrap_or(i64::MAX);
    let frame = administrator.frame(api, Place::Users, "Check before you send").await;
    let faults: Vec<_> = schedule.fault.iter().map(|fault| ("start_at", fault.clone())).collect();
    let (button, button_later) = buttons(kind, &sums);
    Ok(CheckPage {
        frame: if faults.is_empty() { frame } else { frame.with_faults() },
        id: selection.id,
        name: kind.name(),
        subject: letter.subject,
        from: format!("{} <{}>", api.letters.from.name, api.letters.from.address.as_typed()),
        hold: lasting(hold),
        has_hold: hold > 0,
        estimate: estimate::of(api, kind, sums.sent).await?,
        is_password_mail: kind == SystemEmailKind::PasswordReset,
        button,
        button_later,
        blocked: blocked.map(BlockedRow::of),
        choice: Choice {
            signed_in: Some(signed_in),
            recent: Some(recent),
            start_at: choice.start_at,
        },
        sums,
        signed_in: if kind == SystemEmailKind::PasswordReset {
            of_those(|sum| sum.signed_in)
        } else {
            0
        },
        recent: of_those(|sum| sum.is_recent && !sum.is_waiting),
        faults,
        schedule,
    })
}

/// What the button says of a batch that starts now, and of a later one up to its moment.
fn buttons(kind: SystemEmailKind, sums: &Sums) -> (String, String) {
    match sums.sent {
        0 => {
            let mails = mails(kind, sums.blocked);
            (
                format!("Unblock and send {mails}"),
                format!("Unblock and schedule {mails} for"),
            )
        }
        sent => {
            let mails = mails(kind, sent);
            (format!("Send {mails}"), format!("Schedule {mails} for"))
        }
    }
}

fn sums(all: &[Sum], kind: SystemEmailKind, signed_in: bool, recent: bool) -> Sums {
    let mut without = BTreeMap::<&'static str, i64>::new();
    let (mut total, mut sent, mut blocked) = (0, 0, 0);
    for sum in all {
        total += sum.n;
        match sum.reason(kind, signed_in, recent) {
            Some(reason) => *without.entry(left_out(reason)).or_default() += sum.n,
            None if sum.is_blocked => blocked += sum.n,
            None => sent += sum.n,
        }
    }
    Sums {
        chosen: counted(total),
        sent,
        left_out: without.into_iter().map(|(word, n)| (word, counted(n))).collect(),
        blocked,
    }
}

/// The blocked addresses of a choice.
pub(super) fn addresses_of(selection: Uuid) -> BlockedFilter {
    BlockedFilter {
        selection: Some(selection),
        ..BlockedFilter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(signed_in: bool, is_waiting: bool, is_recent: bool, n: i64) -> Sum {
        Sum {
            is_unknown: false,
            is_locked: false,
            signed_in,
            is_waiting,
            is_recent,
            has_many_passwords: false,
            is_blocked: false,
            n,
        }
    }

    #[test]
    fn the_sums_add_up_whatever_is_chosen() {
        let all = [
            sum(false, false, false, 1_000),
            sum(true, false, false, 37),
            sum(true, false, true, 5),
            sum(false, true, true, 8),
            Sum {
                is_blocked: true,
                ..sum(false, false, false, 9)
            },
            // Whoever is left out is counted there.
            Sum {
                is_blocked: true,
                ..sum(false, true, false, 1)
            },
        ];
        for kind in SystemEmailKind::ALL {
            for (signed_in, recent) in [(false, false), (true, false), (false, true), (true, true)] {
                let sums = sums(&all, kind, signed_in, recent);
                let left_out: i64 = sums.left_out.iter().map(|(_, n)| n.parse::<i64>().unwrap()).sum();
                assert_eq!(
                    (sums.sent + sums.blocked + left_out, sums.chosen.as_str()),
                    (1_060, "1,060")
                );
                assert_eq!(sums.blocked, 9);
            }
        }
        let usual = sums(&all, SystemEmailKind::PasswordReset, false, false);
        assert_eq!(usual.sent, 1_000);
        assert_eq!(sums(&all, SystemEmailKind::PasswordReset, true, false).sent, 1_037);
        assert_eq!(sums(&all, SystemEmailKind::Invite, false, true).sent, 1_042);
    }

    #[test]
    fn one_person_chosen_by_name_is_not_left_out() {
        assert_eq!(Choice::default().resolved(true), (true, true));
        assert_eq!(Choice::default().resolved(false), (false, false));
    }
}

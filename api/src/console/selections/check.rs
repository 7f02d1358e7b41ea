//! Step 3: check the totals before sending.

use super::choice::Choice;
use super::counts::SelectionCounts;
use super::estimate;
use super::exclude::{self, Choices};
use super::languages;
use super::load_selection::{self, OpenSelection};
use super::missing::MissingLine;
use super::schedule::Schedule;
use crate::app::intake::missing;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::status_labels;
use crate::app::system_emails::current;
use crate::console::batch::live::mails;
use crate::console::blocked::BlockedRow;
use crate::console::format::{counted, lasting, some};
use crate::console::frame::{Frame, Section};
use crate::console::respond::{page_as, redirect_with_note};
use crate::console::session::Administrator;
use crate::http::query::Query;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::blocked::{self, BlockedFilter};
use shared::store::left_out::{self, LeftOutReason};
use shared::store::missing::ChosenUsers;
use shared::store::selections::Selection;
use shared::system_email::SystemEmailKind;
use uuid::Uuid;

/// The check page.
#[derive(Template)]
#[template(path = "console/check.html")]
pub(super) struct CheckPage {
    pub(super) frame: Frame,
    id: Uuid,
    name: &'static str,
    subject: String,
    /// Whether the batch has its own wording.
    own_wording: bool,
    from: String,
    hold: String,
    has_hold: bool,
    estimate: String,
    is_password_mail: bool,
    choice: Choice,
    /// Filters and lists that the batch can leave out.
    exclude: Choices,
    sums: SelectionCounts,
    /// Fields that have no value for some recipients.
    missing: Vec<MissingLine>,
    /// The languages of the emails and their number.
    languages: Vec<String>,
    /// The blocked address of the only selected person, if nothing else prevents the email.
    blocked: Option<BlockedRow>,
    /// Number of emails that the button sends. The form submits it, so that no other number is sent.
    to_send: i64,
    /// Labels of the button: for sending now, and for a scheduled start, which the time follows.
    button: String,
    button_later: String,
    pub(super) faults: Vec<(&'static str, String)>,
    schedule: Schedule,
}

impl CheckPage {
    pub(super) fn sent_shown(&self) -> String {
        counted(self.sums.sent)
    }

    /// Whether a missing value has no default.
    fn lacks_a_default(&self) -> bool {
        self.missing.iter().any(|line| line.is_bare)
    }

    fn chosen_shown(&self) -> String {
        counted(self.sums.chosen)
    }

    /// Reasons for leaving people out, with their number.
    fn left_out(&self) -> Vec<(&'static str, String)> {
        let reasons = self.sums.left_out.iter();
        reasons
            .map(|(reason, count)| (status_labels::left_out(reason.as_str()), counted(*count)))
            .collect()
    }

    fn blocked_count(&self) -> i64 {
        self.sums.without(LeftOutReason::AddressBlocked)
    }

    fn blocked_sentence(&self) -> String {
        match self.blocked_count() {
            1 => "1 person has a blocked address because an earlier email failed. They will not be emailed.".to_owned(),
            n => format!(
                "{} people have blocked addresses because earlier emails failed. They will not be emailed.",
                counted(n)
            ),
        }
    }

    fn signed_in_shown(&self) -> String {
        some(self.sums.signed_in.people, "person has", "people have")
    }

    fn recent_shown(&self) -> String {
        some(self.sums.recent.people, "person got", "people got")
    }

    /// Number of people who have signed in and are left out for another reason even if they are included.
    fn recent_among_signed_in(&self) -> Option<String> {
        let optional = &self.sums.signed_in;
        let rest = optional.people - optional.added;
        (rest > 0).then(|| counted(rest))
    }

    /// Whether a new password is sent to anyone who can already sign in.
    fn replaces_passwords(&self) -> bool {
        self.is_password_mail && self.sums.signed_in_sent > 0
    }

    /// When it starts if it is not scheduled.
    fn starts_usually(&self) -> String {
        if self.has_hold {
            format!("{} after you send. You can undo it until then.", self.hold)
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

/// Shows the check page.
pub(in crate::console) async fn show(
    State(api): State<AppState>,
    administrator: Administrator,
    OpenSelection(selection, kind): OpenSelection,
    Query(choice): Query<Choice>,
) -> Result<Response, Problem> {
    let id = selection.id;
    if load_selection::store_ids(&api, &selection).await? == 0 {
        return Ok(redirect_with_note(
            &format!("/console/selections/{id}"),
            "No users are selected. Select at least one user.",
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

/// Builds the page for these options and this start.
pub(super) async fn of(
    api: &AppState,
    administrator: &Administrator,
    selection: &Selection,
    kind: SystemEmailKind,
    choice: Choice,
    schedule: Schedule,
) -> Result<CheckPage, Problem> {
    let exclude = exclude::choices(api, selection).await?;
    let excluded = exclude.exclusion.users(&api.db).await?;
    let counts = left_out::of_selection(&api.db, selection.id, kind, &excluded).await?;
    let people: i64 = counts.iter().map(|those| those.count).sum();
    let including = choice.resolved(people == 1);
    let sums = SelectionCounts::of(&counts, kind, including);
    let blocked = if sums.chosen == 1 && sums.sent < sums.sent_if_unblocked {
        blocked::find(&api.db, &addresses_of(selection.id)).await?
    } else {
        None
    };
    let to_send = if blocked.is_some() {
        sums.sent_if_unblocked
    } else {
        sums.sent
    };
    let chosen = ChosenUsers {
        selection: selection.id,
        kind,
        including,
        excluded: &excluded,
    };
    let missing = missing::of_choice(api, chosen, selection.wording.as_ref()).await?;
    let languages = languages::lines(api, chosen, selection.wording.as_ref()).await?;
    let hold = i64::try_from(api.hold.as_secs()).unwrap_or(i64::MAX);
    let frame = administrator.frame(api, Section::Users, "Check before you send").await;
    let faults: Vec<_> = schedule.fault.iter().map(|fault| ("start_at", fault.clone())).collect();
    let (button, button_later) = buttons(&mails(kind, to_send), blocked.is_some());
    Ok(CheckPage {
        frame: if faults.is_empty() { frame } else { frame.with_faults() },
        id: selection.id,
        name: kind.name(),
        subject: subject_of(api, selection, kind).await?,
        own_wording: selection.wording.is_some(),
        from: format!("{} <{}>", api.letters.from.name, api.letters.from.address.as_typed()),
        hold: lasting(hold),
        has_hold: hold > 0,
        estimate: estimate::of(api, kind, to_send).await?,
        is_password_mail: kind == SystemEmailKind::PasswordReset,
        button,
        button_later,
        to_send,
        blocked: blocked.map(BlockedRow::of),
        missing: MissingLine::all(&missing, sums.sent),
        languages,
        choice: Choice {
            signed_in: Some(including.signed_in),
            recent: Some(including.recent),
            start_at: choice.start_at,
        },
        exclude,
        sums,
        faults,
        schedule,
    })
}

/// The subject of a selection's email, with its fields.
async fn subject_of(api: &AppState, selection: &Selection, kind: SystemEmailKind) -> Result<String, Problem> {
    match &selection.wording {
        Some(wording) => Ok(wording.subject.clone()),
        None => Ok(current(api, kind).await?.subject),
    }
}

/// Labels of the button: for sending now, and for a scheduled start up to its time.
fn buttons(mails: &str, unblocks: bool) -> (String, String) {
    if unblocks {
        (
            format!("Unblock and send {mails}"),
            format!("Unblock and schedule {mails} for"),
        )
    } else {
        (format!("Send {mails}"), format!("Schedule {mails} for"))
    }
}

/// Filter for the blocked addresses of a selection.
pub(super) fn addresses_of(selection: Uuid) -> BlockedFilter {
    BlockedFilter {
        selection: Some(selection),
        ..BlockedFilter::default()
    }
}

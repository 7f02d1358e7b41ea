//! How to reach each page.
//!
//! A route that answers GET has its entry in [`PAGES`]: as many addresses as it has variants worth checking. `{user}`
//! and the like are objects of the [`Scene`], which knows their ids; an address of an object that the scene lacks is
//! left out. A route that answers GET without a page has a comment.

use super::answers::ANSWERS;
use super::scene::Scene;
use Come::{At, Faulty, Missing, NoPage, Outside};

/// Every GET route of the console, in alphabetical order.
const PAGES: &[(&str, Come)] = &[
    // Redirects to the start page.
    ("/console", NoPage),
    ("/console/account", At(&["/console/account"])),
    (
        "/console/activity",
        At(&[
            "/console/activity",
            "/console/activity?q=person1",
            "/console/activity?q=unknown+of+this+name",
            "/console/activity?kind=invite&state=finished",
        ]),
    ),
    // A file.
    ("/console/activity.csv", NoPage),
    ("/console/administrators", At(&["/console/administrators"])),
    ("/console/administrators/new", At(&["/console/administrators/new"])),
    (
        "/console/administrators/{id}",
        At(&["/console/administrators/{self}", "/console/administrators/{colleague}"]),
    ),
    (
        "/console/administrators/{id}/disable",
        At(&["/console/administrators/{colleague}/disable"]),
    ),
    // The style sheet, the scripts and the favicon.
    ("/console/assets/{file}", NoPage),
    (
        "/console/audit",
        At(&["/console/audit", "/console/audit?from=2020-01-01&to=2020-01-02"]),
    ),
    ("/console/audit", Faulty(&["/console/audit?from=yesterday"])),
    // A file.
    ("/console/audit.csv", NoPage),
    (
        "/console/batches/{id}",
        At(&[
            "/console/batches/{ended_batch}",
            "/console/batches/{ended_batch}?show=sent",
            "/console/batches/{ended_batch}?q=unknown+of+this+name",
            "/console/batches/{trying_batch}",
            "/console/batches/{password_batch}",
            "/console/batches/{held_batch}",
            "/console/batches/{paused_batch}",
            "/console/batches/{stopped_batch}",
            "/console/batches/{left_out_batch}",
            "/console/batches/{blocked_batch}",
            "/console/batches/{braked_batch}",
        ]),
    ),
    (
        "/console/batches/{id}/left-out",
        At(&[
            "/console/batches/{left_out_batch}/left-out",
            "/console/batches/{ended_batch}/left-out",
        ]),
    ),
    // A file, a stream of fragments of the batch's page, and another file.
    ("/console/batches/{id}/left-out.csv", NoPage),
    ("/console/batches/{id}/live", NoPage),
    ("/console/batches/{id}/report.csv", NoPage),
    (
        "/console/batches/{id}/revoke",
        At(&[
            "/console/batches/{password_batch}/revoke",
            "/console/batches/{held_batch}/revoke",
            "/console/batches/{stopped_batch}/revoke",
        ]),
    ),
    (
        "/console/batches/{id}/stop",
        At(&["/console/batches/{paused_batch}/stop"]),
    ),
    (
        "/console/batches/{id}/wording",
        At(&["/console/batches/{worded_batch}/wording"]),
    ),
    (
        "/console/blocked-addresses",
        At(&[
            "/console/blocked-addresses",
            "/console/blocked-addresses?q=unknown+of+this+name",
            "/console/blocked-addresses?selection={passwords}",
        ]),
    ),
    // A file.
    ("/console/blocked-addresses.csv", NoPage),
    ("/console/choose-password", Outside(&["/console/choose-password"])),
    (
        "/console/deliveries/{id}",
        At(&[
            "/console/deliveries/{sent}",
            "/console/deliveries/{failed}",
            "/console/deliveries/{retrying}",
            "/console/deliveries/{waiting}",
            "/console/deliveries/{cancelled}",
            "/console/deliveries/{suppressed}",
        ]),
    ),
    // The mail, in a frame of its delivery's page.
    ("/console/deliveries/{id}/letter", NoPage),
    ("/console/do-not-mail", At(&["/console/do-not-mail"])),
    (
        "/console/do-not-mail/new",
        At(&[
            "/console/do-not-mail/new",
            "/console/do-not-mail/new?list={do_not_mail_list}",
        ]),
    ),
    (
        "/console/do-not-mail/{id}",
        At(&[
            "/console/do-not-mail/{do_not_mail_list}",
            "/console/do-not-mail/{do_not_mail_list}?q=nobody",
        ]),
    ),
    // A file.
    ("/console/do-not-mail/{id}/addresses.csv", NoPage),
    ("/console/filters", At(&["/console/filters"])),
    (
        "/console/imports",
        At(&[
            "/console/imports",
            "/console/imports?before=00000000-0000-0000-0000-000000000001&page=2",
        ]),
    ),
    // A file.
    ("/console/imports/example.csv", NoPage),
    ("/console/imports/template.csv", NoPage),
    ("/console/imports/template.xlsx", NoPage),
    ("/console/imports/new", At(&["/console/imports/new"])),
    (
        "/console/imports/{id}",
        At(&[
            "/console/imports/{import}",
            "/console/imports/{clean_import}",
            "/console/imports/{faulty_file}",
            "/console/imports/{good_file}",
            "/console/imports/{hopeless_file}",
            "/console/imports/{unreadable_file}",
            "/console/imports/{discarded_file}",
            "/console/imports/{checking_file}",
            "/console/imports/{interrupted_file}",
            "/console/imports/{undone_import}",
            "/console/imports/{unclear_file}",
        ]),
    ),
    (
        "/console/imports/{id}/columns",
        At(&["/console/imports/{good_file}/columns"]),
    ),
    // A file.
    ("/console/imports/{id}/problems.csv", NoPage),
    ("/console/imports/{id}/problems.xlsx", NoPage),
    (
        "/console/imports/{id}/undo",
        At(&["/console/imports/{import}/undo", "/console/imports/{lone_import}/undo"]),
    ),
    ("/console/keys", At(&["/console/keys"])),
    ("/console/keys/new", At(&["/console/keys/new"])),
    ("/console/keys/{id}/revoke", At(&["/console/keys/{key}/revoke"])),
    ("/console/password", At(&["/console/password"])),
    // Redirects to the first step.
    ("/console/selections/new", NoPage),
    (
        "/console/selections/{id}",
        At(&[
            "/console/selections/{nobody_chosen}",
            "/console/selections/{invite}",
            "/console/selections/{invite}?page=2",
            "/console/selections/{passwords}?q=person",
        ]),
    ),
    (
        "/console/selections/{id}/check",
        At(&[
            "/console/selections/{invite}/check",
            "/console/selections/{passwords}/check",
            "/console/selections/{passwords}/check?signed_in=true&recent=true",
            "/console/selections/{one_password}/check",
            "/console/selections/{one_blocked}/check",
        ]),
    ),
    (
        "/console/selections/{id}/missing",
        At(&["/console/selections/{invite}/missing?field=first_name"]),
    ),
    (
        "/console/selections/{id}/check",
        Faulty(&["/console/selections/{invite}/check?start_at=2020-01-01T09:00"]),
    ),
    (
        "/console/selections/{id}/preview",
        At(&[
            "/console/selections/{invite}/preview",
            "/console/selections/{invite}/preview?n=2&part=text",
            "/console/selections/{invite}/preview?find=unknown+of+this+name",
            "/console/selections/{passwords}/preview",
        ]),
    ),
    // The mail, in a frame of the page that shows it.
    ("/console/selections/{id}/preview/html", NoPage),
    (
        "/console/selections/{id}/wording",
        At(&["/console/selections/{invite}/wording"]),
    ),
    (
        "/console/sign-in",
        Outside(&["/console/sign-in", "/console/sign-in?to=%2Fconsole&came=1"]),
    ),
    ("/console/system-emails", At(&["/console/system-emails"])),
    (
        "/console/system-emails/{key}",
        At(&[
            "/console/system-emails/invite",
            "/console/system-emails/invite?language=de",
            "/console/system-emails/invite?language=fr",
            "/console/system-emails/password_reset",
        ]),
    ),
    (
        "/console/system-emails/{key}/compare",
        At(&["/console/system-emails/invite/compare?from={old_version}&to={new_version}"]),
    ),
    (
        "/console/system-emails/{key}/history",
        At(&[
            "/console/system-emails/invite/history",
            "/console/system-emails/password_reset/history",
        ]),
    ),
    (
        "/console/system-emails/{key}/history/{version}",
        At(&[
            "/console/system-emails/invite/history/1",
            "/console/system-emails/invite/history/{new_version}",
        ]),
    ),
    // The mail, in a frame of the editor.
    ("/console/system-emails/{key}/preview", NoPage),
    (
        "/console/system-emails/{key}/restore/{version}",
        At(&["/console/system-emails/invite/restore/{old_version}"]),
    ),
    // Redirects to the editor.
    ("/console/system-emails/{key}/test", NoPage),
    (
        "/console/users",
        At(&[
            "/console/users",
            "/console/users?page=2",
            "/console/users?q=example.org&status=failed",
            "/console/users?q=unknown+of+this+name",
            "/console/users?import={import}",
            "/console/users?import={import}&effect=created",
            "/console/users?access=password_mailed&blocked=false",
            "/console/users?status=not_invited&invited=true",
        ]),
    ),
    ("/console/users/add", At(&["/console/users/add"])),
    (
        "/console/users/{id}",
        At(&[
            "/console/users/{user}",
            "/console/users/{long_user}",
            "/console/users/{nameless_user}",
            "/console/users/{blocked_user}",
            "/console/users/{locked_user}",
        ]),
    ),
    ("/console/users/{id}/delete", At(&["/console/users/{long_user}/delete"])),
    (
        "/console/users/{id}/edit",
        At(&["/console/users/{long_user}/edit", "/console/users/{nameless_user}/edit"]),
    ),
    ("/console/users/{id}/export", NoPage),
    (
        "/console/users/{id}/lock",
        At(&["/console/users/{long_user}/lock", "/console/users/{nameless_user}/lock"]),
    ),
    (
        "/console/users/{id}/unlock",
        At(&["/console/users/{locked_user}/unlock"]),
    ),
    ("/console/{*rest}", Missing(&["/console/nothing-of-the-kind"])),
];

/// How to reach a route.
#[derive(Clone, Copy, Debug)]
enum Come {
    /// Signed in, at these addresses.
    At(&'static [&'static str]),
    /// Not signed in.
    Outside(&'static [&'static str]),
    /// Signed in, with a 422: the address has a fault that the page explains.
    Faulty(&'static [&'static str]),
    /// Signed in, with a 404.
    Missing(&'static [&'static str]),
    /// Not a page; the comment beside it explains what it is.
    NoPage,
}

/// One visit to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    /// The path and query, which must not have changed once the page is loaded.
    pub(super) path: String,
    /// The page with the form it answers, and the script that submits it.
    pub(super) form: Option<(&'static str, String)>,
    /// Whether the visitor is signed in.
    pub(super) is_inside: bool,
    /// The expected status.
    pub(super) status: u64,
}

/// The listed routes.
pub(super) fn listed() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(route, _)| *route)
}

/// The visits for this scene.
pub(super) fn visits(scene: &Scene) -> Vec<Visit> {
    let mut visits = Vec::new();
    for (_, come) in PAGES {
        let (addresses, is_inside, status) = match *come {
            At(addresses) => (addresses, true, 200),
            Outside(addresses) => (addresses, false, 200),
            Faulty(addresses) => (addresses, true, 422),
            Missing(addresses) => (addresses, true, 404),
            NoPage => continue,
        };
        let paths = addresses.iter().filter_map(|address| scene.fill(address));
        visits.extend(paths.map(|path| Visit {
            path,
            form: None,
            is_inside,
            status,
        }));
    }
    let answers = ANSWERS.iter().filter_map(|answer| {
        Some(Visit {
            path: answer.path.to_owned(),
            form: Some((answer.form, scene.fill(answer.script)?)),
            is_inside: answer.is_inside,
            status: answer.status,
        })
    });
    visits.extend(answers);
    visits
}

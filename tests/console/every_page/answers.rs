//! The pages that answer a form.

/// Pages that answer a form: the page with the form, and a script that fills it in and submits it.
pub(super) const ANSWERS: &[Answer] = &[
    Answer {
        form: "/console/keys/new",
        script: "document.querySelector('main form').submit()",
        is_inside: true,
        path: "/console/keys",
        status: 401,
    },
    Answer {
        form: "/console/keys/new",
        script: "const form = document.querySelector('main form'), field = document.createElement('input');
            field.name = 'confirm_password'; form.append(field); form.submit()",
        is_inside: true,
        path: "/console/keys",
        status: 401,
    },
    Answer {
        form: "/console/choose-password",
        script: "document.querySelector('[data-code]').value = '{link}'; document.querySelector('main form').submit()",
        is_inside: false,
        path: "/console/choose-password",
        status: 200,
    },
    Answer {
        form: "/console/choose-password",
        script: "document.querySelector('[data-code]').value = 'used-already'; document.querySelector('main form').submit()",
        is_inside: false,
        path: "/console/choose-password",
        status: 410,
    },
];

/// A page that answers a form.
pub(super) struct Answer {
    pub(super) form: &'static str,
    pub(super) script: &'static str,
    pub(super) is_inside: bool,
    pub(super) path: &'static str,
    pub(super) status: u64,
}

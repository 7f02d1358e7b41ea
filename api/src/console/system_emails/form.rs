//! The editor's form: its fields, validation errors and page.

use super::super::fields::Fields;
use super::super::frame::{Frame, Section};
use super::super::respond::{Flash, page_as};
use super::super::session::Administrator;
use super::super::sign_in::is_inside;
use super::languages::{self, LanguageLine};
use super::{FieldLine, Letter, Saved, rule};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::{current, custom_fields, normalised};
use askama::Template as Page;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::system_emails::Version;
use shared::system_email::{CustomFields, Field, Part, SystemEmailKind, Template, TemplateFault, Texts};
use uuid::Uuid;

/// Errors that concern the whole subject or body, not a position in it.
const PLACELESS: [&str; 6] = [
    "subject_missing",
    "subject_too_long",
    "subject_several_lines",
    "body_missing",
    "body_too_long",
    "password_missing",
];

#[derive(Page)]
#[template(path = "console/system_email.html")]
struct EditorPage {
    frame: Frame,
    letter: Letter,
    saved: Saved,
    typed: EditorState,
    languages: Vec<LanguageLine>,
    /// Name of the language in the editor.
    language: String,
    /// The default text beside a translation.
    default: Option<Template>,
    /// For a translation that is older than the default text: the version that it translates.
    older: Option<i32>,
    /// Whether the translation is saved, so that it can be removed.
    is_removable: bool,
    fields: Vec<FieldLine>,
    rule: &'static str,
    faults: Faults,
    /// Whether the text in the fields differs from the saved text.
    is_unsaved: bool,
    /// Whether the saved text differs from the original.
    is_changed: bool,
    /// Idempotency key for sending a test.
    token: Uuid,
}

/// State of the editor. Every page between two editor pages carries all of it.
#[derive(Clone, Debug, Default)]
pub(super) struct EditorState {
    pub(super) subject: String,
    pub(super) body: String,
    /// The language of the translation in the editor; empty for the default text.
    pub(super) translation: String,
    /// The language of the default text, as typed; may be empty.
    pub(super) language: String,
    /// The version the editing started from.
    pub(super) based_on: i32,
    /// Address to return to, if any.
    pub(super) way_back: Option<String>,
    /// Address for a test.
    pub(super) to: String,
    /// Email address of the user whose values the preview shows.
    pub(super) person: String,
}

impl EditorState {
    /// Reads a submitted form.
    pub(super) fn read(fields: &Fields) -> Self {
        let Template { subject, body } = normalised(fields.text("subject"), fields.text("body"));
        Self {
            subject,
            body,
            translation: fields.trimmed("translation").to_owned(),
            language: fields.trimmed("language").to_owned(),
            based_on: fields.text("based_on").parse().unwrap_or_default(),
            way_back: inside(fields.text("return")),
            to: fields.trimmed("to").to_owned(),
            person: fields.trimmed("person").to_owned(),
        }
    }

    /// The text as it would be saved.
    pub(super) fn draft(&self) -> Template {
        Template {
            subject: self.subject.clone(),
            body: self.body.clone(),
        }
    }

    /// The language of the text.
    pub(super) fn text_language(&self) -> &str {
        if self.translation.is_empty() {
            &self.language
        } else {
            &self.translation
        }
    }

    /// The text in this version that the editor changes. For a new translation, that is the default text.
    pub(super) fn saved(&self, version: &Version) -> Template {
        let texts = version.texts();
        let translation = texts.translation(&self.translation);
        translation.map_or(&texts.default, |known| &known.text).clone()
    }

    /// Whether the text is saved in this version.
    pub(super) fn is_saved(&self, version: &Version) -> bool {
        let is_known = self.translation.is_empty() || version.texts().translation(&self.translation).is_some();
        let is_same_language = !self.translation.is_empty() || self.language == version.language;
        is_known && is_same_language && self.saved(version) == self.draft()
    }

    /// The texts of the version after this one.
    pub(super) fn applied(&self, version: &Version) -> Texts {
        let mut texts = version.texts();
        if self.translation.is_empty() {
            texts.set_default(&self.language, self.draft(), version.version);
        } else {
            texts.translate(&self.translation, self.draft());
        }
        texts
    }
}

/// Validation errors by field.
#[derive(Debug, Default)]
pub(in crate::console) struct Faults {
    pub(in crate::console) subject: Vec<FaultLine>,
    pub(in crate::console) body: Vec<FaultLine>,
    language: Option<String>,
    to: Option<String>,
}

impl Faults {
    /// Errors in the subject and the body.
    pub(in crate::console) fn of_text(faults: Vec<TemplateFault>) -> Self {
        let (subject, body): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| fault.part == Part::Subject);
        Self {
            subject: subject.into_iter().map(FaultLine::from).collect(),
            body: body.into_iter().map(FaultLine::from).collect(),
            ..Self::default()
        }
    }

    /// An error in the language of the default text.
    pub(super) fn of_language(fault: String) -> Self {
        Self {
            language: Some(fault),
            ..Self::default()
        }
    }

    /// An error in the address for a test.
    pub(super) fn of_address(fault: String) -> Self {
        Self {
            to: Some(fault),
            ..Self::default()
        }
    }

    /// The errors in the text, in order.
    pub(super) fn lines(self) -> Vec<FaultLine> {
        self.subject.into_iter().chain(self.body).collect()
    }

    pub(in crate::console) fn is_empty(&self) -> bool {
        self.subject.is_empty() && self.body.is_empty() && self.language.is_none() && self.to.is_none()
    }
}

/// An error in the text.
#[derive(Debug)]
pub(in crate::console) struct FaultLine {
    /// Position, to which the script moves the cursor.
    pub(in crate::console) line: usize,
    pub(in crate::console) column: usize,
    /// What to do, and where.
    pub(in crate::console) message: String,
}

impl From<TemplateFault> for FaultLine {
    fn from(fault: TemplateFault) -> Self {
        let TemplateFault { line, column, .. } = fault;
        let message = match fault.part {
            _ if PLACELESS.contains(&fault.code) => fault.message,
            Part::Subject => format!("Subject, column {column}: {}", fault.message),
            Part::Body => format!("Line {line}, column {column}: {}", fault.message),
        };
        Self { line, column, message }
    }
}

/// The address, if it is inside the console.
pub(super) fn inside(to: &str) -> Option<String> {
    is_inside(to).then(|| to.to_owned())
}

/// The editor page with the typed text, errors and a flash message.
pub(super) struct Answer {
    typed: EditorState,
    faults: Faults,
    flash: Option<Flash>,
}

impl Answer {
    /// Without errors or message.
    pub(super) fn plain(typed: EditorState) -> Self {
        Self {
            typed,
            faults: Faults::default(),
            flash: None,
        }
    }

    /// Adds errors.
    pub(super) fn with(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Adds a note that explains why nothing was done.
    pub(super) fn with_note(self, text: impl Into<String>) -> Self {
        self.flashing(false, text.into())
    }

    /// Adds a message that reports what was done.
    pub(super) fn with_flash(self, text: impl Into<String>) -> Self {
        self.flashing(true, text.into())
    }

    fn flashing(mut self, is_done: bool, text: String) -> Self {
        self.flash = Some(Flash { is_done, text });
        self
    }

    /// Renders the page.
    pub(super) async fn page(
        self,
        api: &AppState,
        administrator: &Administrator,
        kind: SystemEmailKind,
    ) -> Result<Response, Problem> {
        let (now, custom) = (current(api, kind).await?, custom_fields(api).await?);
        let mut title = format!("Edit {}", kind.name());
        if !self.typed.translation.is_empty() {
            title = format!("{title} ({})", self.typed.translation);
        }
        let mut frame = administrator.frame(api, Section::Manage, title).await;
        frame.flash = self.flash.or(frame.flash);
        let status = if self.faults.is_empty() {
            StatusCode::OK
        } else {
            frame = frame.with_faults();
            StatusCode::UNPROCESSABLE_ENTITY
        };
        let mut typed = self.typed;
        if typed.to.is_empty() && self.faults.to.is_none() {
            typed.to.clone_from(&administrator.email);
        }
        let offered = Field::offered(kind, CustomFields::Known(&custom));
        let texts = now.texts();
        let saved = texts.translation(&typed.translation);
        let languages = languages::lines(&texts, &typed.translation);
        let shown = languages.iter().find(|line| line.is_shown);
        page_as(
            status,
            &EditorPage {
                frame,
                letter: kind.into(),
                fields: offered.iter().map(FieldLine::from).collect(),
                rule: rule(kind),
                faults: self.faults,
                is_unsaved: !typed.is_saved(&now),
                language: shown.map(|line| line.name.clone()).unwrap_or_default(),
                languages,
                default: (!typed.translation.is_empty()).then(|| texts.default.clone()),
                older: saved.and_then(|saved| saved.older_than_default),
                is_removable: saved.is_some(),
                is_changed: texts.default != Template::shipped(kind),
                saved: Saved::from(&now),
                typed,
                token: Uuid::new_v4(),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(kind: SystemEmailKind, subject: &str, body: &str) -> Vec<String> {
        let draft = normalised(subject, body);
        let faults = draft.compile(kind, CustomFields::Any).unwrap_err();
        let Faults { subject, body, .. } = Faults::of_text(faults);
        subject.into_iter().chain(body).map(|fault| fault.message).collect()
    }

    #[test]
    fn a_fault_says_where_it_is_unless_it_is_everywhere() {
        assert_eq!(
            messages(SystemEmailKind::Invite, "", "Hello,\n\n  {{ password }}"),
            [
                "Subject: enter a subject",
                "Line 3, column 3: The invite email must not contain {{ password }}"
            ]
        );
        assert_eq!(
            messages(SystemEmailKind::PasswordReset, "Hi {{ password }}", "Hello"),
            [
                "Subject, column 4: The subject must not contain {{ password }}: others can see it",
                "The Reset Password email must contain {{ password }}"
            ]
        );
    }

    #[test]
    fn a_form_brings_the_text_as_it_is_saved() {
        let fields = Fields::read(
            b"subject=+Hi+&body=a%0D%0Ab%0D%0A&translation=de&based_on=3&return=%2Fconsole%2Fselections%2F1",
        )
        .unwrap();
        let typed = EditorState::read(&fields);

        assert_eq!((typed.subject.as_str(), typed.body.as_str()), ("Hi", "a\nb\n"));
        assert_eq!(
            (typed.based_on, typed.way_back.as_deref()),
            (3, Some("/console/selections/1"))
        );
        assert_eq!(typed.translation, "de");
        let strange = Fields::read(b"based_on=x&return=https%3A%2F%2Fevil.example").unwrap();
        assert_eq!(
            (
                EditorState::read(&strange).based_on,
                EditorState::read(&strange).way_back
            ),
            (0, None)
        );
    }
}

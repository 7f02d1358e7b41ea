use std::collections::BTreeSet;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::*;

mod checking;
mod writing;

fn custom() -> BTreeSet<String> {
    ["Cost Centre", "site"].map(str::to_owned).into()
}

fn compile(kind: SystemEmailKind, subject: &str, body: &str) -> Result<Compiled, Vec<TemplateFault>> {
    let template = Template {
        subject: subject.to_owned(),
        body: body.to_owned(),
    };
    template.compile(kind, CustomFields::Known(&custom()))
}

fn invite(body: &str) -> Compiled {
    compile(SystemEmailKind::Invite, "Hello", body).unwrap()
}

/// The faults of an invite with this body, each as `line:column code`.
fn faults_of(body: &str) -> Vec<String> {
    let faults = compile(SystemEmailKind::Invite, "Hello", body)
        .err()
        .unwrap_or_default();
    faults
        .iter()
        .map(|f| format!("{}:{} {}", f.line, f.column, f.code))
        .collect()
}

fn values(fields: &Map<String, Value>) -> LetterValues<'_> {
    LetterValues {
        first_name: "Ada",
        last_name: "",
        email: "ada@example.org",
        language: "",
        fields,
        organisation: "Northfield",
        sign_in_url: "https://northfield.example/sign-in?a=1&b=2",
        password: None,
        password_expires: None,
    }
}

/// The content of an email for one user, without its shell.
struct Filled {
    subject: String,
    html_body: Zeroizing<String>,
    text_body: Zeroizing<String>,
    preheader: String,
    missing: Vec<String>,
}

fn fill_with(compiled: &Compiled, first_name: &str) -> Filled {
    let fields = Map::from_iter([("cost_centre".to_owned(), Value::from(first_name))]);
    let values = LetterValues {
        first_name,
        ..values(&fields)
    };
    let content = compiled.content();
    let resolved = content.resolve(&values);
    Filled {
        subject: content.fill(&content.subject, &resolved, Marking::Plain).to_string(),
        html_body: content.fill(&content.html, &resolved, Marking::Plain),
        text_body: content.fill(&content.text, &resolved, Marking::Plain),
        preheader: content.preheader(&resolved),
        missing: content.missing(&values),
    }
}

fn text_of(body: &str) -> String {
    fill_with(&invite(body), "Ada").text_body.to_string()
}

fn html_of(body: &str) -> String {
    fill_with(&invite(body), "Ada").html_body.to_string()
}

use std::collections::{BTreeMap, BTreeSet};

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

fn values(fields: &BTreeMap<String, String>) -> LetterValues<'_> {
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

fn fill_with(compiled: &Compiled, first_name: &str) -> Filled {
    let fields = BTreeMap::from([("cost_centre".to_owned(), first_name.to_owned())]);
    compiled.fill(
        &LetterValues {
            first_name,
            ..values(&fields)
        },
        Marking::Plain,
    )
}

fn text_of(body: &str) -> String {
    fill_with(&invite(body), "Ada").text_body.to_string()
}

fn html_of(body: &str) -> String {
    fill_with(&invite(body), "Ada").html_body.to_string()
}

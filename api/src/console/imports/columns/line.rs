//! The columns of a file as rows of the mapping form.

use import::{Mapping, Preview, letter, read_columns, split_name};
use shared::address::EmailAddress;
use std::collections::HashSet;

/// Built-in fields and their labels.
const KNOWN: [(&str, &str); 5] = [
    ("email", "Email address"),
    ("first_name", "First name"),
    ("last_name", "Last name"),
    ("full_name", "Full name (split into first and last name)"),
    ("language", "Language"),
];

/// The field that a column fills; `None` if the column is not imported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Target(pub(super) Option<String>);

impl Target {
    /// Reads the value of a form field.
    pub(super) fn read(value: &str) -> Self {
        Self((!value.is_empty()).then(|| value.to_owned()))
    }

    fn is(&self, field: &str) -> bool {
        self.0.as_deref() == Some(field)
    }
}

/// A column of the file.
pub(super) struct ColumnLine {
    /// Its letter in a spreadsheet.
    pub(super) letter: String,
    /// Its header; empty if it has none.
    pub(super) name: String,
    /// Its first values.
    pub(super) samples: Vec<String>,
    /// Its first values split into first and last name, if it is mapped to the full name.
    pub(super) split: Vec<(String, String)>,
    /// Tone and label of its status.
    pub(super) status: (&'static str, &'static str),
    /// Fields to choose from.
    pub(super) groups: Vec<ChoiceGroup>,
}

/// A group of fields in the list of choices.
pub(super) struct ChoiceGroup {
    /// Label of the group.
    pub(super) label: &'static str,
    /// Value, label, and whether it is selected.
    pub(super) choices: Vec<(String, String, bool)>,
}

/// Suggests a field for each column: the one chosen before, or the one that its name suggests. If several columns
/// would fill the same field, the first column with values gets it.
pub(super) fn suggested(preview: &Preview, mapping: Option<&Mapping>) -> Vec<Target> {
    let mut targets: Vec<Target> = read_columns(&preview.header, mapping)
        .into_iter()
        .map(|column| Target(column.field))
        .collect();
    if !targets.iter().any(|target| target.is("email")) {
        let mut holders = preview
            .samples
            .iter()
            .enumerate()
            .filter(|(_, values)| are_addresses(values));
        if let (Some((place, _)), None) = (holders.next(), holders.next())
            && let Some(target) = targets.get_mut(place)
        {
            *target = Target(Some("email".to_owned()));
        }
    }
    let mut filled = HashSet::new();
    let is_blank = |place: &usize| preview.samples.get(*place).is_none_or(Vec::is_empty);
    let (mut order, mut blank): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for place in 0..targets.len() {
        if is_blank(&place) {
            blank.push(place);
        } else {
            order.push(place);
        }
    }
    order.append(&mut blank);
    for place in order {
        let Some(target) = targets.get_mut(place) else { continue };
        if target.0.clone().is_some_and(|field| !filled.insert(field)) {
            *target = Target(None);
        }
    }
    targets
}

/// Whether these look like email addresses, even if some are mistyped.
fn are_addresses(values: &[String]) -> bool {
    values.iter().any(|value| EmailAddress::parse(value).is_ok()) && values.iter().all(|value| value.contains('@'))
}

/// Validates the mapping. Each error comes with the index of its column.
pub(super) fn faults(targets: &[Target]) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    if !targets.iter().any(|target| target.is("email")) {
        faults.push((0, "Choose the column with the email addresses".to_owned()));
    }
    for (place, target) in targets.iter().enumerate() {
        let Some(field) = &target.0 else { continue };
        let earlier = targets.iter().take(place).position(|other| other == target);
        if let Some(first) = earlier {
            let (first, second) = (letter(first), letter(place));
            let what = label(field);
            let fault = format!("Columns {first} and {second} are both imported as ‘{what}’ – choose one of them");
            faults.push((place, fault));
        }
    }
    let whole = targets.iter().position(|target| target.is("full_name"));
    let part = targets
        .iter()
        .position(|target| target.is("first_name") || target.is("last_name"));
    if let (Some(whole), Some(part)) = (whole, part) {
        let (whole_letter, part_letter) = (letter(whole), letter(part));
        let fault = format!(
            "Columns {whole_letter} and {part_letter} would both fill the name – import either the full name, or first and last name"
        );
        faults.push((whole, fault));
    }
    faults
}

/// Label of a field.
fn label(field: &str) -> &str {
    match KNOWN.iter().find(|(value, _)| *value == field) {
        Some(("full_name", _)) => "Full name",
        Some((_, label)) => label,
        None => field,
    }
}

/// The rows of the form. `fields` are the existing merge fields.
pub(super) fn lines(preview: &Preview, targets: &[Target], fields: &[String]) -> Vec<ColumnLine> {
    let own = own_names(&preview.header);
    let columns = preview
        .header
        .iter()
        .zip(&preview.samples)
        .zip(targets.iter().zip(&own));
    columns
        .enumerate()
        .map(|(place, ((name, samples), (target, own)))| ColumnLine {
            letter: letter(place),
            name: name.clone(),
            samples: samples.clone(),
            split: if target.is("full_name") {
                samples.iter().map(|value| split_name(value)).collect()
            } else {
                Vec::new()
            },
            status: status(target, fields),
            groups: groups(target, own, fields),
        })
        .collect()
}

/// The name that each column would have as a new field.
fn own_names(header: &[String]) -> Vec<String> {
    let own = |(place, name): (usize, &String)| {
        let column = format!("column {}", letter(place));
        let names = if name.is_empty() {
            vec![column]
        } else {
            vec![name.clone(), format!("field {name}"), column]
        };
        let mut usable = names.iter().filter_map(|name| import::single::field_name(name).ok());
        usable.next().unwrap_or_default()
    };
    header.iter().enumerate().map(own).collect()
}

fn status(target: &Target, fields: &[String]) -> (&'static str, &'static str) {
    match &target.0 {
        None => ("grey", "Not imported"),
        Some(field) if KNOWN.iter().any(|(known, _)| known == field) => ("green", "Recognised"),
        Some(field) if fields.contains(field) => ("green", "Existing field"),
        Some(_) => ("amber", "New field"),
    }
}

fn groups(target: &Target, own: &str, fields: &[String]) -> Vec<ChoiceGroup> {
    let option = |value: &str, label: &str| (value.to_owned(), label.to_owned(), target.is(value));
    let known = KNOWN.iter().map(|(value, label)| option(value, label)).collect();
    let mut groups = vec![ChoiceGroup {
        label: "Standard fields",
        choices: known,
    }];
    let existing: Vec<_> = fields.iter().map(|field| option(field, field)).collect();
    if !existing.is_empty() {
        groups.push(ChoiceGroup {
            label: "Existing fields",
            choices: existing,
        });
    }
    // A name chosen before remains an option.
    let chosen = target.0.as_deref().unwrap_or(own);
    let new: Vec<_> = [own, chosen]
        .into_iter()
        .filter(|name| !name.is_empty() && !fields.iter().any(|field| field == name))
        .filter(|name| !KNOWN.iter().any(|(known, _)| known == name))
        .collect();
    let mut new: Vec<_> = new.into_iter().map(|name| option(name, name)).collect();
    new.dedup();
    if !new.is_empty() {
        groups.push(ChoiceGroup {
            label: "New field",
            choices: new,
        });
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(columns: &[(&str, &[&str])]) -> Preview {
        let texts = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        Preview {
            header: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            header_row: 1,
            header_choices: Vec::new(),
            samples: columns.iter().map(|(_, values)| texts(values)).collect(),
        }
    }

    fn fields(targets: &[Target]) -> Vec<&str> {
        targets
            .iter()
            .map(|target| target.0.as_deref().unwrap_or("-"))
            .collect()
    }

    #[test]
    fn what_names_do_not_say_is_suggested_from_the_values() {
        let unnamed = preview(&[
            ("Kontakt privat", &["ana@example.org", "bo@example"]),
            ("Team", &["Blue"]),
        ]);
        let twice = preview(&[
            ("Email", &[]),
            ("E-Mail", &["ana@example.org"]),
            ("Full name", &["Ana Ruiz"]),
        ]);

        assert_eq!(fields(&suggested(&unnamed, None)), ["email", "team"]);
        assert_eq!(fields(&suggested(&twice, None)), ["-", "email", "full_name"]);
        assert_eq!(faults(&suggested(&twice, None)), []);
    }

    #[test]
    fn two_columns_for_one_field_and_none_for_the_addresses_are_faults() {
        let targets = ["first_name", "room", "room", "full_name"].map(Target::read);

        let faults: Vec<String> = faults(&targets).into_iter().map(|(_, fault)| fault).collect();

        assert_eq!(
            faults,
            [
                "Choose the column with the email addresses",
                "Columns B and C are both imported as ‘room’ – choose one of them",
                "Columns D and A would both fill the name – import either the full name, or first and last name",
            ]
        );
    }

    #[test]
    fn a_column_that_no_field_can_be_named_after_has_a_name_to_choose() {
        let preview = preview(&[("Email", &["a@b.co"]), ("2sv Enrolled", &["TRUE"]), ("", &["x"])]);

        let lines = lines(&preview, &suggested(&preview, None), &["room".to_owned()]);

        let new = |line: &ColumnLine| {
            line.groups
                .last()
                .map(|group| (group.label, group.choices[0].0.clone()))
        };
        assert_eq!(new(&lines[1]), Some(("New field", "field_2sv_enrolled".to_owned())));
        assert_eq!(new(&lines[2]), Some(("New field", "column_c".to_owned())));
        assert_eq!(lines[1].status.1, "Not imported");
    }
}

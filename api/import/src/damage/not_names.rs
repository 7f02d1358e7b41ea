//! Values of another kind in a column of names: logical values, dates, addresses, directory entries and placeholders.

use shared::address::EmailAddress;

use super::{Damage, dates};
use crate::header::{Known, known_columns, normalised};

/// Logical values as spreadsheets write them. Those that are also family names (VERO, SAND, TOSI) are missing.
const LOGICAL: [&str; 15] = [
    "TRUE",
    "FALSE",
    "WAHR",
    "FALSCH",
    "VRAI",
    "FAUX",
    "VERDADERO",
    "VERDADEIRO",
    "FALSO",
    "WAAR",
    "ONWAAR",
    "PRAWDA",
    "FAŁSZ",
    "ИСТИНА",
    "ЛОЖЬ",
];

/// Marks around the placeholders of templates. Nothing else is between such marks.
const TEMPLATE_MARKS: [(&str, &str); 6] = [
    ("{{", "}}"),
    ("*|", "|*"),
    ("${", "}"),
    ("#{", "}"),
    ("<%", "%>"),
    ("%%", "%%"),
];

/// Marks around the placeholders of letters, between which names may be as well.
const LETTER_MARKS: [(&str, &str); 5] = [("[", "]"), ("<", ">"), ("«", "»"), ("{", "}"), ("<<", ">>")];

/// Namespaces and types at the start of the name of a .NET type, behind "System.".
const SYSTEM_TYPES: [&str; 22] = [
    "Object",
    "String",
    "Char",
    "Boolean",
    "Byte",
    "Int16",
    "Int32",
    "Int64",
    "Double",
    "Decimal",
    "Guid",
    "DateTime",
    "DateTimeOffset",
    "TimeSpan",
    "DBNull",
    "Collections",
    "Data",
    "Management",
    "DirectoryServices",
    "Security",
    "Xml",
    "Globalization",
];

/// Finds a value that is no name.
pub(super) fn find(text: &str) -> Option<Damage> {
    if let Some(damage) = type_name(text) {
        return Some(damage);
    }
    if is_template(text) {
        return Some(Damage::new(
            "placeholder",
            "Is a placeholder that a program did not fill in – leave the cell empty if there is no name",
        ));
    }
    if LOGICAL.contains(&text) {
        return Some(Damage::new("not_a_name", "Is a logical value, not a name"));
    }
    if dates::is_date(text) {
        return Some(Damage::new("not_a_name", "Is a date, not a name"));
    }
    if text.contains('@') && EmailAddress::parse(text).is_ok() {
        return Some(Damage::new("not_a_name", "Is an email address, not a name"));
    }
    directory_entry(text)
}

/// Finds what programs for .NET write in place of a value that they cannot show: `System.Object[]`.
pub(super) fn type_name(text: &str) -> Option<Damage> {
    let is_type = match text.split_once('.') {
        Some(("System", behind)) => {
            let end = behind
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(behind.len());
            let (first, rest) = behind.split_at(end);
            let fits = |c: char| c.is_ascii_alphanumeric() || "._`[],=+ ".contains(c);
            SYSTEM_TYPES.contains(&first) && !rest.starts_with(' ') && rest.chars().all(fits)
        }
        // "Microsoft.com" and "Microsoft.Teams" are ordinary values.
        Some(("Microsoft", behind)) => {
            let is_part = |part: &str| {
                let rest = part.trim_start_matches(|c: char| c.is_ascii_uppercase());
                rest.len() < part.len() && rest.chars().all(|c| c.is_ascii_alphanumeric() || "`[]".contains(c))
            };
            behind.contains('.') && behind.split('.').all(is_part)
        }
        _ => false,
    };
    is_type.then(|| Damage::new("placeholder", "Is the name of a data type – export the value itself"))
}

/// Whether this is a placeholder of a template: `{{first_name}}`, `*|FNAME|*`, `%FIRSTNAME%`, `[First Name]`.
fn is_template(text: &str) -> bool {
    let between = |(open, close): &(&str, &str)| {
        // Elsewhere it is text about a placeholder.
        if !text.starts_with(open) && !text.ends_with(close) {
            return None;
        }
        let inside = text.split_once(open)?.1.split_once(close)?.0.trim();
        inside.chars().any(char::is_alphabetic).then_some(inside)
    };
    if TEMPLATE_MARKS.iter().any(|marks| between(marks).is_some()) {
        return true;
    }
    let inside = |(open, close): &(&str, &str)| text.strip_prefix(*open)?.strip_suffix(*close);
    let is_variable = |name: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(fits)
    };
    inside(&("%", "%")).is_some_and(is_variable) || LETTER_MARKS.iter().filter_map(inside).any(is_name_of_names)
}

/// Whether a column of names may be called like this.
fn is_name_of_names(text: &str) -> bool {
    let known = known_columns(&[text.to_owned()]).pop().flatten();
    matches!(known, Some(Known::FirstName | Known::LastName | Known::FullName))
        || matches!(normalised(text).as_str(), "name" | "fname" | "lname")
}

/// Finds an entry of a directory (RFC 4514): `CN=Ada Lovelace,OU=Staff,DC=example,DC=org`.
fn directory_entry(text: &str) -> Option<Damage> {
    let (kind, _) = text.split_once('=')?;
    let is_entry = match kind.trim().to_ascii_lowercase().as_str() {
        "cn" => true,
        "uid" | "ou" | "dc" | "o" => text.matches('=').count() > 1 && text.contains(','),
        _ => false,
    };
    if !is_entry {
        return None;
    }
    let damage = Damage::new("not_a_name", "Is an entry of a directory, not a name");
    let parts = directory_parts(text);
    let name = parts.iter().find_map(|part| {
        let (kind, value) = part.split_once('=')?;
        kind.trim().eq_ignore_ascii_case("cn").then(|| value.trim())
    });
    Some(match name.filter(|name| !name.is_empty()) {
        Some(name) => damage.meaning(name),
        None => damage,
    })
}

/// Splits an entry at its commas and resolves the escapes: `\,` is a comma in a value, `\C3\B6` is a letter.
fn directory_parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b',' => parts.push(std::mem::take(&mut part)),
            b'\\' => {
                let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                if let Some(code) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    part.push(code);
                    rest = behind.get(2..).unwrap_or_default();
                } else if let Some((&escaped, behind)) = behind.split_first() {
                    part.push(escaped);
                    rest = behind;
                }
            }
            byte => part.push(byte),
        }
    }
    parts.push(part);
    parts
        .into_iter()
        .filter_map(|part| String::from_utf8(part).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<&'static str> {
        find(text).map(|damage| damage.code)
    }

    #[test]
    fn values_of_another_kind_are_no_names() {
        for text in ["TRUE", "FALSE", "WAHR", "FALSCH", "VRAI", "FAUX", "ЛОЖЬ"] {
            assert_eq!(code(text), Some("not_a_name"), "{text}");
        }
        for text in [
            "2026-01-02",
            "02.01.2026",
            "1/2/2026",
            "2026-01-02 00:00:00",
            "ada@example.museum",
        ] {
            assert_eq!(code(text), Some("not_a_name"), "{text}");
        }
        for text in [
            "True",
            "Faux",
            "Wahr",
            "Vero",
            "VERO",
            "SAND",
            "TOSI",
            "SANT",
            "Falscher",
            "TRUEMAN",
            "April",
            "Ada 2",
            "@ada",
            "Ada @ Home",
            "III",
            "Jean-Paul",
            "1st",
            "II/3",
        ] {
            assert_eq!(code(text), None, "{text}");
        }
    }

    #[test]
    fn placeholders_of_templates_are_detected() {
        for text in [
            "{{first_name}}",
            "{{ user.firstName }} {{ user.lastName }}",
            "*|FNAME|*",
            "%FIRSTNAME%",
            "%%First Name%%",
            "${firstName}",
            "<%= first_name %>",
            "[First Name]",
            "<first name>",
            "<<LastName>>",
            "«Vorname»",
            "{first_name}",
            "[Name]",
        ] {
            assert_eq!(code(text), Some("placeholder"), "{text}");
        }
        for text in [
            "[Ada]",
            "«Émile»",
            "<b>{{ password }}</b>",
            "<Ada>",
            "{Ada}",
            "Ann [Annie] Lee",
            "Ada (first name)",
            "100%",
            "%",
            "%%",
            "{{}}",
            "[]",
            "50 % Ada 50 %",
            "First",
            "Ada *",
            "$Ada",
            "Name",
        ] {
            assert_eq!(code(text), None, "{text}");
        }
    }

    #[test]
    fn entries_of_a_directory_are_detected_with_their_name() {
        for (text, name) in [
            ("CN=Ada Lovelace,OU=Staff,DC=example,DC=org", Some("Ada Lovelace")),
            (r"CN=Lovelace\, Ada,OU=Staff", Some("Lovelace, Ada")),
            (r"cn=J\C3\B6rg,ou=Staff", Some("Jörg")),
            ("uid=ada,ou=people,dc=example,dc=org", None),
            ("OU=Staff, CN=Ada", Some("Ada")),
            ("CN=", None),
            (r"CN=Ada\", Some("Ada")),
        ] {
            let damage = find(text).unwrap();
            assert_eq!(
                (damage.code, damage.suggestion.as_deref()),
                ("not_a_name", name),
                "{text}"
            );
        }
        for text in ["Cn Tower", "CN", "O=Ada", "アン=マリー", "Anne=Marie, Ada", "O'Neill"] {
            assert_eq!(code(text), None, "{text}");
        }
    }

    #[test]
    fn names_of_data_types_are_detected() {
        for text in [
            "System.Object[]",
            "System.String",
            "System.Collections.Generic.List`1[System.String]",
            "System.DirectoryServices.ResultPropertyValueCollection",
            "Microsoft.ActiveDirectory.Management.ADPropertyValueCollection",
            "Microsoft.Graph.PowerShell.Models.MicrosoftGraphUser",
        ] {
            assert_eq!(type_name(text).map(|damage| damage.code), Some("placeholder"), "{text}");
        }
        for text in [
            "System",
            "System.",
            "System. String",
            "System.Data is down",
            "System.Administrator",
            "Microsoft",
            "Microsoft.com",
            "Microsoft.Teams",
            "Microsoft.Com.",
            "www.Microsoft.Com.Au",
            "Microsoft 365",
            "St.John",
        ] {
            assert_eq!(type_name(text), None, "{text}");
        }
    }
}

//! Removes what a form adds to the name of a column: "(required)", "* required", "1.".

use std::borrow::Cow;

use super::fold::folded;

/// Words that mark a cell as required or optional, without accents.
const NOTES: [&str; 64] = [
    "required",
    "optional",
    "mandatory",
    "compulsory",
    // German
    "pflichtfeld",
    "pflichtangabe",
    "pflicht",
    "erforderlich",
    "notwendig",
    "optionale",
    "freiwillig",
    // French
    "obligatoire",
    "requis",
    "requise",
    "facultatif",
    "facultative",
    "optionnel",
    "optionnelle",
    // Spanish
    "obligatorio",
    "obligatoria",
    "requerido",
    "requerida",
    "opcional",
    // Italian
    "obbligatorio",
    "obbligatoria",
    "richiesto",
    "richiesta",
    "facoltativo",
    "facoltativa",
    "opzionale",
    // Portuguese
    "obrigatorio",
    "obrigatoria",
    "necessario",
    "facultativo",
    "facultativa",
    // Dutch
    "verplicht",
    "verplichte",
    "vereist",
    "vereiste",
    "optioneel",
    // Polish
    "wymagane",
    "wymagany",
    "wymagana",
    "obowiazkowe",
    "obowiazkowy",
    "obowiazkowa",
    "nieobowiazkowe",
    "niewymagane",
    "opcjonalne",
    "opcjonalny",
    "opcjonalna",
    // Japanese and Chinese
    "必須",
    "必須項目",
    "必須入力",
    "入力必須",
    "要入力",
    "任意",
    "任意項目",
    "任意入力",
    "必填",
    "选填",
    "必填项",
    "選填",
    "필수",
];

/// Words that may stand beside one of [`NOTES`]: "champ obligatoire", "not required", "this field is required".
const BESIDE: [&str; 30] = [
    "field", "this", "is", "not", "input", "feld", "angabe", "nicht", "dieses", "ist", "champ", "ce", "est", "non",
    "campo", "dato", "este", "es", "no", "questo", "e", "nao", "veld", "dit", "niet", "pole", "to", "jest", "nie",
    "입력",
];

/// Brackets: the opening one, the closing ones, and whether everything between them is a note.
///
/// Keyboards for Japanese type full-width brackets, sometimes only one of a pair.
const BRACKETS: [(char, &[char], bool); 5] = [
    ('[', &[']', '］'], true),
    ('［', &[']', '］'], true),
    ('(', &[')', '）'], false),
    ('（', &[')', '）'], false),
    ('【', &['】'], false),
];

/// Characters between a name and a note.
const SEPARATORS: [char; 9] = ['-', '–', '—', ':', '*', '※', '|', ',', '/'];

/// A name without notes for the person who fills in the file: text in square brackets, and "(required)".
///
/// A name that consists only of a note is kept.
pub(crate) fn without_notes(name: &str) -> Cow<'_, str> {
    let is_open = |c: char| BRACKETS.iter().any(|(open, ..)| *open == c);
    let Some(start) = name.find(is_open) else {
        return Cow::Borrowed(name);
    };
    let (before, mut rest) = name.split_at(start);
    let mut kept = before.to_owned();
    while let Some(mark) = rest.chars().next() {
        let Some((is_any, after)) = after_brackets(mark, rest) else {
            kept.push(mark);
            rest = rest.get(mark.len_utf8()..).unwrap_or_default();
            continue;
        };
        rest = after;
        // Entra writes "First name [givenName] Required".
        if is_any && is_note(rest) {
            break;
        }
    }
    if super::normalised(&kept).is_empty() {
        return Cow::Borrowed(name);
    }
    Cow::Owned(kept.trim().to_owned())
}

/// What follows the brackets that `text` starts with, if a note is between them, and whether these brackets can have
/// any text.
fn after_brackets(mark: char, text: &str) -> Option<(bool, &str)> {
    let (_, closing, is_any) = BRACKETS.iter().find(|(open, ..)| *open == mark)?;
    let behind = text.get(mark.len_utf8()..)?;
    let (inside, rest) = behind.split_once(*closing)?;
    (*is_any || is_note(inside)).then_some((*is_any, rest))
}

/// Whether this text only marks a cell as required or optional.
pub(super) fn is_note(text: &str) -> bool {
    let lower = folded(&text.to_lowercase());
    let mut words = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .peekable();
    let mut is_marked = false;
    words.peek().is_some()
        && words.all(|word| {
            let is_mark = NOTES.contains(&word);
            is_marked |= is_mark;
            is_mark || BESIDE.contains(&word)
        })
        && is_marked
}

/// A name without a number before it ("1. Email", "A) Email") and without a note beside it ("Email - required").
///
/// `None` if it has neither. Full-width characters must have been replaced. The result is only good for comparison with
/// known names: "Visa - required" is a question.
pub(super) fn bare_name(name: &str) -> Option<&str> {
    let unnumbered = without_number(name);
    let bare = without_side_note(unnumbered.unwrap_or(name));
    bare.or(unnumbered)
}

fn without_number(name: &str) -> Option<&str> {
    let name = name.trim_start_matches(['(', '#']);
    let digits = name
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(name.len());
    let behind = if name.starts_with(|c: char| c.is_ascii_digit()) && digits <= 4 {
        let (number, rest) = name.split_at(digits);
        let delimited = rest.trim_start().strip_prefix([')', ':', '-', '–', '、']);
        delimited.or_else(|| number.ends_with('.').then_some(rest))
    } else {
        let rest = name.strip_prefix(|c: char| c.is_ascii_alphabetic())?;
        rest.strip_prefix(')').or_else(|| rest.strip_prefix(". "))
    };
    behind
        .map(str::trim_start)
        .filter(|behind| behind.starts_with(char::is_alphabetic))
}

fn without_side_note(name: &str) -> Option<&str> {
    let is_between = |c: char| c.is_whitespace() || SEPARATORS.contains(&c);
    let name = name.trim_matches(is_between);
    let behind = name
        .rsplit_once(SEPARATORS)
        .filter(|(_, note)| is_note(note))
        .map(|(kept, _)| kept);
    let before = || {
        let (note, kept) = name.split_once(SEPARATORS)?;
        is_note(note).then_some(kept)
    };
    behind.or_else(before).map(|kept| kept.trim_matches(is_between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_in_brackets_are_removed_in_every_language() {
        for name in [
            "Name [Required]",
            "Name (required)",
            "Name (Required Field)",
            "Name (not required)",
            "Name（必須）",
            "Name［必須］",
            "Name (必須）",
            "【必須】Name",
            "Name（任意項目）",
            "Name (champ obligatoire)",
            "Name (facultatif)",
            "Name (campo obligatorio)",
            "Name (campo obbligatorio)",
            "Name (campo obrigatório)",
            "Name (não obrigatório)",
            "Name (wymagane)",
            "Name (pole obowiązkowe)",
            "Name (verplicht veld)",
            "Name (Pflichtfeld)",
            "Name (nicht erforderlich)",
            "Name [first] Required",
        ] {
            assert_eq!(without_notes(name), "Name", "{name}");
        }
        for name in [
            "Start date (2026)",
            "Team (spring)",
            "Field (no)",
            "Team (this is it)",
            "Licence（大型）",
            "【新】Team",
            "(required)",
            "Visa - required",
            "Open (",
            "Training required",
        ] {
            assert_eq!(without_notes(name), name, "only a note is removed");
        }
    }

    #[test]
    fn numbers_and_notes_beside_a_name_are_removed() {
        for name in [
            "1. Email",
            "1.Email",
            "01 - Email",
            "2) Email",
            "(3) Email",
            "3: Email",
            "1.2. Email",
            "#4. Email",
            "A) Email",
            "b. Email",
            "Email - required",
            "Email: required",
            "Email * required",
            "Email *Required",
            "Email, optional",
            "required: Email",
            "Required - Email",
            "Obligatoire : Email",
            "必須: Email",
            "※必須※ Email",
            "1. Email - champ obligatoire",
        ] {
            assert_eq!(bare_name(name), Some("Email"), "{name}");
        }
        for name in [
            "Email",
            "E-mail",
            "e.mail",
            "2sv Enrolled",
            "2nd email",
            "2026",
            "1. 2026",
            "required",
            "Email - work",
            "First name / last name",
            "A1 Test",
            "",
        ] {
            assert_eq!(bare_name(name), None, "{name}");
        }
    }
}

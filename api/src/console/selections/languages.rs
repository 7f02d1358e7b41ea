//! Which language the users of a selection get their email in.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::system_emails::current;
use crate::console::format::counted;
use shared::language::name_of;
use shared::store::missing::{self, ChosenUsers};
use shared::store::system_emails::Wording;

/// One line for each text and its users; none for an email that has no translations.
pub(super) async fn lines(
    api: &AppState,
    chosen: ChosenUsers<'_>,
    wording: Option<&Wording>,
) -> Result<Vec<String>, Problem> {
    let texts = current(api, chosen.kind).await?.texts();
    if texts.translations.is_empty() {
        return Ok(Vec::new());
    }
    if wording.is_some() {
        let line = "Everyone gets the wording of this batch, whatever their language";
        return Ok(vec![line.to_owned()]);
    }
    let by_language = texts.by_language();
    let mut lines: Vec<(&str, i64)> = by_language.iter().map(|(language, _)| (language, 0)).collect();
    for (language, people) in missing::languages(&api.db, chosen).await? {
        let (picked, _) = by_language.pick(&language);
        if let Some((_, n)) = lines.iter_mut().find(|(language, _)| *language == picked) {
            *n += people;
        }
    }
    let line = |(n, (language, people)): (usize, &(&str, i64))| {
        let name = match (n, *language) {
            (0, "") => "Default text".to_owned(),
            (0, language) => format!("{}, the default text", name_of(language)),
            (_, language) => name_of(language),
        };
        let older = texts.translation(language).and_then(|known| known.older_than_default);
        let note = if older.is_some() {
            " (older than the default text)"
        } else {
            ""
        };
        format!("{name}: {}{note}", counted(*people))
    };
    Ok(lines.iter().enumerate().map(line).collect())
}

//! Parsing numbers from a page.

use api::app::status_labels::left_out;
use shared::store::left_out::LeftOutReason;
use std::collections::BTreeMap;

/// A page's ledger: each label with its number, in order.
pub(super) struct Ledger(Vec<(String, i64)>);

impl Ledger {
    /// Parses the ledger of a page.
    pub(super) fn of(page: &str) -> Self {
        let lines = page.split("<dt>").skip(1).filter_map(|line| {
            let (word, rest) = line.split_once("</dt>")?;
            let (_, rest) = rest.split_once("<dd")?;
            let (_, rest) = rest.split_once('>')?;
            let (number, _) = rest.split_once("</dd>")?;
            Some((word.to_owned(), first_number(number)?))
        });
        Self(lines.collect())
    }

    /// The number of a label.
    pub(super) fn get(&self, word: &str) -> Option<i64> {
        let found = self.0.iter().find(|(known, _)| known == word);
        found.map(|(_, number)| *number)
    }

    /// The numbers of users who are left out, by label.
    pub(super) fn left_out(&self) -> BTreeMap<String, i64> {
        let words = LeftOutReason::ALL.map(|reason| left_out(reason.as_str()).to_lowercase());
        let lines = self.0.iter().filter(|(word, _)| words.contains(&word.to_lowercase()));
        lines.map(|(word, number)| (word.to_lowercase(), *number)).collect()
    }
}

/// The first number in a piece of HTML, outside tags.
fn first_number(html: &str) -> Option<i64> {
    let mut text = String::new();
    let mut is_tag = false;
    for sign in html.replace("&#8239;", "").chars() {
        match sign {
            '<' => is_tag = true,
            '>' => is_tag = false,
            sign if !is_tag => text.push(sign),
            _ => {}
        }
    }
    let number: String = text
        .chars()
        .skip_while(|sign| !sign.is_ascii_digit())
        .take_while(|sign| sign.is_ascii_digit() || *sign == ',')
        .filter(char::is_ascii_digit)
        .collect();
    number.parse().ok()
}

/// The number in a legend with these words.
pub(super) fn legend(page: &str, words: &str) -> Option<i64> {
    let legends = page.split("<legend>").skip(1);
    let mut texts = legends.filter_map(|rest| rest.split_once("</legend>").map(|(text, _)| text));
    texts.find(|text| text.contains(words)).and_then(first_number)
}

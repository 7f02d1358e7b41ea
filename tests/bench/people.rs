//! Users as a learning platform imports them: names from many countries, an address derived from the name, a language,
//! and three custom columns.

use std::fmt::Write as _;

const FIRST: [&str; 24] = [
    "Amélie",
    "Bogdan",
    "Chiara",
    "Dilnoza",
    "Emeka",
    "Fatima",
    "Grzegorz",
    "Hannah",
    "Ines",
    "João",
    "Katarzyna",
    "Liam",
    "Mareike",
    "Nguyễn",
    "Olena",
    "Priya",
    "Quentin",
    "Rosalind",
    "Søren",
    "Tomáš",
    "Ulla",
    "Vikram",
    "Wanjiru",
    "Zoë",
];

const LAST: [&str; 26] = [
    "Andersson",
    "Baumgartner",
    "Castellanos",
    "Dvořák",
    "Eriksen",
    "Fontaine",
    "García",
    "Hughes",
    "Ivanova",
    "Jørgensen",
    "Kowalczyk",
    "Lindqvist",
    "Müller",
    "Nakamura",
    "O'Connor",
    "Papadopoulos",
    "Quispe",
    "Rossi",
    "Sánchez",
    "Tran",
    "Uzun",
    "van der Meer",
    "Weber",
    "Yılmaz",
    "Zieliński",
    "Schmidt-Hoffmann",
];

const LANGUAGES: [&str; 5] = ["de", "en-GB", "fr", "pl", "pt-BR"];

const DEPARTMENTS: [&str; 7] = [
    "Customer Service",
    "Finance",
    "Human Resources",
    "Logistics",
    "Plant 2, Line 4",
    "Research & Development",
    "Sales",
];

const COURSES: [&str; 5] = [
    "Working safely at height",
    "Data protection for everyone",
    "Onboarding, week 1",
    "First aid refresher",
    "Leading conversations",
];

/// A CSV file of `count` users who occur in no file with another `tag`.
pub(crate) fn csv(tag: &str, count: usize) -> String {
    let mut file = String::with_capacity(140 * count + 100);
    file.push_str("Email,First name,Last name,Language,Department,Course,Start date\n");
    for n in 0..count {
        let (first, last) = (turn(&FIRST, n), turn(&LAST, n / FIRST.len()));
        // Writing to a String does not fail.
        let _ = writeln!(
            file,
            "{},{first},{last},{},\"{}\",\"{}\",2026-{:02}-{:02}",
            address(tag, n),
            turn(&LANGUAGES, n),
            turn(&DEPARTMENTS, n / 3),
            turn(&COURSES, n / 7),
            n % 12 + 1,
            n % 28 + 1,
        );
    }
    file
}

/// The address of the `n`th user.
pub(crate) fn address(tag: &str, n: usize) -> String {
    let (first, last) = (turn(&FIRST, n), turn(&LAST, n / FIRST.len()));
    format!("{}.{}.{tag}{n}@learners.example", plain(first), plain(last))
}

fn turn(list: &[&'static str], n: usize) -> &'static str {
    list.get(n % list.len().max(1)).copied().unwrap_or_default()
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphabetic);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

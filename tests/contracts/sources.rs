//! Reading this repository's own files.

use std::path::{Path, PathBuf};

/// A file of the repository.
pub(crate) struct Source {
    /// From the top of the repository, with `/`.
    pub(crate) path: String,
    /// The content.
    pub(crate) text: String,
}

impl Source {
    /// The code without comments and with empty string literals.
    pub(crate) fn code(&self) -> String {
        code_of(&self.text)
    }

    /// The names it defines for these kinds of items: `fn`, `struct` and so on.
    pub(crate) fn names_of(&self, sorts: &[&str]) -> Vec<String> {
        let code = self.code();
        let words: Vec<&str> = code.split_whitespace().collect();
        words
            .windows(2)
            .filter(|pair| sorts.contains(&pair[0]))
            .map(|pair| {
                let end = pair[1].find(|c: char| !c.is_alphanumeric() && c != '_');
                pair[1][..end.unwrap_or(pair[1].len())].to_owned()
            })
            .filter(|name| !name.is_empty())
            .collect()
    }
}

/// The top of the repository.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads one file.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(top().join(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// All our files with this ending, in order, except build output and hidden folders.
pub(crate) fn files(ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["api", "worker", "shared", "tests", "deploy"] {
        gather(&top(), folder, ending, &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn gather(top: &Path, folder: &str, ending: &str, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(top.join(folder)).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !name.starts_with('.') && name != "target" {
            gather(top, &path, ending, found);
        } else if kind.is_file() && name.ends_with(ending) {
            // An editor may save a file in two steps; a temporary file that is gone is not ours.
            if let Ok(text) = std::fs::read_to_string(entry.path()) {
                found.push(Source { path, text });
            }
        }
    }
}

/// The lines below `[section]` of a TOML file, as name and the rest, comments included.
pub(crate) fn section(toml: &str, section: &str) -> Vec<(String, String)> {
    let heading = format!("[{section}]");
    toml.lines()
        .skip_while(|line| line.trim() != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
            (line[..end].to_owned(), line[end..].to_owned())
        })
        .collect()
}

/// Rust code without comments and without the contents of string literals.
pub(crate) fn code_of(text: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let passed = if rest.starts_with("//") {
            rest.find('\n')
        } else if rest.starts_with("/*") {
            rest.find("*/").map(|at| at + 2)
        } else if c == 'r' && is_raw(rest) && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            let hashes = rest[1..].find('"').unwrap_or_default();
            let end = format!("\"{}", "#".repeat(hashes));
            rest[hashes + 2..].find(&end).map(|at| hashes + 2 + at + end.len())
        } else if c == '"' {
            end_of_text(&rest[1..]).map(|at| at + 2)
        } else if rest.starts_with("'\"'") {
            Some(3)
        } else if rest.starts_with("'\\") {
            rest[3..].find('\'').map(|at| at + 4)
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[passed.unwrap_or(rest.len())..];
    }
    code
}

/// Whether a raw string begins here: `r"` or `r#"`.
fn is_raw(rest: &str) -> bool {
    rest[1..].trim_start_matches('#').starts_with('"')
}

/// The position of the quotation mark that closes a string.
fn end_of_text(rest: &str) -> Option<usize> {
    let mut escaped = false;
    rest.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

#[test]
fn code_excludes_comments_and_strings() {
    let text = "a // \"b\n c(\"d // \\\" e\", '\"', '\\'', r#\"f \" g\"#); /* h \" */ 'i' && for<'j> k";

    let words: Vec<String> = code_of(text).split_whitespace().map(str::to_owned).collect();

    assert_eq!(words, ["a", "c(", ",", ",", ",", ");", "'i'", "&&", "for<'j>", "k"]);
}

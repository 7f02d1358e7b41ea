//! No files of a crate import each other in a circle, so each can be read and changed without those above it.
//!
//! A file imports the files that define what its `use` items and its paths name, however often that is re-exported on
//! the way. Tests do not count. A module may name its ancestors: nesting is a hierarchy already.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::sources::{Source, files};

/// The source folders of the crates.
const CRATES: [&str; 5] = [
    "api/src/",
    "api/dispatcher/src/",
    "api/import/src/",
    "shared/src/",
    "worker/src/",
];

/// The names of a path: `["crate", "store", "Db"]`.
type Path = Vec<String>;

/// The names of the items that a module names, by the module that defines them.
type References = BTreeMap<Path, BTreeSet<String>>;

/// The modules of a crate, by their path without `crate`.
struct Tree(BTreeMap<Path, Module>);

#[derive(Default)]
struct Module {
    file: String,
    /// What its `use` items bring into scope: the path of each name.
    imports: BTreeMap<String, Path>,
    /// All paths in its code, as written.
    paths: Vec<Path>,
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = files(".rs");

    let circles: Vec<String> = CRATES
        .iter()
        .flat_map(|folder| Tree::read(&sources, folder).circles())
        .collect();

    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// The files of a crate that each of its files names something of, except those of its ancestors.
pub(crate) fn named_files(sources: &[Source], folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let tree = Tree::read(sources, folder);
    let file = |module: &Path| tree.0[module].file.clone();
    let modules = tree.0.keys();
    modules
        .map(|module| (file(module), tree.references(module).keys().map(file).collect()))
        .collect()
}

impl Tree {
    fn read(sources: &[Source], folder: &str) -> Self {
        let mut modules = BTreeMap::<Path, Module>::new();
        for source in sources {
            let file = source.path.strip_prefix(folder).unwrap_or("tests");
            let mut path: Path = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if path.contains(&"tests".to_owned()) {
                continue;
            }
            path.pop_if(|name| ["lib", "main", "mod"].contains(&name.as_str()));
            let module = modules.entry(path).or_default();
            module.file.clone_from(&source.path);
            module.take(&source.code());
        }
        Self(modules)
    }

    /// Describes each circle: its files, and the references between them.
    fn circles(&self) -> Vec<String> {
        let modules = self.0.keys();
        let references: BTreeMap<&Path, References> = modules.map(|module| (module, self.references(module))).collect();
        let reached: BTreeMap<&Path, BTreeSet<&Path>> = references
            .keys()
            .map(|module| (*module, reached_from(module, &references)))
            .collect();
        let mut circles = BTreeSet::<Vec<&Path>>::new();
        for (module, others) in &reached {
            let back = others.iter().filter(|other| reached[**other].contains(module));
            circles.insert(back.copied().collect());
        }
        let circles = circles.iter().filter(|circle| !circle.is_empty());
        circles.map(|circle| self.describe(circle, &references)).collect()
    }

    fn describe(&self, circle: &[&Path], references: &BTreeMap<&Path, References>) -> String {
        let mut text = format!("{} files import each other in a circle:\n", circle.len());
        for from in circle {
            for (to, names) in references[*from].iter().filter(|(to, _)| circle.contains(to)) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let (from, to) = (&self.0[*from].file, &self.0[to].file);
                let _ = writeln!(text, "    {from} names {} of {to}", names.join(", "));
            }
        }
        text
    }

    /// What a module names of modules other than itself and its ancestors.
    fn references(&self, module: &Path) -> References {
        let mut references = References::new();
        let named = self.0[module].paths.iter().filter_map(|path| self.find(module, path));
        for (home, item) in named.filter(|(home, _)| !module.starts_with(home)) {
            references.entry(home).or_default().insert(item);
        }
        references
    }

    /// The module that defines what a path in `module` names, and the name there. `None` for an item of another crate,
    /// and for a module, which is a step to its items.
    fn find(&self, module: &Path, path: &[String]) -> Option<(Path, String)> {
        let (mut home, mut rest) = (module.clone(), path);
        match path.first()?.as_str() {
            "crate" => home.clear(),
            "self" | "super" => {}
            first if self.0.contains_key(&child(module, first)) => {}
            first if self.0[module].imports.contains_key(first) => {}
            _ => return None,
        }
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => drop(home.pop()),
                name if self.0.contains_key(&child(&home, name)) => home.push(name.to_owned()),
                _ => break,
            }
            rest = others;
        }
        let (name, others) = rest.split_first()?;
        match self.0[&home].imports.get(name) {
            // `use csv;` imports the name from a crate.
            Some(import) if import.first() != Some(name) => self.find(&home, &[import, others].concat()),
            _ => Some((home, name.clone())),
        }
    }
}

impl Module {
    /// Reads the code of a file up to its tests.
    fn take(&mut self, code: &str) {
        let mut rest = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        while let Some(at) = rest.find("use ") {
            let (before, tree) = (&rest[..at], &rest[at + "use ".len()..]);
            self.paths.extend(paths(before));
            let is_end = |_: &usize| !before.ends_with(is_in_name);
            let end = tree.find(';').filter(is_end).unwrap_or_default();
            for (name, path) in imports(&tree[..end]) {
                self.paths.push(path.clone());
                self.imports.insert(name, path);
            }
            rest = &tree[end..];
        }
        self.paths.extend(paths(rest));
    }
}

/// The modules that can be reached from one through references.
fn reached_from<'a>(module: &Path, references: &BTreeMap<&'a Path, References>) -> BTreeSet<&'a Path> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![module]);
    while let Some(module) = open.pop() {
        for next in references[module].keys() {
            let (next, _) = references.get_key_value(next).unwrap();
            if reached.insert(*next) {
                open.push(next);
            }
        }
    }
    reached
}

fn child(module: &[String], name: &str) -> Path {
    [module, &[name.to_owned()]].concat()
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths of two names and more in code without `use` items.
fn paths(code: &str) -> impl Iterator<Item = Path> {
    let words = code.split(|c| !is_in_name(c) && c != ':');
    let paths = words.map(|word| names(word.trim_end_matches(':')));
    paths.filter(|path| path.len() > 1 && !path[0].is_empty())
}

fn names(path: &str) -> Path {
    path.split("::").map(|name| name.trim().to_owned()).collect()
}

/// What a `use` item imports: each name and its path.
fn imports(tree: &str) -> Vec<(String, Path)> {
    if tree.trim().is_empty() {
        return Vec::new();
    }
    let Some((prefix, group)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, tree));
        let own = names(alias);
        return vec![(own[own.len() - 1].clone(), names(path))];
    };
    let prefix: Path = names(prefix).into_iter().filter(|name| !name.is_empty()).collect();
    let mut depth = 0;
    let entries = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let inner = entries.flat_map(|entry| imports(entry.trim_end_matches(['}', '\n', ' '])));
    let whole = |(name, path): (String, Path)| match path.as_slice() {
        [own] if own == "self" && name == "self" => (prefix[prefix.len() - 1].clone(), prefix.clone()),
        [own] if own == "self" => (name, prefix.clone()),
        _ => (name, [prefix.as_slice(), &path].concat()),
    };
    inner.map(whole).collect()
}

#[test]
fn a_circle_is_found_through_imports_and_renames() {
    let tree = |files: &[(&str, &str)]| {
        let source = |(file, text): &(&str, &str)| Source {
            path: format!("made-up/src/{file}.rs"),
            text: (*text).to_owned(),
        };
        Tree::read(&files.iter().map(source).collect::<Vec<_>>(), "made-up/src/").circles()
    };
    let root = ("lib", "mod above; mod middle; mod below; pub use below::Item;");
    let above = (
        "above",
        "mod part; use super::{middle as next, Item}; fn run(item: Item) { next::go(item) }",
    );
    let part = ("above/part", "use super::run; fn all() { run(crate::below::make()) }");
    let middle = (
        "middle",
        "pub use crate::below::make;\n#[cfg(test)]\nmod tests { use crate::above::run; }",
    );
    let below = (
        "below",
        "pub struct Item; // crate::above::run\n pub fn make() -> Item { Item }",
    );
    assert_eq!(tree(&[root, above, part, middle, below]), [] as [&str; 0]);

    let below = (
        "below",
        "use crate::{above::{self, part}}; pub struct Item; fn made() { above::run(Item) }",
    );
    let expected = "3 files import each other in a circle:
    made-up/src/above.rs names Item of made-up/src/below.rs
    made-up/src/above.rs names go of made-up/src/middle.rs
    made-up/src/below.rs names run of made-up/src/above.rs
    made-up/src/middle.rs names make of made-up/src/below.rs
";
    assert_eq!(tree(&[root, above, part, middle, below]), [expected]);
}

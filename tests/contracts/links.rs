//! Every link between pages and files of this repository leads to a file that exists.

use std::path::Path;

use crate::sources::{Source, files, read, top};

/// Pages outside the folders that [`files`] reads.
const TOP_PAGES: [&str; 4] = ["CHANGELOG.md", "CONTRIBUTING.md", "README.md", ".github/SECURITY.md"];

/// All pages. The texts of system emails are Markdown too, but their links are not ours.
fn pages() -> Vec<Source> {
    let mut pages = files(".md");
    pages.retain(|page| !page.path.starts_with("shared/system_emails/"));
    pages.extend(TOP_PAGES.map(|path| Source {
        path: path.to_owned(),
        text: read(path),
    }));
    pages
}

/// The targets of the links in a page, without those of other sites and of the page itself. A pattern in a query, such
/// as `[a-z](b|c)`, has neither a dot nor a slash.
fn targets(text: &str) -> Vec<&str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = links.filter_map(|link| link.split('#').next());
    paths
        .filter(|path| path.contains(['.', '/']) && !path.contains("://"))
        .collect()
}

#[test]
fn every_linked_file_exists() {
    let mut found = 0;
    let mut broken = Vec::new();
    for page in pages() {
        let folder = Path::new(&page.path).parent().unwrap_or_else(|| Path::new(""));
        for target in targets(&page.text) {
            found += 1;
            if !top().join(folder).join(target).exists() {
                broken.push(format!("{}: {target}", page.path));
            }
        }
    }

    assert!(broken.is_empty(), "{broken:#?}");
    assert!(found > 150, "only {found} links were found");
}

#[test]
fn links_to_other_sites_and_within_a_page_are_left_out() {
    let text = "[a](b/c.rs), [`d`](e.md#f) and [g](#h), [i](https://example.org/j), `[k](l|m)`";

    assert_eq!(targets(text), ["b/c.rs", "e.md"]);
}

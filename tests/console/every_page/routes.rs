//! The existing pages, read from the sources that serve them.

use std::fs;
use std::path::Path;

/// The GET routes of the console, as the router writes them: `/console/users/{id}`.
pub(super) fn of_the_console() -> Vec<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/src");
    let mut found = in_text(&fs::read_to_string(sources.join("console.rs")).unwrap());
    in_folder(&sources.join("console"), &mut found);
    found.retain(|path| path.starts_with("/console"));
    found.sort();
    found
}

fn in_folder(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            in_folder(&path, found);
        } else {
            found.extend(in_text(&fs::read_to_string(path).unwrap()));
        }
    }
}

/// The first argument of each `.route(…)` whose second one handles GET.
fn in_text(text: &str) -> Vec<String> {
    let calls = text.split(".route(").skip(1).map(argument);
    let answered = calls.filter(|call| call.contains("get("));
    answered
        .filter_map(|call| call.split('"').nth(1).map(str::to_owned))
        .collect()
}

/// The text before the parenthesis that closes this call.
fn argument(call: &str) -> &str {
    let mut open = 1;
    let end = call.find(|c| {
        open += i32::from(c == '(') - i32::from(c == ')');
        open == 0
    });
    end.map_or(call, |end| &call[..end])
}

#[test]
fn routes_are_read_however_they_are_written() {
    let text = r#"
        Router::new()
            .route("/a", get(a::show).post(a::save))
            .route("/b", post(b::save))
            .route(
                "/c/{id}",
                axum::routing::get(c::show),
            )
            .layer(get("/d"))
    "#;

    assert_eq!(in_text(text), ["/a", "/c/{id}"]);
}

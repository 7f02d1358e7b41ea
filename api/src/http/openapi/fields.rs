//! Flattens a schema into lines for the documentation page: each field with its type in words, nested ones below it.

use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, KnownFormat, Object, SchemaFormat, SchemaType};
use utoipa::openapi::{OpenApi, RefOr, Schema, Type};

/// Maximum nesting that is shown; our schemas have three levels.
const MAX_DEPTH: usize = 4;

/// A line: a field of a body, or a parameter.
pub(super) struct Line {
    /// Nesting level, from 0.
    pub(super) depth: usize,
    pub(super) name: String,
    /// Its type in words.
    pub(super) kind: String,
    /// Whether it is required.
    pub(super) is_needed: bool,
    /// Its description.
    pub(super) about: RichText,
}

/// A text with inline code.
pub(super) struct RichText(pub(super) Vec<Span>);

/// A part of a text.
pub(super) struct Span {
    pub(super) text: String,
    /// Whether the part is code.
    pub(super) is_code: bool,
}

impl RichText {
    /// Parses Markdown, of which our descriptions use only backticks.
    pub(super) fn read(markdown: &str) -> Self {
        let spans = markdown.split('`').enumerate().filter(|(_, text)| !text.is_empty());
        Self(
            spans
                .map(|(place, text)| Span {
                    text: text.to_owned(),
                    is_code: place % 2 == 1,
                })
                .collect(),
        )
    }
}

/// The lines of a schema.
pub(super) fn lines(described: &OpenApi, schema: &RefOr<Schema>) -> Vec<Line> {
    let mut lines = Vec::new();
    add_lines(described, schema, 0, &mut lines);
    lines
}

fn add_lines(described: &OpenApi, schema: &RefOr<Schema>, depth: usize, lines: &mut Vec<Line>) {
    match found(described, schema) {
        Some(Schema::Object(object)) if depth < MAX_DEPTH => {
            for (name, inner) in &object.properties {
                lines.push(Line {
                    depth,
                    name: name.clone(),
                    kind: kind(described, inner),
                    is_needed: object.required.contains(name),
                    about: RichText::read(&about(described, inner)),
                });
                add_lines(described, inner, depth + 1, lines);
            }
        }
        Some(Schema::Array(list)) => {
            if let ArrayItems::RefOrSchema(item) = &list.items {
                add_lines(described, item, depth, lines);
            }
        }
        Some(Schema::OneOf(either)) => {
            for item in &either.items {
                add_lines(described, item, depth, lines);
            }
        }
        Some(Schema::AllOf(parts)) => {
            for part in &parts.items {
                add_lines(described, part, depth, lines);
            }
        }
        _ => {}
    }
}

/// Resolves a reference to a schema.
fn found<'d>(described: &'d OpenApi, schema: &'d RefOr<Schema>) -> Option<&'d Schema> {
    match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(name) => {
            let name = name.ref_location.rsplit('/').next().unwrap_or_default();
            found(described, described.components.as_ref()?.schemas.get(name)?)
        }
    }
}

/// The type of a schema in words.
pub(super) fn kind(described: &OpenApi, schema: &RefOr<Schema>) -> String {
    match found(described, schema) {
        Some(Schema::Object(object)) => object_kind(described, object),
        Some(Schema::Array(list)) => match &list.items {
            ArrayItems::RefOrSchema(item) => format!("list of {}", plural(&kind(described, item))),
            ArrayItems::False => "list".to_owned(),
        },
        Some(Schema::OneOf(either)) => {
            let kinds: Vec<String> = either.items.iter().map(|item| kind(described, item)).collect();
            kinds.join(" or ")
        }
        Some(Schema::AllOf(_)) => "object".to_owned(),
        _ => "value".to_owned(),
    }
}

fn object_kind(described: &OpenApi, object: &Object) -> String {
    let types: &[Type] = match &object.schema_type {
        SchemaType::Type(one) => std::slice::from_ref(one),
        SchemaType::Array(several) => several,
        SchemaType::AnyValue => return "value".to_owned(),
    };
    let word = |one: &Type| match one {
        Type::Object => match object.additional_properties.as_deref() {
            Some(AdditionalProperties::RefOr(value)) => format!("object of {}", plural(&kind(described, value))),
            _ => "object".to_owned(),
        },
        Type::String => text_kind(object.format.as_ref()).to_owned(),
        Type::Integer => "whole number".to_owned(),
        Type::Number => "number".to_owned(),
        Type::Boolean => "true or false".to_owned(),
        Type::Array => "list".to_owned(),
        Type::Null => "null".to_owned(),
    };
    types.iter().map(word).collect::<Vec<_>>().join(" or ")
}

fn text_kind(format: Option<&SchemaFormat>) -> &'static str {
    match format {
        Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)) => "id",
        Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)) => "moment",
        Some(SchemaFormat::KnownFormat(KnownFormat::Password)) => "secret text",
        _ => "text",
    }
}

/// "texts", "lists of ids", "texts or null".
fn plural(kind: &str) -> String {
    match kind.split_once(' ') {
        Some((first, rest)) if rest.starts_with("or ") || rest.starts_with("of ") => format!("{first}s {rest}"),
        _ => format!("{kind}s"),
    }
}

fn about(described: &OpenApi, schema: &RefOr<Schema>) -> String {
    let text = match schema {
        // The description beside a reference is about the field, the one in the schema about the type.
        RefOr::Ref(name) if !name.description.is_empty() => Some(name.description.clone()),
        RefOr::T(Schema::OneOf(either)) => either.items.first().map(|item| about(described, item)),
        _ => match found(described, schema) {
            Some(Schema::Object(object)) => object.description.clone(),
            Some(Schema::Array(list)) => list.description.clone(),
            _ => None,
        },
    };
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_a_text_is_marked() {
        let rich = RichText::read("`a` or <b>, as in `c`.");
        let spans: Vec<_> = rich.0.iter().map(|span| (span.text.as_str(), span.is_code)).collect();
        assert_eq!(
            spans,
            [("a", true), (" or <b>, as in ", false), ("c", true), (".", false)]
        );
    }

    #[test]
    fn lists_are_described_in_words() {
        assert_eq!(plural("text or null"), "texts or null");
        assert_eq!(plural("whole number"), "whole numbers");
        assert_eq!(plural("list of ids"), "lists of ids");
        assert_eq!(plural("id"), "ids");
    }
}

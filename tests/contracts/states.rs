//! Enum values in the code equal those of the schema.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use import::{Limits, ParsedFile};
use shared::batch::{BatchState, Lane};
use shared::delivery::DeliveryState;
use shared::store::imports::{ImportEffect, ImportState};
use shared::system_email::{CustomFields, Field, SystemEmailKind, Template};
use shared::trouble::WorkerTrouble;

use crate::sources::{files, read};

/// The enum types of the schema after all migrations.
fn enums() -> BTreeMap<String, Vec<String>> {
    let mut enums = BTreeMap::new();
    for migration in files(".sql")
        .iter()
        .filter(|file| file.path.starts_with("shared/migrations/"))
    {
        for (_, rest) in migration
            .text
            .match_indices("create type ")
            .map(|(at, _)| migration.text.split_at(at))
        {
            let (head, values) = rest.split_once('(').unwrap();
            let name = head.split_whitespace().nth(2).unwrap().to_owned();
            let values = values.split_once(')').unwrap().0;
            enums.insert(name, quoted(values));
        }
        assert!(
            !migration.text.contains("add value"),
            "{}: teach this test `add value`",
            migration.path
        );
    }
    enums
}

/// The words between single quotation marks.
fn quoted(sql: &str) -> Vec<String> {
    sql.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn enums_match_the_schema_in_its_order() {
    let schema = enums();

    let code: BTreeMap<String, Vec<String>> = [
        ("delivery_state", DeliveryState::ALL.map(DeliveryState::as_str).to_vec()),
        ("batch_state", BatchState::ALL.map(BatchState::as_str).to_vec()),
        ("import_state", ImportState::ALL.map(ImportState::as_str).to_vec()),
        ("import_effect", ImportEffect::ALL.map(ImportEffect::as_str).to_vec()),
        ("lane", Lane::ALL.map(Lane::as_str).to_vec()),
        ("worker_trouble", WorkerTrouble::ALL.map(WorkerTrouble::as_str).to_vec()),
        ("mail_kind", SystemEmailKind::ALL.map(SystemEmailKind::as_str).to_vec()),
    ]
    .into_iter()
    .map(|(name, words)| (name.to_owned(), words.into_iter().map(str::to_owned).collect()))
    .collect();

    assert_eq!(code, schema);
}

#[test]
fn states_have_the_same_names_in_json_and_schema() {
    let json = |value: &dyn erased::Json| value.written();

    for state in DeliveryState::ALL {
        assert_eq!(json(&state), format!("{:?}", state.as_str()));
    }
    for state in BatchState::ALL {
        assert_eq!(json(&state), format!("{:?}", state.as_str()));
    }
    for state in ImportState::ALL {
        assert_eq!(json(&state), format!("{:?}", state.as_str()));
    }
    for effect in ImportEffect::ALL {
        assert_eq!(json(&effect), format!("{:?}", effect.as_str()));
    }
    for lane in Lane::ALL {
        assert_eq!(json(&lane), format!("{:?}", lane.as_str()));
    }
    for kind in SystemEmailKind::ALL {
        assert_eq!(json(&kind), format!("{:?}", kind.as_str()));
    }
}

/// Makes different types usable in one closure.
mod erased {
    pub(super) trait Json {
        fn written(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn written(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

#[test]
fn code_and_schema_agree_on_ended_deliveries() {
    let migrations: String = files(".sql").into_iter().map(|file| file.text).collect();

    let guarded = migrations.split_once("when (old.state in (").unwrap().1;
    let guarded = quoted(guarded.split_once(')').unwrap().0);

    let ended: Vec<&str> = DeliveryState::ALL
        .into_iter()
        .filter(|state| state.has_ended())
        .map(DeliveryState::as_str)
        .collect();
    assert_eq!(ended, guarded);
}

#[test]
fn an_import_can_fill_no_field_that_beckon_fills() {
    let built_in = Field::offered(SystemEmailKind::PasswordReset, CustomFields::Known(&BTreeSet::new()));

    for field in &built_in {
        let name = field.name();
        let spellings = [
            name.to_owned(),
            name.to_uppercase(),
            name.replace('_', " - "),
            format!("{name}!"),
            format!("({name})"),
        ];
        for header in spellings {
            // The address already has its column, under another name.
            let file = format!("e-mail address,\"{header}\"\na@b.co,x\n");
            let opened =
                ParsedFile::open_csv(Cursor::new(file.into_bytes()), Limits::default()).map(|(sheet, _)| sheet);

            match opened {
                Ok(sheet) => assert!(
                    sheet.custom_fields.is_empty(),
                    "‘{header}’ fills {:?}",
                    sheet.custom_fields
                ),
                Err(fault) if name == "email" => assert_eq!(fault.code(), "two_email_columns", "‘{header}’"),
                Err(fault) => assert_eq!((name, fault.code()), ("password", "password_column"), "‘{header}’"),
            }
        }
    }
}

#[test]
fn two_columns_never_fill_one_field() {
    for (one, other) in [
        ("team", "Team"),
        ("team", "team!"),
        ("Start date", "start-date"),
        ("a.b", "a b"),
        ("Zürich", "ZÜRICH"),
    ] {
        let file = format!("email,{one},{other}\na@b.co,x,y\n");

        let opened = ParsedFile::open_csv(Cursor::new(file.into_bytes()), Limits::default()).map(|(sheet, _)| sheet);

        match opened {
            Ok(sheet) => panic!("‘{one}’ and ‘{other}’ fill {:?}", sheet.custom_fields),
            Err(fault) => assert_eq!(fault.code(), "duplicate_column"),
        }
    }
}

#[test]
fn a_reserved_column_is_a_known_merge_field() {
    let source = read("api/import/src/merge_field.rs");
    let reserved = source
        .split_once("const RESERVED")
        .unwrap()
        .1
        .split_once("];")
        .unwrap()
        .0;
    let reserved: Vec<&str> = reserved.split('"').skip(1).step_by(2).collect();

    assert!(reserved.len() >= 5, "{reserved:?}");
    for name in reserved {
        // Without custom fields, only a built-in field is known; this system email must contain a password.
        let letter = Template {
            subject: "x".to_owned(),
            body: format!("{{{{ {name} }}}} {{{{ password }}}}"),
        };
        let compiled = letter.compile(SystemEmailKind::PasswordReset, CustomFields::Known(&BTreeSet::new()));
        assert!(
            compiled.is_ok(),
            "{name} is reserved, and no letter knows it: {:?}",
            compiled.err()
        );
    }
}

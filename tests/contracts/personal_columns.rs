//! Which personal data each column of the schema holds, and what happens to it on export and erasure.
//!
//! A column missing here fails the test, so the author of a new column must decide. That the statements really do what
//! is stated here is tested by `journeys/a_person_is_erased.rs`.

use harness::{Setup, World};
use std::collections::BTreeMap;

use crate::sources::read;
use Column::{Exempt, Personal, Secret};

/// What a column holds.
#[derive(Clone, Copy)]
enum Column {
    /// Personal data: it is exported, and erased with the user.
    Personal,
    /// Personal, but not exported, for this reason.
    Secret(&'static str),
    /// Does not identify a user of the platform, or must be kept, for this reason.
    Exempt(&'static str),
}

const KEY: Column = Secret("the address in the form that is compared");
const LINK: Column = Secret("leads to the person; the rows are found by it");
const ID: Column = Exempt("an id, which leads nowhere once the person is gone");
const STATE: Column = Exempt("the state of an object, which identifies no person");
const STAFF: Column = Exempt("an administrator or a key, which are not users; kept to record who acted");
const TEXT: Column = Exempt("written by an administrator for all users");
const IN_THE_MAKING: &str = "an administrator's choice in the making; forgotten after a week";
const WEEK: Column = Exempt(IN_THE_MAKING);

/// Tables whose columns are all of one kind.
const TABLES: &[(&str, Column)] = &[
    ("_sqlx_migrations", STATE),
    ("administrators", STAFF),
    ("api_keys", STAFF),
    ("batch_counts", STATE),
    ("batch_progress", STAFF),
    ("batch_states", STATE),
    ("claims", STATE),
    ("count_changes", STATE),
    ("database_history", STATE),
    ("dispatcher", STATE),
    ("dispatching", STATE),
    ("heartbeat", STATE),
    (
        "import_parts",
        Exempt("an uploaded file before it is stored, as it came, and not searched; discarded after a week"),
    ),
    (
        "import_mappings",
        Exempt("the names of columns and fields, and which administrator chose them"),
    ),
    ("known_devices", STAFF),
    ("merge_fields", TEXT),
    ("published_ranges", STATE),
    (
        "relay_refusals",
        Exempt("what the relay refuses for all recipients, in its words without addresses and names of recipients"),
    ),
    ("sessions", STAFF),
    ("system_email_versions", TEXT),
    (
        "workers",
        Exempt("a process; the relay's or connection's words, where they cannot name a recipient"),
    ),
];

/// The other columns.
const COLUMNS: &[(&str, &str, Column)] = &[
    ("saved_filters", "created_at", STATE),
    ("saved_filters", "created_by", STAFF),
    ("saved_filters", "id", ID),
    ("saved_filters", "name", Personal),
    (
        "saved_filters",
        "name_key",
        Secret("the name in the form that is compared"),
    ),
    ("saved_filters", "user_filter", Personal),
    ("selections", "administrator_id", STAFF),
    ("selections", "batch_id", ID),
    ("selections", "chosen", WEEK),
    ("selections", "created_at", STATE),
    ("selections", "dropped", WEEK),
    ("selections", "excluded_filters", WEEK),
    ("selections", "excluded_lists", WEEK),
    ("selections", "filter", Secret(IN_THE_MAKING)),
    ("selections", "id", ID),
    ("selections", "kind", STATE),
    ("selections", "matching", STATE),
    ("selections", "picked", WEEK),
    ("selections", "user_filter", Secret(IN_THE_MAKING)),
    ("selections", "wording", WEEK),
    (
        "known_clients",
        "digest",
        Secret("a digest of what the platform calls the client"),
    ),
    ("known_clients", "seen_at", Personal),
    ("known_clients", "user_id", LINK),
    ("attempts", "code", Personal),
    ("attempts", "delivery_id", ID),
    ("attempts", "ended_at", Personal),
    ("attempts", "enhanced_code", Personal),
    ("attempts", "n", Personal),
    ("attempts", "phase", Personal),
    ("attempts", "reply", Personal),
    ("attempts", "started_at", Personal),
    ("attempts", "verdict", Personal),
    ("attempts", "worker", STATE),
    ("audit", "action", Personal),
    ("audit", "actor_id", STAFF),
    ("audit", "actor_kind", STAFF),
    ("audit", "at", Personal),
    (
        "audit",
        "client_address",
        Exempt("of an administrator, a key or an unauthenticated client; kept to record where an action came from"),
    ),
    ("audit", "details", Personal),
    ("audit", "id", ID),
    ("audit", "request_id", STATE),
    ("audit", "subject", ID),
    ("audit", "who", STAFF),
    ("batches", "accepted_count", STATE),
    ("batches", "brake", STATE),
    ("batches", "created_at", STATE),
    ("batches", "created_by", STAFF),
    ("batches", "deadline_at", STATE),
    ("batches", "details_dropped_at", STATE),
    ("batches", "final_counts", STATE),
    (
        "batches",
        "excluded",
        Secret("which filters and lists were left out, and what an administrator called them"),
    ),
    ("batches", "finished_at", STATE),
    ("batches", "id", STATE),
    ("batches", "is_test", STATE),
    ("batches", "kind", STATE),
    ("batches", "lane", STATE),
    ("batches", "paused_at", STATE),
    ("batches", "paused_for", STATE),
    ("batches", "reason", STATE),
    ("batches", "resumed_at", STATE),
    ("batches", "selected_count", STATE),
    ("batches", "stale_at", STATE),
    ("batches", "start_at", STATE),
    ("batches", "state", STATE),
    ("batches", "stop_asked_by", STAFF),
    ("batches", "test_language", STATE),
    ("batches", "trace_id", STATE),
    ("batches", "version", STATE),
    ("blocked_addresses", "blocked_at", Personal),
    ("blocked_addresses", "code", Personal),
    ("blocked_addresses", "delivery_id", Personal),
    ("blocked_addresses", "email", Personal),
    ("blocked_addresses", "email_key", KEY),
    ("blocked_addresses", "enhanced_code", Personal),
    ("blocked_addresses", "id", ID),
    ("blocked_addresses", "reason", Personal),
    ("blocked_addresses", "reply", Personal),
    ("blocked_addresses", "user_id", LINK),
    ("credentials", "attempt", Personal),
    ("credentials", "batch_id", ID),
    ("credentials", "created_at", Personal),
    ("credentials", "delivery_id", Personal),
    ("credentials", "expires_at", Personal),
    ("credentials", "id", ID),
    ("credentials", "kind", Personal),
    ("credentials", "used_at", Personal),
    ("credentials", "user_id", LINK),
    ("credentials", "verifier", Secret("who has it can try passwords")),
    ("do_not_mail_addresses", "list_id", ID),
    ("do_not_mail_lists", "always", STATE),
    ("do_not_mail_lists", "created_at", STATE),
    ("do_not_mail_lists", "created_by", STAFF),
    ("do_not_mail_lists", "id", ID),
    (
        "do_not_mail_lists",
        "name",
        Secret("what an administrator called it; the export has the lists that contain the person"),
    ),
    (
        "do_not_mail_lists",
        "name_key",
        Secret("the name in the form that is compared"),
    ),
    (
        "do_not_mail_addresses",
        "digest",
        Secret("a digest of the address; it stays, so that the person is still not mailed"),
    ),
    ("do_not_mail_addresses", "email", Personal),
    // The ledger keeps its rows, with the user's id, so that its sums stay correct.
    ("deliveries", "attempt", STATE),
    ("deliveries", "batch_id", Personal),
    ("deliveries", "cancel_reason", STATE),
    ("deliveries", "give_up_at", STATE),
    ("deliveries", "id", Personal),
    ("deliveries", "lease_token", STATE),
    ("deliveries", "moved_at", STATE),
    ("deliveries", "reason", Personal),
    ("deliveries", "retry_at", STATE),
    ("deliveries", "sent_at", Personal),
    ("deliveries", "state", Personal),
    ("deliveries", "test_address", Personal),
    ("deliveries", "trouble_at", STATE),
    ("deliveries", "unsure", STATE),
    ("deliveries", "user_id", ID),
    ("former_addresses", "earlier_ends", Personal),
    ("former_addresses", "email", Personal),
    ("former_addresses", "email_key", KEY),
    ("former_addresses", "until", Personal),
    ("former_addresses", "user_id", LINK),
    ("idempotency_keys", "answer", Personal),
    ("idempotency_keys", "caller", STAFF),
    ("idempotency_keys", "created_at", Personal),
    ("idempotency_keys", "digest", STATE),
    (
        "idempotency_keys",
        "key",
        Exempt("drawn by the caller's program; forgotten after a week"),
    ),
    ("idempotency_keys", "status", STATE),
    ("import_changes", "after", Personal),
    ("import_changes", "before", Personal),
    ("import_changes", "import_id", LINK),
    ("import_changes", "row_number", Personal),
    ("import_changes", "user_id", LINK),
    ("import_rejects", "cells", Personal),
    ("import_rejects", "import_id", ID),
    ("import_rejects", "problems", Personal),
    ("import_rejects", "row_number", Personal),
    ("import_users", "effect", Personal),
    ("import_users", "import_id", LINK),
    ("import_users", "row_number", Personal),
    ("import_users", "user_id", LINK),
    ("imports", "accepted_problems", STATE),
    ("imports", "accepts_doubtful", STATE),
    ("imports", "blank_count", STATE),
    ("imports", "clears_empty", STATE),
    ("imports", "created_at", STATE),
    ("imports", "created_by", STAFF),
    ("imports", "created_count", STATE),
    ("imports", "details_dropped_at", STATE),
    ("imports", "digest", STATE),
    ("imports", "done_at", STATE),
    ("imports", "done_by", STAFF),
    ("imports", "doubtful_count", STATE),
    ("imports", "duplicate_count", STATE),
    ("imports", "ended_at", STATE),
    ("imports", "ended_by", STAFF),
    ("imports", "file_name", TEXT),
    ("imports", "form_token", STATE),
    ("imports", "format", STATE),
    ("imports", "header", Exempt("the names of columns")),
    ("imports", "header_row", STATE),
    ("imports", "hidden_row_count", STATE),
    ("imports", "hidden_sheets", TEXT),
    ("imports", "id", STATE),
    ("imports", "ignored_count", STATE),
    ("imports", "kept_count", STATE),
    ("imports", "mapping", Exempt("the names of columns and fields")),
    ("imports", "mapping_is_remembered", STATE),
    ("imports", "mode", STATE),
    ("imports", "problem_counts", STATE),
    ("imports", "progress_at", STATE),
    ("imports", "progress_rows", STATE),
    ("imports", "rejected_count", STATE),
    ("imports", "removed_count", STATE),
    ("imports", "restored_count", STATE),
    ("imports", "row_count", STATE),
    ("imports", "rows_per_second", STATE),
    ("imports", "run", STATE),
    ("imports", "separator", STATE),
    ("imports", "sheet", TEXT),
    ("imports", "state", STATE),
    (
        "imports",
        "trouble",
        Exempt("why a whole file cannot be read: a place in it and a sentence"),
    ),
    ("imports", "unchanged_count", STATE),
    ("imports", "updated_count", STATE),
    ("last_sent", "kind", Personal),
    ("last_sent", "sent_at", Personal),
    ("last_sent", "user_id", LINK),
    ("left_out", "batch_id", Personal),
    ("left_out", "given", Personal),
    ("left_out", "id", ID),
    ("left_out", "reason", Personal),
    ("left_out", "user_id", LINK),
    ("users", "created_at", Personal),
    ("users", "email", Personal),
    ("users", "email_key", KEY),
    ("users", "fields", Personal),
    ("users", "first_name", Personal),
    ("users", "id", Personal),
    ("users", "language", Personal),
    ("users", "last_name", Personal),
    ("users", "locked_at", Personal),
    ("users", "search", KEY),
    ("users", "signed_in_at", Personal),
    ("users", "updated_at", Personal),
];

#[tokio::test]
async fn every_column_is_classified_by_its_personal_data() {
    World::run_with(Setup::default().workers(0), async |world| {
        // Monthly partitions belong to their tables.
        let columns: Vec<(String, String)> = sqlx::query_as(
            "select c.table_name::text, c.column_name::text from information_schema.columns c
             where c.table_schema = current_schema()
               and not exists (select from pg_inherits where inhrelid = c.table_name::regclass)
             order by 1, 2",
        )
        .fetch_all(&world.db)
        .await
        .unwrap();
        let known: BTreeMap<(&str, &str), Column> = COLUMNS
            .iter()
            .map(|(table, name, what)| ((*table, *name), *what))
            .collect();

        let is_whole = |table: &str| TABLES.iter().any(|(whole, _)| *whole == table);
        let unknown: Vec<&(String, String)> = columns
            .iter()
            .filter(|(table, name)| !is_whole(table) && !known.contains_key(&(table.as_str(), name.as_str())))
            .collect();
        let gone: Vec<&(&str, &str)> = known
            .keys()
            .filter(|(table, name)| !columns.iter().any(|(is, column)| is == table && column == name))
            .collect();

        assert!(
            unknown.is_empty(),
            "classify these columns here, and export and erase their personal data: {unknown:#?}"
        );
        assert!(gone.is_empty(), "{gone:#?}");
    })
    .await;
}

#[test]
fn personal_columns_are_exported_and_erased() {
    let export = read("shared/src/store/users/export.sql");
    let erase = read("shared/src/store/users/erase.sql");
    let words = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let (exported, erased) = (words(&export), words(&erase));

    for (table, column, what) in COLUMNS {
        let reason = match what {
            Personal => {
                assert!(exported.iter().any(|word| word == table), "{table} is not exported");
                let is_exported = exported
                    .iter()
                    .any(|word| word.split_once('.').is_some_and(|(_, name)| name == *column));
                assert!(is_exported, "{table}.{column} is not exported");
                "exported"
            }
            Secret(reason) | Exempt(reason) => reason,
        };
        assert!(!reason.is_empty(), "{table}.{column}");
        // The cascade removes passwords, clients and former addresses, and the audit log has only ids.
        let is_elsewhere = ["credentials", "known_clients", "former_addresses", "audit"].contains(table);
        assert!(
            matches!(what, Exempt(_)) || is_elsewhere || erased.iter().any(|word| word == table),
            "{table}.{column} is not erased"
        );
    }
    for (table, what) in TABLES {
        assert!(
            matches!(what, Exempt(reason) if !reason.is_empty()),
            "{table} has personal columns: name them"
        );
    }
}

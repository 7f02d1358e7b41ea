//! Adds files of addresses to do-not-mail lists.
//!
//! A file is added as a whole or not at all. A person whose address is missing on the list because of a typing error
//! would be mailed, so one invalid address rejects the file.

use super::no_list;
use crate::app::imports::file_problem::file_problem;
use crate::app::imports::request::BodyFormat;
use crate::app::imports::store::Groups;
use crate::app::problem::{FieldError, Problem};
use crate::app::saved_filters::MAX_NAME;
use crate::app::state::AppState;
use crate::app::upload_spool::{Spooled, disk};
use crate::app::validation::{unusable, without_controls};
use import::{AddressLines, Limits, ParsedRow, Rejected, open_addresses, open_json_addresses};
use shared::store::audit::Actor;
use shared::store::do_not_mail::{self, Addresses};
use shared::store::{Transaction, begin, commit};
use tracing::info;
use uuid::Uuid;

/// Maximum number of faulty addresses reported.
const MAX_FAULTS: usize = 100;

/// A file of addresses.
pub(crate) struct AddressFile {
    /// The file.
    pub(crate) spooled: Spooled,
    /// Its format.
    pub(crate) form: BodyFormat,
    /// The sheet to read of a spreadsheet with several.
    pub(crate) sheet: Option<String>,
    /// Whether it was made from a pasted list, by adding a header.
    pub(crate) was_list: bool,
}

/// A list to create.
pub(crate) struct NewList {
    /// Its name, checked by [`list_name`].
    pub(crate) name: String,
    /// Whether every batch leaves out the users on it.
    pub(crate) always: bool,
}

/// The name of a list.
///
/// # Errors
///
/// If it is blank, too long or has a control character.
pub(crate) fn list_name(given: &str) -> Result<String, Problem> {
    let name = given.trim();
    let fault = |code: &str, message: String| Err(unusable(FieldError::in_field("name", code, message)));
    without_controls("name", name).map_err(unusable)?;
    if name.is_empty() {
        return fault("blank", "The list has no name. Set name.".to_owned());
    }
    if name.chars().count() > MAX_NAME {
        return fault("too_long", format!("name has more than {MAX_NAME} characters."));
    }
    Ok(name.to_owned())
}

/// Creates a list with the addresses of a file.
///
/// # Errors
///
/// If the name is taken, there are too many lists, or the file cannot be read or has a faulty address.
pub(crate) async fn create(api: &AppState, new: NewList, file: AddressFile, actor: &Actor) -> Result<Uuid, Problem> {
    let rows = open(api, &file).await?;
    let _permit = api.concurrency_limits.for_import().await?;
    let mut transaction = begin(&api.db).await?;
    let created = do_not_mail::create(&mut transaction, &new.name, new.always, actor).await?;
    let id = match created {
        do_not_mail::NewList::Created(id) => id,
        do_not_mail::NewList::NameTaken => return Err(name_taken(&new.name)),
        do_not_mail::NewList::TooMany => return Err(too_many()),
    };
    put(&mut transaction, id, &new.name, rows, actor).await?;
    commit(transaction).await?;
    info!(list.id = %id, "Created a do-not-mail list");
    Ok(id)
}

fn name_taken(name: &str) -> Problem {
    Problem::conflict(
        "name_taken",
        format!("There is already a do-not-mail list called ‘{name}’. Choose another name."),
    )
}

fn too_many() -> Problem {
    Problem::conflict(
        "too_many_lists",
        format!(
            "There are {} do-not-mail lists, which is the limit. Delete one, or add the addresses to an existing list.",
            do_not_mail::MAX_LISTS
        ),
    )
}

/// Adds the addresses of a file to a list and returns how many were not on it.
///
/// # Errors
///
/// If there is no such list, or the file cannot be read or has a faulty address.
pub(crate) async fn add(api: &AppState, id: Uuid, file: AddressFile, actor: &Actor) -> Result<u64, Problem> {
    let rows = open(api, &file).await?;
    let _permit = api.concurrency_limits.for_import().await?;
    let mut transaction = begin(&api.db).await?;
    let name = do_not_mail::hold(&mut transaction, id).await?.ok_or_else(no_list)?;
    let added = put(&mut transaction, id, &name, rows, actor).await?;
    commit(transaction).await?;
    info!(list.id = %id, addresses = added, "Added addresses to a do-not-mail list");
    Ok(added)
}

/// Opens a file. Spreadsheets are unpacked one at a time, because that takes time and disk space.
async fn open(api: &AppState, file: &AddressFile) -> Result<AddressLines, Problem> {
    let _permit = api.concurrency_limits.for_check().await?;
    let (form, sheet) = (file.form, file.sheet.clone());
    let source = file.spooled.file.try_clone().map_err(|fault| disk(&fault))?;
    let opened = tokio::task::spawn_blocking(move || match form {
        BodyFormat::Table => open_addresses(source, sheet, Limits::default()),
        BodyFormat::Json => open_json_addresses(source, Limits::default()),
    });
    let opened = opened.await.map_err(|_| Problem::internal())?.map_err(file_problem)?;
    Ok(AddressLines {
        is_list: opened.is_list || file.was_list,
        ..opened
    })
}

/// Adds all addresses of a file to a list.
async fn put(
    transaction: &mut Transaction,
    list: Uuid,
    name: &str,
    rows: AddressLines,
    actor: &Actor,
) -> Result<u64, Problem> {
    let mut faults = Faults {
        is_list: rows.is_list,
        ..Faults::default()
    };
    let mut groups = Groups::read(rows.lines, |rows| rows);
    let mut added = 0;
    while let Some(group) = groups.next().await {
        let mut addresses = Addresses::default();
        for line in group.map_err(file_problem)? {
            match line {
                ParsedRow::Person(person) => {
                    addresses.keys.push(person.email.key());
                    addresses.emails.push(person.email.as_typed().to_owned());
                }
                ParsedRow::Rejected(rejected) => faults.push(&rejected),
            }
        }
        if faults.rows == 0 {
            added += do_not_mail::add(transaction, list, &addresses).await?;
        }
    }
    if faults.rows > 0 {
        return Err(faults.problem());
    }
    do_not_mail::record_added(transaction, list, name, added, actor).await?;
    Ok(added)
}

/// Rows without a valid address.
#[derive(Default)]
struct Faults {
    /// Whether the rows are counted with a header that the file does not have.
    is_list: bool,
    rows: usize,
    errors: Vec<FieldError>,
}

impl Faults {
    fn push(&mut self, rejected: &Rejected) {
        self.rows += 1;
        let room = MAX_FAULTS.saturating_sub(self.errors.len());
        let errors = rejected.problems.iter().take(room).map(|problem| FieldError {
            row: Some(problem.row.saturating_sub(u32::from(self.is_list))),
            column: problem.column.clone(),
            field: None,
            code: problem.code.to_owned(),
            message: if problem.value.is_empty() {
                problem.message.clone()
            } else {
                format!("{} (‘{}’)", problem.message, problem.value)
            },
        });
        self.errors.extend(errors);
    }

    fn problem(self) -> Problem {
        let rows = match self.rows {
            1 => "One row has no valid address.".to_owned(),
            rows => format!("{rows} rows have no valid address."),
        };
        let detail = format!("{rows} Nothing was added to the list. Correct the addresses and try again.");
        Problem::invalid("addresses_invalid", detail).with_errors(self.errors)
    }
}

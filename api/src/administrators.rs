//! Adds administrators from the command line.

use crate::StartError;
use crate::config::{Admission, Settings};
use shared::address::EmailAddress;
use shared::name::check_administrator;
use shared::password::{HashPool, Password, PersonalWords};
use shared::store::administrators::{self, Access, Added, NewAdministrator};
use shared::store::audit::{Action, Actor, AuditEntry};
use shared::store::{self, Db, PlanCacheMode, begin, commit};
use zeroize::Zeroizing;

/// Reads the password: the first line of standard input.
fn first_line() -> Result<Zeroizing<String>, StartError> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|fault| StartError::System("read the password from standard input", fault))?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Adds an administrator, or sets a new password for an existing one.
///
/// # Errors
///
/// [`StartError::Administrator`] with advice if the address or password is not acceptable.
pub async fn admit(settings: &Settings, admission: Admission) -> Result<(), StartError> {
    let refused = |why: String| StartError::Administrator(why);
    let address = EmailAddress::parse(&admission.email).map_err(|fault| refused(format!("--email: {fault}")))?;
    let name = admission
        .name
        .as_deref()
        .unwrap_or(address.as_typed())
        .trim()
        .to_owned();
    check_administrator(&name).map_err(|fault| refused(format!("--name: {fault}")))?;
    let words = PersonalWords::of([address.as_typed(), &name, &settings.letters.organisation]);
    let password = Password::chosen(&first_line()?, &words).map_err(|fault| refused(fault.to_string()))?;
    let hashing = HashPool::start(1, 1).map_err(|fault| StartError::System("start a thread for hashing", fault))?;
    let hashed = hashing.hash(password).await;
    let (_, verifier) = hashed.map_err(|fault| StartError::Randomness(fault.to_string()))?;
    let new = NewAdministrator {
        email: address.as_typed().to_owned(),
        email_key: address.key(),
        name,
        access: Access::Password(verifier.as_stored().to_owned()),
        created_by: Actor::command_line().name,
    };
    let db = store::connect(
        &settings.database,
        "beckon-api: add-administrator",
        PlanCacheMode::CustomPlans,
    )?;
    if settings.migrate {
        crate::migrate_and_install_templates(&db).await?;
    }
    if admission.renew {
        renew(&db, &new, verifier.as_stored()).await
    } else {
        add(&db, &new).await
    }
}

async fn add(db: &Db, new: &NewAdministrator) -> Result<(), StartError> {
    let mut transaction = begin(db).await?;
    let refused = |why: String| Err(StartError::Administrator(why));
    let id = match administrators::add(&mut transaction, new).await? {
        Added::Done(id) => id,
        Added::AddressTaken => {
            return refused(format!(
                "{} is already an administrator; use --renew to set this password",
                new.email
            ));
        }
        Added::NameTaken(taken) => {
            return refused(format!(
                "another administrator has the name {taken}, which is the same or looks the same; names must be \
                 distinguishable in the audit log, so give another --name"
            ));
        }
    };
    AuditEntry::new(&Actor::command_line(), Action::AdministratorAdded)
        .subject("administrator", id)
        .details(serde_json::json!({ "name": new.name }))
        .record(&mut transaction)
        .await?;
    Ok(commit(transaction).await?)
}

async fn renew(db: &Db, new: &NewAdministrator, verifier: &str) -> Result<(), StartError> {
    let Some(known) = administrators::find_by_key(db, &new.email_key).await? else {
        return Err(StartError::Administrator(format!(
            "{} is not an administrator; leave out --renew to add them",
            new.email
        )));
    };
    let mut transaction = begin(db).await?;
    administrators::renew(&mut transaction, known.id, verifier).await?;
    AuditEntry::new(&Actor::command_line(), Action::AdministratorRenewed)
        .subject("administrator", known.id)
        .details(serde_json::json!({ "name": known.name }))
        .record(&mut transaction)
        .await?;
    Ok(commit(transaction).await?)
}

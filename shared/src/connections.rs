//! `check-config --connect`: connects once to each configured server.

use crate::config::DatabaseSettings;
use crate::queue::Brokers;
use crate::store::{self, PlanCacheMode};
use crate::web_page;
use std::process::ExitCode;

/// The result for each server, in printing order.
#[derive(Debug, Default)]
pub struct Findings(Vec<Result<String, String>>);

impl Findings {
    /// Adds a result: the server that answers, or an error that names the setting.
    pub fn add(&mut self, found: Result<String, String>) {
        self.0.push(found);
    }

    /// Prints a line for each server, faults on standard error.
    ///
    /// A fault does not end with the exit code of an unusable setting: the server may be down for the moment, and
    /// service managers do not start a process again after that code.
    pub fn report(self) -> ExitCode {
        let mut code = ExitCode::SUCCESS;
        for found in self.0 {
            match found {
                Ok(line) => println!("{line}"),
                Err(fault) => {
                    eprintln!("{fault}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        if code == ExitCode::SUCCESS {
            println!("The settings are valid.");
        }
        code
    }
}

/// Connects to the servers that both processes need.
pub async fn check(database: &DatabaseSettings, brokers: &[String], sign_in_url: &str) -> Findings {
    let asking_brokers = futures_util::future::join_all(brokers.iter().map(|url| broker(url)));
    let (postgres, brokers, page) = tokio::join!(postgres(database), asking_brokers, sign_in_page(sign_in_url));
    let mut findings = Findings::default();
    findings.add(postgres);
    for found in brokers {
        findings.add(found);
    }
    findings.add(page);
    findings
}

async fn postgres(settings: &DatabaseSettings) -> Result<String, String> {
    let db = store::connect(settings, "beckon: check-config", PlanCacheMode::CustomPlans)
        .map_err(|fault| fault.cause().to_string())?;
    store::check(&db).await.map_err(|fault| fault.to_string())?;
    if let Ok(Some(shared)) = store::shares_sessions(&db).await {
        return Err(shared.to_string());
    }
    store::takes_writes(&db).await.map_err(|fault| fault.to_string())?;
    Ok(format!("DATABASE_URL: Postgres at {} answers", store::server(&db)))
}

async fn broker(url: &str) -> Result<String, String> {
    let broker = Brokers::new(vec![url.to_owned()]);
    let session = broker.connect("beckon: check-config").await;
    session.map_err(|fault| fault.to_string())?.close().await;
    Ok(format!("AMQP_URL: RabbitMQ at {} answers", broker.hosts()))
}

async fn sign_in_page(address: &str) -> Result<String, String> {
    let link = "and every email links there";
    match web_page::status(address).await {
        Ok(status) if is_there(status) => Ok(format!("BECKON_SIGN_IN_URL: {address} answers {status}")),
        Ok(status) => Err(format!(
            "BECKON_SIGN_IN_URL is {address:?}, which answers {status}, {link}"
        )),
        Err(cause) => Err(format!(
            "BECKON_SIGN_IN_URL is {address:?}, which this machine could not fetch ({cause}), {link}"
        )),
    }
}

/// Whether a page with this status works in a browser. A page may redirect, require a login or refuse programs.
fn is_there(status: u16) -> bool {
    matches!(status, 200..=399 | 401 | 403 | 429)
}

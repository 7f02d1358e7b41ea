//! What other programs think of a mail that has arrived.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{NAMESPACE, Result, in_namespace, own_folder, write};
use crate::error::HarnessError;
use crate::installed::path_of;

/// Timeout for a check; SpamAssassin takes two seconds to start.
const CHECK: Duration = Duration::from_mins(1);

/// Verifies the DKIM signature of the mail in standard input. The argument is the record of the public key, which is
/// otherwise read from the DNS.
const VERIFY: &str = r#"
use strict; use warnings;
use Mail::DKIM::Verifier; use Mail::DKIM::PublicKey;
my $record = shift;
{
    no warnings 'redefine';
    *Mail::DKIM::PublicKey::fetch_async = sub {
        my ($class, %wanted) = @_;
        my $key = $class->parse($record);
        return sub { $wanted{Callbacks}{Success}->($key) };
    };
}
my $verifier = Mail::DKIM::Verifier->new;
binmode STDIN;
while (<STDIN>) { s/\r?\n\z//; $verifier->PRINT("$_\r\n"); }
$verifier->CLOSE;
print $verifier->result_detail;
"#;

/// SpamAssassin's score of a mail by its local rules. Mails with 5 points count as spam.
///
/// # Errors
///
/// When it is not unpacked (`deploy/setup --mail-servers`) or prints no score.
pub async fn spam_score(message: &[u8]) -> Result<SpamScore> {
    let rules = format!(
        "--siteconfigpath={}/etc/spamassassin",
        path_of("MAIL_SERVERS").await?.display()
    );
    let report = run(
        &["spamassassin", "-L", "-x", "-t", "--cf=score ALL_TRUSTED 0", &rules],
        message,
    )
    .await?;
    let flat = report.replace("\r\n", "\n").replace("\n\t", " ").replace("\n ", " ");
    let status = flat.lines().find_map(|line| line.strip_prefix("X-Spam-Status: "));
    let of = |name: &str| {
        let mut words = status.unwrap_or_default().split_whitespace();
        words.find_map(|word| word.strip_prefix(name)).map(str::to_owned)
    };
    let points = of("score=").and_then(|score| score.parse().ok());
    let points = points.ok_or_else(|| HarnessError::new(format!("SpamAssassin printed no score:\n{report}")))?;
    Ok(SpamScore {
        points,
        rules: of("tests=").unwrap_or_default(),
    })
}

/// A score with the rules that add up to it.
#[derive(Debug, Clone)]
pub struct SpamScore {
    /// The sum.
    pub points: f64,
    /// The names of the rules.
    pub rules: String,
}

/// The result of verifying the DKIM signature of a mail, `pass` if it holds. `public_key` is in base64.
///
/// # Errors
///
/// When the verifier is not unpacked (`deploy/setup --mail-servers`).
pub async fn verify_dkim(message: &[u8], public_key: &str) -> Result<String> {
    let record = format!("v=DKIM1; k=rsa; p={public_key}");
    run(&["perl", "-e", VERIFY, &record], message).await
}

/// Runs an unpacked program with this input and returns its output.
async fn run(command: &[&str], input: &[u8]) -> Result<String> {
    let failed = |e: std::io::Error| HarnessError::because(format!("could not run {command:?}"), e);
    let folder = own_folder().map_err(failed)?;
    write(&folder.path().join("namespace.sh"), NAMESPACE).map_err(failed)?;
    write(&folder.path().join("command.sh"), "exec \"$@\" </run/server/input\n").map_err(failed)?;
    std::fs::write(folder.path().join("input"), input).map_err(failed)?;
    let mut words = vec!["sh", "/run/server/command.sh"];
    words.extend(command);
    let running = Command::new("/usr/bin/unshare")
        .args(in_namespace(&path_of("MAIL_SERVERS").await?, folder.path(), &words))
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(CHECK, running)
        .await
        .map_err(|e| HarnessError::because(format!("{command:?} did not end"), e))?
        .map_err(failed)?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(HarnessError::new(format!("{command:?} failed: {printed}{complaint}")))
}

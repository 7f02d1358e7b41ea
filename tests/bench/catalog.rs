//! What is measured, in what unit, and with what goal.
//!
//! The goals come from Beckon's design. Rates have none: they differ between machines, and on one machine from hour to
//! hour. They are compared with other programs measured in the same run (`peers.rs`).

/// The goal of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// No goal.
    Open,
}

impl Goal {
    /// Whether a figure meets it; `None` where there is no goal.
    pub(crate) fn is_met_by(self, figure: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(figure >= least),
            Self::AtMost(most) => Some(figure <= most),
            Self::Open => None,
        }
    }
}

/// A measurement.
#[derive(Debug)]
pub(crate) struct What {
    /// The section of the table.
    pub(crate) part: &'static str,
    /// The name with its unit.
    pub(crate) name: &'static str,
    /// The goal.
    pub(crate) goal: Goal,
}

macro_rules! catalog {
    ($($id:ident = $part:expr, $name:literal, $goal:expr;)*) => {
        // Statics, because figures are found by address, and a constant may have several.
        $(pub(crate) static $id: &What = &What { part: $part, name: $name, goal: $goal };)*
    };
}

use Goal::{AtLeast, AtMost, Open};

const HISTORY: &str = "A history, written before";
const IMPORT: &str = "Import of a CSV file, POST to 201";
const IDLE: &str = "One invite with nothing else to do, 202 to the relay's 250";
const ACCEPT: &str = "Accepting a batch of existing users, POST to 202";
const BEHIND: &str = "One invite behind a large batch, 202 to sent in Postgres";
const INVITES: &str = "Batch of invites, until every delivery is sent in Postgres";
const CPU: &str = "CPU seconds per 1,000 invites, accepting included";
const COUNTS: &str = "The same invites, each";
const PEERS: &str = "The same invites by other programs, in the same run";
const MEMORY: &str = "Memory at steady load, largest";
const PASSWORDS: &str = "Batch of password mails, until every delivery is sent in Postgres";

const KILLS: &str = "A batch of invites whose worker is killed with kill -9 five times";

catalog! {
    HISTORY_MAILS = HISTORY, "mails, millions", Open;
    HISTORY_DELIVERIES = HISTORY, "deliveries with their indexes, MiB per million", Open;
    HISTORY_ATTEMPTS = HISTORY, "attempts with their indexes, MiB per million", Open;
    HISTORY_USERS = HISTORY, "users with their indexes, MiB per million", Open;

    IMPORT_RATE = IMPORT, "rows/s", AtLeast(50_000.0);
    IMPORT_FLOOR = IMPORT, "the same rows by a bare COPY into tables with the same indexes, rows/s", Open;
    IMPORT_OF_FLOOR = IMPORT, "beside the bare COPY, %", Open;
    IMPORT_SMALL = IMPORT, "extra memory of the API for 1,000 rows, MiB", Open;
    IMPORT_BEFORE = IMPORT, "memory of the API before, MiB", Open;
    IMPORT_AFTER = IMPORT, "memory of the API after, MiB", Open;
    IMPORT_EXTRA = IMPORT, "extra memory of the API meanwhile, MiB", Open;

    IDLE_P50 = IDLE, "p50, ms", AtMost(15.0);
    IDLE_P95 = IDLE, "p95, ms", Open;
    IDLE_P99 = IDLE, "p99, ms", AtMost(60.0);

    ACCEPT_RATE = ACCEPT, "recipients/s", AtLeast(50_000.0);
    ACCEPT_SECONDS = ACCEPT, "seconds", Open;
    ACCEPT_EXTRA = ACCEPT, "extra memory of the API meanwhile, MiB", AtMost(100.0);

    BEHIND_P50 = BEHIND, "p50, ms", Open;
    BEHIND_P95 = BEHIND, "p95, ms", AtMost(500.0);
    BEHIND_P99 = BEHIND, "p99, ms", AtMost(2_000.0);
    BEHIND_COUNT = BEHIND, "invites accepted while the batch ran", Open;
    BEHIND_BATCH = BEHIND, "mails/s of the batch meanwhile", Open;

    INVITES_RATE = INVITES, "mails/s, from the POST", Open;
    INVITES_DRAIN = INVITES, "mails/s, from the 202", Open;

    CPU_WORKER = CPU, "worker", Open;
    CPU_API = CPU, "API", Open;
    CPU_POSTGRES = CPU, "Postgres", Open;
    CPU_BROKER = CPU, "RabbitMQ", Open;
    CPU_SINK = CPU, "sink and load generator", Open;
    CPU_ALL = CPU, "all together", Open;
    CPU_OURS = CPU, "all but sink and load generator", Open;

    WAL = COUNTS, "write-ahead log of Postgres, bytes", AtMost(1_800.0);
    CALLS_WORKER = COUNTS, "system calls of the worker", Open;
    SWITCHES_WORKER = COUNTS, "waits of the worker's threads", Open;
    CALLS_API = COUNTS, "system calls of the API", Open;
    SWITCHES_API = COUNTS, "waits of the API's threads", Open;

    FLOOR_RATE = PEERS, "floor (grouped, nothing checked), mails/s", Open;
    OF_FLOOR = PEERS, "Beckon's rate, % of the floor's", AtLeast(75.0);
    FLOOR_CPU = PEERS, "floor, CPU seconds per 1,000 without the sink", Open;
    TIMES_FLOOR_CPU = PEERS, "Beckon's CPU seconds, times the floor's", AtMost(1.35);
    BEST_RATE = PEERS, "best peer (Node), mails/s", Open;
    TIMES_BEST = PEERS, "Beckon's rate, times the best peer's", AtLeast(8.0);
    BEST_CPU = PEERS, "best peer, CPU seconds per 1,000 without the sink", Open;

    MEMORY_API = MEMORY, "API, MiB", AtMost(120.0);
    MEMORY_WORKER = MEMORY, "worker, MiB", AtMost(120.0);

    KILLS_SECOND = KILLS, "second mails a kill", AtMost(11.0);

    PASSWORDS_RATE = PASSWORDS, "mails/s, from the POST", Open;
    PASSWORDS_RATIO = PASSWORDS, "of the rate of invites in this run, %", AtLeast(80.0);
}

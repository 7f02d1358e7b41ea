use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};
use tokio::net::TcpStream;

use super::{Stack, Stop};

#[tokio::test]
async fn two_stacks_run_side_by_side_and_leave_nothing() {
    let (one, other) = tokio::try_join!(Stack::start(), Stack::start_durable()).unwrap();
    let traces = [Traces::of(&one), Traces::of(&other)];

    for stack in [&one, &other] {
        let url = stack.create_database("origin", None).await.unwrap();
        PgConnection::connect(&url).await.unwrap().close().await.unwrap();
        let copy = stack.create_database("copy", Some("origin")).await.unwrap();
        PgConnection::connect(&copy).await.unwrap();
        stack.drop_database("copy").await.unwrap();
        assert!(PgConnection::connect(&copy).await.is_err());
        let vhost = stack.create_vhost("side").await.unwrap();
        assert!(vhost.ends_with("/side"));
        let policy = serde_json::json!({
            "pattern": ".*", "apply-to": "queues", "definition": {"delivery-limit": 20},
        });
        stack.put_policy("side", "limits", &policy).await.unwrap();
        assert!(stack.put_policy("nowhere", "limits", &policy).await.is_err());
        stack.delete_vhost("side").await.unwrap();
    }

    servers_stop_start_and_forget_on_request(&one).await;
    servers_that_are_given_are_used(&other);

    drop((one, other));
    for traces in traces {
        traces.assert_gone();
    }
}

// Not separate tests, because each would start another broker.
async fn servers_stop_start_and_forget_on_request(stack: &Stack) {
    stack.create_vhost("kept").await.unwrap();

    stack.stop_postgres(Stop::Kill).await.unwrap();
    assert!(PgConnection::connect(stack.database_url()).await.is_err());
    stack.start_postgres().await.unwrap();
    stack.restart_postgres(Stop::Graceful).await.unwrap();
    PgConnection::connect(stack.database_url()).await.unwrap();

    stack.broker_alarm(true).await.unwrap();
    stack.broker_alarm(false).await.unwrap();
    stack.wipe_broker().await.unwrap();
    stack.broker_ctl("list_permissions --vhost kept").await.unwrap();
    let refusal = stack.broker_ctl("list_permissions --vhost never").await;
    assert!(refusal.unwrap_err().to_string().contains("never"));

    stack.stop_broker(Stop::Graceful).await.unwrap();
    let amqp = stack.own().unwrap().ports.amqp.address();
    assert!(TcpStream::connect(amqp).await.is_err());
}

fn servers_that_are_given_are_used(stack: &Stack) {
    let result = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stack::tests::use_servers_that_are_given", "--ignored"])
        .env("DATABASE_URL", stack.database_url())
        .env("AMQP_URL", stack.amqp_url())
        .output()
        .unwrap();

    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stdout));
}

#[test]
fn a_killed_harness_leaves_nothing() {
    let harness = Harness::start("ready");

    kill(harness.pid, Signal::SIGKILL).unwrap();

    harness.traces.assert_gone();
}

#[test]
fn a_harness_killed_while_starting_leaves_nothing() {
    let harness = Harness::start("starting");

    kill(harness.pid, Signal::SIGKILL).unwrap();

    harness.traces.assert_gone();
}

#[test]
fn an_interrupt_at_the_terminal_leaves_nothing() {
    let harness = Harness::start("starting");

    killpg(harness.pid, Signal::SIGINT).unwrap();

    harness.traces.assert_gone();
}

/// Started by [`servers_that_are_given_are_used`], in whose environment the servers are named.
#[tokio::test]
#[ignore = "needs DATABASE_URL and AMQP_URL, started by another test"]
async fn use_servers_that_are_given() {
    let stack = Stack::shared().await.unwrap();

    assert!(!stack.is_private() && stack.folder().is_none());
    let url = stack.create_database("given", None).await.unwrap();
    PgConnection::connect(&url).await.unwrap();
    stack.drop_database("given").await.unwrap();
    assert_eq!(stack.create_vhost("ignored").await.unwrap(), stack.amqp_url());
    stack.delete_vhost("ignored").await.unwrap();
    assert!(stack.restart_broker(Stop::Kill).await.is_err());
}

/// Not a test: the program that the tests above start and kill.
#[tokio::test]
#[ignore = "runs until killed, started by other tests"]
async fn hold_a_stack_until_killed() {
    let stack = Stack::begin(super::database::FAST, super::broker::FAST).await.unwrap();
    let supervisor = &stack.own().unwrap().supervisor;
    let start = async { tokio::try_join!(stack.start_postgres(), stack.start_broker()) };
    let announce = async {
        // Late enough that both servers are starting, early enough that neither is ready.
        tokio::time::sleep(Duration::from_millis(300)).await;
        println!("starting\t{}\t{}", supervisor.id(), supervisor.folder().display());
    };
    let (started, ()) = tokio::join!(start, announce);
    started.unwrap();
    println!("ready\t{}\t{}", supervisor.id(), supervisor.folder().display());
    std::future::pending::<()>().await;
}

/// A separate process that holds a stack.
struct Harness {
    pid: Pid,
    traces: Traces,
}

impl Harness {
    /// Starts one and waits until it reports this word about its stack.
    fn start(word: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stack::tests::hold_a_stack_until_killed"])
            .args(["--ignored", "--nocapture"])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines
            .map(Result::unwrap)
            .find(|line| line.contains(&format!("{word}\t")))
            .unwrap();
        // libtest writes "test … ... " before it, on the same line.
        let mut words = line.rsplit('\t');
        let folder = PathBuf::from(words.next().unwrap());
        let group = Pid::from_raw(words.next().unwrap().parse().unwrap());
        std::thread::spawn(move || child.wait());
        Self {
            pid,
            traces: Traces::new(folder, group),
        }
    }
}

/// Everything that a stack could leave behind.
struct Traces {
    folder: PathBuf,
    group: Pid,
    /// The supervisor and the servers it has started so far.
    members: Vec<String>,
}

impl Traces {
    fn of(stack: &Stack) -> Self {
        let supervisor = &stack.own().unwrap().supervisor;
        let group = Pid::from_raw(supervisor.id().try_into().unwrap());
        Self::new(supervisor.folder().to_owned(), group)
    }

    fn new(folder: PathBuf, group: Pid) -> Self {
        let members = members_of(group);
        Self { folder, group, members }
    }

    fn assert_gone(&self) {
        // The supervisor waits for initdb, and gives each server time to stop.
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let group_lives = killpg(self.group, None).is_ok();
            let inside = processes_inside(&self.folder);
            let memory = shared_memory_of(&self.members);
            let is_clean = !group_lives && inside.is_empty() && memory.is_empty();
            if is_clean && !self.folder.exists() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "left behind: group alive {group_lives}, processes {inside:?}, memory {memory:?}, folder {}",
                self.folder.display()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Processes whose working folder is below this one, as that of every server and its children is.
fn processes_inside(folder: &Path) -> Vec<PathBuf> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|process| {
            // Compared as text, because a removed folder is shown as "… (deleted)".
            std::fs::read_link(process.join("cwd"))
                .is_ok_and(|cwd| cwd.to_string_lossy().starts_with(&*folder.to_string_lossy()))
        })
        .collect()
}

/// The ids of the processes of a group.
fn members_of(group: Pid) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|number| {
            let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            // After the name, which may contain any character: state, parent, group.
            let behind_name = stat.rsplit(')').next().unwrap_or_default();
            behind_name.split_whitespace().nth(2) == Some(group.to_string().as_str())
        })
        .collect()
}

/// Segments of System V shared memory that these processes created.
fn shared_memory_of(makers: &[String]) -> Vec<String> {
    let segments = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    segments
        .lines()
        // Key, number, permissions, size, creator.
        .filter(|segment| {
            segment
                .split_whitespace()
                .nth(4)
                .is_some_and(|maker| makers.iter().any(|m| m == maker))
        })
        .map(str::to_owned)
        .collect()
}

//! A process's processor time and memory, as the kernel reports them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use harness::{HarnessError, Result};

/// Ticks per second in `/proc/<pid>/stat`; 100 on every Linux that Beckon runs on.
const TICKS: f64 = 100.0;

/// A mebibyte in the kibibytes of `/proc/<pid>/status`.
const MIB: f64 = 1024.0;

/// Fields of `/proc/<pid>/stat` after the name, which may contain spaces.
struct Stat {
    parent: u32,
    /// Time of the process itself.
    own: f64,
    /// Time of its children that have ended and been waited for.
    ended_children: f64,
}

impl Stat {
    fn of(process: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let seconds = |at: usize| Some((f64::from(number(at)?) + f64::from(number(at + 1)?)) / TICKS);
        Some(Self {
            parent: number(1)?,
            own: seconds(11)?,
            ended_children: seconds(13)?,
        })
    }
}

/// Processor seconds of one process.
///
/// # Errors
///
/// When it has ended.
pub(crate) fn cpu(process: u32) -> Result<f64> {
    Stat::of(process).map(|stat| stat.own).ok_or_else(|| gone(process))
}

/// Processor seconds of a process and all its children, including ended ones.
///
/// # Errors
///
/// When it has ended.
pub(crate) fn cpu_of_family(process: u32) -> Result<f64> {
    let parent = Stat::of(process).ok_or_else(|| gone(process))?;
    let children = numbers().filter_map(Stat::of).filter(|stat| stat.parent == process);
    Ok(parent.own + parent.ended_children + children.map(|stat| stat.own + stat.ended_children).sum::<f64>())
}

fn numbers() -> impl Iterator<Item = u32> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok())
}

/// Resident memory of a process, in MiB.
///
/// # Errors
///
/// When it has ended.
pub(crate) fn memory(process: u32) -> Result<f64> {
    status(process, "VmRSS:")
}

/// Its peak since its start, or since [`forget_peak`].
///
/// # Errors
///
/// When it has ended.
pub(crate) fn peak_memory(process: u32) -> Result<f64> {
    status(process, "VmHWM:")
}

/// Resets the kernel's record of a process's peak memory.
///
/// Only root may: the programs are not dumpable, so root owns their files in `/proc`. For any other user the peak since
/// the start remains, which is never lower.
///
/// # Errors
///
/// When it has ended.
pub(crate) fn forget_peak(process: u32) -> Result<()> {
    let reset = fs::write(format!("/proc/{process}/clear_refs"), "5");
    if matches!(&reset, Err(fault) if fault.kind() == ErrorKind::PermissionDenied) {
        return Ok(());
    }
    reset.map_err(|fault| HarnessError::because(format!("could not reset the peak memory of process {process}"), fault))
}

fn status(process: u32, name: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).map_err(|_| gone(process))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.map(|size| size / MIB).ok_or_else(|| gone(process))
}

/// The process id in the first line of a file.
///
/// # Errors
///
/// When there is no such file.
pub(crate) fn noted_in(file: &Path) -> Result<u32> {
    let text = fs::read_to_string(file)
        .map_err(|fault| HarnessError::because(format!("could not read {}", file.display()), fault))?;
    let number = text.lines().next().and_then(|line| line.trim().parse().ok());
    number.ok_or_else(|| HarnessError::new(format!("{} names no process", file.display())))
}

fn gone(process: u32) -> HarnessError {
    HarnessError::new(format!("process {process} is gone"))
}

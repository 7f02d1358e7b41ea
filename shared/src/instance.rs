//! The name of a process, for operators.

/// The machine's name and the process id; `what` replaces a missing machine name.
pub fn instance_name(what: &str) -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    format!("{}/{}", if host.is_empty() { what } else { host }, std::process::id())
}

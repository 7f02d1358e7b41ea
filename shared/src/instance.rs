//! What a process is called, for people who look for it.

/// This machine's name and the process's number; `what` where the machine has no name.
pub fn instance_name(what: &str) -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    format!("{}/{}", if host.is_empty() { what } else { host }, std::process::id())
}

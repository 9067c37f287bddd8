//! How much memory the service took.

use crate::support::{Outcome, Service};

/// The most memory that it ever had, in MiB (Linux).
pub(crate) fn peak(service: &Service) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    Ok(kib.ok_or("no figure of memory")? / 1024)
}

//! How much memory can be had, and how much a process has. Linux; elsewhere nothing is known and nothing is refused.

use std::fs;

/// Bytes that new processes can have without swapping (`MemAvailable`, and the limit of our cgroup where one is set).
pub fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let free = kib_of(&text, "MemAvailable:")?;
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let in_cgroup = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map(|(limit, used)| limit.saturating_sub(used));
    Some(in_cgroup.map_or(free, |left| left.min(free)))
}

/// Bytes of a process that are resident; 0 where that is not known.
pub fn resident_memory(pid: i32) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .ok()
        .and_then(|text| kib_of(&text, "VmRSS:"))
        .unwrap_or(0)
}

fn kib_of(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_proc_are_kibibytes() {
        assert_eq!(kib_of("A: 1 kB\nMemAvailable:   12 kB\n", "MemAvailable:"), Some(12_288));
        assert_eq!(kib_of("MemAvailable: x kB", "MemAvailable:"), None);
        assert_eq!(kib_of("", "MemAvailable:"), None);
    }
}

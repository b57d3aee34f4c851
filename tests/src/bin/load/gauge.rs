//! What a process used, as the kernel counts it. The process alone: neither its children nor the server behind it.

use std::fs;
use std::time::Duration;

/// One tick of the kernel's accounting, `USER_HZ`: a hundredth of a second on every Linux we run on.
const TICK: Duration = Duration::from_millis(10);

/// A process under observation.
#[derive(Clone, Copy)]
pub struct Gauge {
    pid: u32,
}

impl Gauge {
    pub fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// Processor time of all its threads so far, user and system.
    pub fn cpu(self) -> Result<Duration, String> {
        let text = self.read("stat")?;
        cpu(&text).ok_or_else(|| format!("`/proc/{}/stat` is not as expected", self.pid))
    }

    /// Resident memory now, KiB.
    pub fn resident(self) -> Result<u64, String> {
        self.status("VmRSS:")
    }

    /// The most resident memory it had, KiB.
    pub fn peak(self) -> Result<u64, String> {
        self.status("VmHWM:")
    }

    fn status(self, name: &str) -> Result<u64, String> {
        let text = self.read("status")?;
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        let number = value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok());
        number.ok_or_else(|| format!("`/proc/{}/status` has no {name}", self.pid))
    }

    fn read(self, file: &str) -> Result<String, String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid))
            .map_err(|error| format!("the process is gone: {error}"))
    }
}

/// Fields 14 and 15 of proc_pid_stat(5). The second field, a name, may hold spaces and brackets: count after it.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(TICK * (user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_moves_nothing() {
        let stat = "7 (a) (b) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 9 9 20 0";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1_750)));
    }

    #[test]
    fn our_own_process_is_seen() {
        let ours = Gauge::of(std::process::id());
        assert!(ours.cpu().is_ok());
        assert!(ours.peak().unwrap() >= ours.resident().unwrap() / 2);
    }
}

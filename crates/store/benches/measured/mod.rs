//! What benchmarks of logs have in common: a folder of their own, what they ran on, times, memory.

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub type Failure = Box<dyn Error + Send + Sync>;

/// The arguments, without what cargo adds.
pub fn arguments() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| argument != "--bench").collect()
}

/// Runs in a new folder below the one named, or below the build's own, and removes it.
pub fn in_a_folder(
    named: Option<&String>,
    name: &str,
    work: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let dir = named.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let dir = dir.join(format!("{name}-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = work(&dir);
    std::fs::remove_dir_all(&dir)?;
    done
}

/// The machine, and how this was built.
pub fn conditions() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/version");
    let kernel = kernel.split_whitespace().nth(2).unwrap_or("?").to_owned();
    format!(
        "{cores} cores, load {}, Linux {kernel}, optimised: {}",
        read("/proc/loadavg").trim(),
        !cfg!(debug_assertions)
    )
}

/// The folder for what is measured; a disk is part of the conditions.
pub fn directory(dir: &Path) -> String {
    format!("directory {}", dir.display())
}

pub fn time(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// Processor time that this process has taken, all its threads together; nothing where the system does not say.
pub fn processor_time() -> Duration {
    /// What `/proc` counts in, a second.
    const TICKS: u64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may have spaces in it, the 12th and the 13th are the times in user space and in the kernel.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// The middle one of some times; nothing of none.
pub fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A line of `/proc/self/status`, KiB; 0 where there is none.
pub fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The most memory that this process has ever held, MiB.
pub fn peak_mib() -> f64 {
    memory("VmHWM") as f64 / 1024.0
}

/// The greatest memory is counted from here on. Where the kernel does not allow it, what came before is in it.
pub fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

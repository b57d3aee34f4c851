//! What was measured, on what, with how much. A figure without this is no figure.

use crate::options::Options;
use crate::subject::OTHER_TOOLS;
use harness::{mortise, workspace};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The conditions as a Markdown list. It is an error when the disk is none.
pub fn describe(options: &Options) -> Result<String, String> {
    let file_system = file_system(&options.directory);
    if matches!(file_system.as_str(), "tmpfs" | "ramfs") {
        return Err("the directory is in memory, where nothing is durable; choose one with `--directory`".into());
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let binary = mortise();
    let profile = binary.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let lines = [
        format!("CPU: {}, {cores} cores, {} memory", first("/proc/cpuinfo", "model name"), first("/proc/meminfo", "MemTotal")),
        format!("Kernel: {}; file system: {file_system}", read("/proc/sys/kernel/osrelease")),
        format!("Load average at the start: {}", read("/proc/loadavg")),
        format!("Mortise: {}, `{profile}` build; driver: {} build", said(&binary, &["--version"]), ours()),
        format!("Commit: {}; {}", commit(), said(Path::new("rustc"), &["--version"])),
        format!(
            "{} rounds, order rotated; a measurement has {} calls with 1 client, {} with 16, and ends after {} s at the latest",
            options.rounds,
            options.calls,
            4 * options.calls,
            options.limit.as_secs()
        ),
        "First tenth of each client's latencies dropped; closed loop; HTTP/1.1 keep-alive, TCP_NODELAY; protocol 2025-11-25".into(),
        format!(
            "One conversation, so one server process, behind all clients; every measurement with new processes and a new log; the server has 1 + {OTHER_TOOLS} tools behind Mortise"
        ),
        "Driver, gateway and server share the cores".into(),
    ];
    Ok(lines.map(|line| format!("- {line}\n")).concat())
}

fn ours() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The value of the first line `name : value`.
fn first(path: &str, name: &str) -> String {
    let text = read(path);
    let value = text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name);
    value.map_or_else(|| "unknown".into(), |(_, value)| value.trim().to_owned())
}

fn said(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn commit() -> String {
    let root = workspace();
    let git = |arguments: &[&str]| {
        let root = root.to_string_lossy();
        said(Path::new("git"), &[&["-C", &root], arguments].concat())
    };
    match git(&["rev-parse", "--short", "HEAD"]).as_str() {
        "" => "unknown".into(),
        commit if git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() => commit.into(),
        commit => format!("{commit} with changes"),
    }
}

/// The type of the file system that holds a directory: that of the longest mount point above it.
fn file_system(directory: &Path) -> String {
    let mounts = read("/proc/self/mounts");
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounted.filter(|(point, _)| directory.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map_or_else(|| "unknown".into(), |(_, kind)| kind.to_owned())
}

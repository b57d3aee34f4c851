//! Kills and reaps everything below this process.

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use std::fs;
use std::time::Duration;

/// Pause between rounds in which nothing died: the kernel needs a moment to hand orphans over.
const ROUND: Duration = Duration::from_millis(1);

/// Reaps all children that have ended, adopted ones included; the status of `child` if it is among them.
pub(super) fn reap(child: Pid) -> Option<WaitStatus> {
    let mut found = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == child {
            found = Some(status);
        }
    }
    found
}

/// Kills all descendants and returns when none is left.
///
/// Only direct children are ever killed: we are their subreaper, so whatever they leave behind is a direct child in a
/// later round. Between listing and killing nobody else reaps, so a listed pid cannot have become another process's.
/// Unbounded on purpose: a guardian that gives up leaves orphans, one that waits holds nothing anyone needs.
pub(super) fn all() {
    loop {
        for pid in children() {
            // It may have ended by itself, which is as good.
            let _ = kill_process(pid, Signal::KILL);
        }
        let mut reaped = false;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => reaped = true,
                Ok(None) => break,
                Err(rustix::io::Errno::INTR) => {}
                // ECHILD: nothing left.
                Err(_) => return,
            }
        }
        if !reaped {
            std::thread::sleep(ROUND);
        }
    }
}

/// Direct children of this (single) thread. The list needs `CONFIG_PROC_CHILDREN`; where it is missing, all processes
/// are asked for their parent.
fn children() -> Vec<Pid> {
    match fs::read_to_string("/proc/thread-self/children") {
        Ok(list) => list.split_ascii_whitespace().filter_map(parse_pid).collect(),
        Err(_) => children_by_parent(),
    }
}

fn children_by_parent() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = getpid();
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = parse_pid(entry.file_name().to_str()?)?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            (parent(&stat)? == own).then_some(pid)
        })
        .collect()
}

/// The fourth field of `/proc/PID/stat`, counted from the last `)`: the second field is a name and may hold anything.
fn parent(stat: &str) -> Option<Pid> {
    let (_, rest) = stat.rsplit_once(')')?;
    parse_pid(rest.split_ascii_whitespace().nth(1)?)
}

fn parse_pid(text: &str) -> Option<Pid> {
    text.parse().ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_fake_a_parent() {
        let stat = "42 (a) S 7 (b) S 1234 42 42 0 -1";
        assert_eq!(parent(stat), Pid::from_raw(1234));
        assert_eq!(parent("42 (sh) Z"), None);
    }

    #[test]
    fn the_slow_way_finds_a_child_too() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = parse_pid(&child.id().to_string()).unwrap();
        let found = children_by_parent().contains(&pid);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
    }
}

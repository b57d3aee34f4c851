//! A snapshot of all processes, and who descends from whom in it.

use std::collections::{BTreeMap, HashSet};

/// Most steps from a process to the first one. Deeper trees are a knot or an attempt to exhaust the walk.
pub const MAX_ANCESTORS: usize = 1_024;

/// One process, for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

/// What is known of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessEntry {
    /// Its parent; 0 for the first process and what came from outside the namespace.
    pub parent: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
    /// The short name of its program.
    pub command: String,
    /// The first few words of its command line, without the program.
    pub arguments: Vec<String>,
}

/// All processes at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessTable(BTreeMap<u32, ProcessEntry>);

/// How a process stands to the governed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Neither a root nor a descendant of one.
    Free,
    /// A root, or a descendant of this one.
    Governed(Process),
    /// Not to be established: treat as governed.
    Unknown,
}

impl ProcessTable {
    /// A table of these processes.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = (u32, ProcessEntry)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// A process as it is now, to remember as a root.
    #[must_use]
    pub fn process(&self, pid: u32) -> Option<Process> {
        self.0.get(&pid).map(|entry| Process { pid, started: entry.started })
    }

    /// How a process stands to the governed roots.
    #[must_use]
    pub fn standing(&self, pid: u32, roots: &HashSet<Process>) -> Standing {
        let mut pid = pid;
        let mut child_started = u64::MAX;
        for _ in 0..=MAX_ANCESTORS {
            let Some(entry) = self.0.get(&pid) else {
                return Standing::Unknown;
            };
            // A parent younger than its child is another process under a number that came back.
            if entry.started > child_started {
                return Standing::Unknown;
            }
            let process = Process { pid, started: entry.started };
            if roots.contains(&process) {
                return Standing::Governed(process);
            }
            if entry.parent == 0 {
                return Standing::Free;
            }
            child_started = entry.started;
            pid = entry.parent;
        }
        Standing::Unknown
    }

    /// The agent host behind a shim: its nearest ancestor that is not a shell running one command.
    #[must_use]
    pub fn agent_host(&self, shim: u32) -> Option<Process> {
        let mut pid = self.0.get(&shim)?.parent;
        for _ in 0..MAX_ANCESTORS {
            let entry = self.0.get(&pid)?;
            if !entry.runs_one_command() {
                return self.process(pid);
            }
            pid = entry.parent;
        }
        None
    }
}

/// Programs that stand between a host and the command it was told to start.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox"];

impl ProcessEntry {
    /// `sh -c ...` and its like; an interactive shell is a host.
    fn runs_one_command(&self) -> bool {
        let mut options = self.arguments.iter().take_while(|word| word.starts_with('-') || *word == "sh");
        let is_shell = SHELLS.contains(&self.command.trim_start_matches('-'));
        is_shell && options.any(|word| !word.starts_with("--") && word.contains('c') && word.starts_with('-'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(parent: u32, started: u64, command: &str, arguments: &[&str]) -> ProcessEntry {
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        ProcessEntry { parent, started, command: command.to_owned(), arguments }
    }

    /// init(1) - terminal(10) - bash(11) - host(20) - sh -c(21) - shim(22); host - bash(30) - tool(31); bash(11) - mortise(40).
    fn table() -> ProcessTable {
        ProcessTable::new([
            (1, entry(0, 0, "init", &[])),
            (10, entry(1, 10, "terminal", &[])),
            (11, entry(10, 11, "bash", &["--login"])),
            (20, entry(11, 20, "host", &["-c", "x"])),
            (21, entry(20, 21, "sh", &["-c", "mortise proxy"])),
            (22, entry(21, 22, "mortise", &["proxy"])),
            (30, entry(20, 30, "bash", &[])),
            (31, entry(30, 31, "mortise", &["approvals"])),
            (40, entry(11, 40, "mortise", &["approvals"])),
        ])
    }

    fn roots() -> HashSet<Process> {
        [Process { pid: 20, started: 20 }].into()
    }

    #[test]
    fn roots_and_their_descendants_are_governed() {
        let host = Process { pid: 20, started: 20 };
        for pid in [20, 21, 22, 30, 31] {
            assert_eq!(table().standing(pid, &roots()), Standing::Governed(host), "{pid}");
        }
        for pid in [1, 10, 11, 40] {
            assert_eq!(table().standing(pid, &roots()), Standing::Free, "{pid}");
        }
    }

    #[test]
    fn a_number_that_came_back_is_another_process() {
        let old = [Process { pid: 20, started: 5 }].into();
        assert_eq!(table().standing(31, &old), Standing::Free);
        let mut young_parent = table();
        young_parent.0.get_mut(&30).unwrap().started = 99;
        assert_eq!(young_parent.standing(31, &HashSet::new()), Standing::Unknown);
    }

    #[test]
    fn what_cannot_be_established_is_unknown() {
        assert_eq!(table().standing(99, &roots()), Standing::Unknown);
        let mut orphan = table();
        orphan.0.remove(&10);
        assert_eq!(orphan.standing(40, &roots()), Standing::Unknown);
        let circle = ProcessTable::new([(1, entry(2, 0, "a", &[])), (2, entry(1, 0, "b", &[]))]);
        assert_eq!(circle.standing(1, &roots()), Standing::Unknown);
        assert_eq!(circle.agent_host(1), circle.process(2));
    }

    #[test]
    fn the_walk_is_bounded() {
        let chain = |length: u32| {
            let first = (1, entry(0, 0, "init", &[]));
            ProcessTable::new((2..=length).map(|pid| (pid, entry(pid - 1, 0, "x", &[]))).chain([first]))
        };
        let most = u32::try_from(MAX_ANCESTORS).unwrap() + 1;
        assert_eq!(chain(most).standing(most, &HashSet::new()), Standing::Free);
        assert_eq!(chain(most + 1).standing(most + 1, &HashSet::new()), Standing::Unknown);
    }

    #[test]
    fn the_host_is_behind_shells_that_run_one_command() {
        assert_eq!(table().agent_host(22), Some(Process { pid: 20, started: 20 }));
        assert_eq!(table().agent_host(40), Some(Process { pid: 11, started: 11 }), "an interactive shell is a host");
        assert_eq!(table().agent_host(31), Some(Process { pid: 30, started: 30 }));
        assert_eq!(table().agent_host(99), None);
        for words in [["-lc", "x"], ["-e", "-c"], ["sh", "-c"]] {
            assert!(entry(1, 1, if words[0] == "sh" { "busybox" } else { "bash" }, &words).runs_one_command());
        }
        for words in [["script.sh", "-c"], ["--rcfile", "x"], ["-i", "x"]] {
            assert!(!entry(1, 1, "bash", &words).runs_one_command(), "{words:?}");
        }
    }
}

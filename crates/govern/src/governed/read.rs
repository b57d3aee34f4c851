//! Reads the process table of Linux, each file bounded. Elsewhere there is none, and so nobody counts as free.

use super::process_table::{ProcessEntry, ProcessTable};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use thiserror::Error;

/// Most processes looked at; above it the table is refused rather than cut.
pub const MAX_PROCESSES: usize = 65_536;

/// Bytes read of a process's `stat` and `cmdline`. `stat` is about 350 bytes; of a command line the start is enough.
const READ_BYTES: u64 = 4_096;

/// Words kept of a command line after the program.
const WORDS: usize = 6;

/// Why there is no process table.
#[derive(Debug, Error)]
pub enum ReadProcessesError {
    /// The table cannot be listed.
    #[error("cannot list processes: {0}")]
    List(#[from] io::Error),
    /// More than [`MAX_PROCESSES`].
    #[error("more than {MAX_PROCESSES} processes")]
    TooMany,
}

/// Reads the process table below `proc`, normally `/proc`. Processes that end meanwhile are left out.
///
/// # Errors
/// When the folder cannot be read or holds too many processes.
pub fn read_process_table(proc: &Path) -> Result<ProcessTable, ReadProcessesError> {
    let mut entries = Vec::new();
    for folder in std::fs::read_dir(proc)? {
        let folder = folder?;
        let Some(pid) = folder.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if entries.len() >= MAX_PROCESSES {
            return Err(ReadProcessesError::TooMany);
        }
        let Some(mut entry) = start_of(&folder.path().join("stat")).and_then(|stat| parse_stat(&stat)) else {
            continue;
        };
        entry.arguments = start_of(&folder.path().join("cmdline")).map(|line| words(&line)).unwrap_or_default();
        entries.push((pid, entry));
    }
    Ok(ProcessTable::new(entries))
}

fn start_of(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(READ_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// proc_pid_stat(5): the name stands in parentheses and may hold any, so fields count from the last one.
/// After it: state (field 3), parent (4), ..., start time (22).
fn parse_stat(stat: &[u8]) -> Option<ProcessEntry> {
    let text = String::from_utf8_lossy(stat);
    let (head, fields) = text.rsplit_once(") ")?;
    let (_, command) = head.split_once('(')?;
    let mut fields = fields.split(' ');
    let parent = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(ProcessEntry { parent, started, command: command.to_owned(), arguments: Vec::new() })
}

fn words(line: &[u8]) -> Vec<String> {
    let words = line.split(|byte| *byte == 0).skip(1).take(WORDS).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a) (b c) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 2 3";

    #[test]
    fn fields_count_from_the_last_parenthesis() {
        let entry = parse_stat(STAT.as_bytes()).unwrap();
        assert_eq!((entry.parent, entry.started, entry.command.as_str()), (7, 12345, "a) (b c"));
        for bad in ["", "42 (a", "42 (a) S", "42 (a) S x 1", "42 a S 7", STAT.split(" 20 0").next().unwrap()] {
            assert_eq!(parse_stat(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn reads_a_folder_and_skips_what_vanished() {
        let dir = tempfile::tempdir().unwrap();
        for (pid, stat) in [("42", STAT), ("43", "garbage"), ("self", STAT)] {
            std::fs::create_dir(dir.path().join(pid)).unwrap();
            std::fs::write(dir.path().join(pid).join("stat"), stat).unwrap();
        }
        std::fs::create_dir(dir.path().join("44")).unwrap();
        std::fs::write(dir.path().join("42/cmdline"), b"sh\0-c\0x y\0").unwrap();
        let table = read_process_table(dir.path()).unwrap();
        let entry = ProcessEntry { arguments: vec!["-c".into(), "x y".into()], ..parse_stat(STAT.as_bytes()).unwrap() };
        assert_eq!(table, ProcessTable::new([(42, entry)]));
        assert!(read_process_table(&dir.path().join("none")).is_err());
    }

    #[test]
    fn reads_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cmdline");
        std::fs::write(&path, vec![b'x'; 10_000]).unwrap();
        assert_eq!(start_of(&path).unwrap().len() as u64, READ_BYTES);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn finds_itself() {
        use std::collections::HashSet;
        let table = read_process_table(Path::new("/proc")).unwrap();
        let me = table.process(std::process::id()).unwrap();
        assert_eq!(table.standing(me.pid, &HashSet::from([me])), super::super::Standing::Governed(me));
    }
}

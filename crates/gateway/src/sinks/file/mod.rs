//! The end of a file: a line of JSON for each record, with its columns, `index` and `origin`.
//!
//! The file is the sink's own, and may be moved away: the next batch begins another. A last line without its end is one
//! that could not be written whole, and is taken back.

use super::Sent;
use super::reading::Batch;
use rustix::fs::OFlags;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A line is shorter: a record is at most 64 KiB, and its columns are a part of it.
const LONGEST_LINE: u64 = 256 * 1024;

pub(super) struct Appended {
    path: PathBuf,
    /// Places that Mortise keeps for itself.
    own: Vec<PathBuf>,
}

impl Appended {
    /// A file, relative to the project's folder, and not among what Mortise keeps there or in `state`.
    pub(super) fn new(root: &Path, state: &Path, path: &str) -> Self {
        let mut own: Vec<PathBuf> =
            ["mortise", "mortise.toml", "mortise.lock", ".git"].map(|name| root.join(name)).into();
        own.push(state.to_owned());
        Self { path: root.join(path), own }
    }

    pub(super) async fn send(&self, origin: &str, batch: &Batch) -> Sent {
        let mut lines = Vec::new();
        for row in &batch.rows {
            let mut row = row.clone();
            if let Some(members) = row.as_object_mut() {
                members.insert("origin".to_owned(), Value::from(origin));
            }
            lines.extend_from_slice(row.to_string().as_bytes());
            lines.push(b'\n');
        }
        let (path, own) = (self.path.clone(), self.own.clone());
        let written = tokio::task::spawn_blocking(move || append(&path, &own, &lines)).await;
        match written {
            Ok(Ok(())) => Sent::Taken { rejected: 0 },
            Ok(Err(error)) => Sent::Failed { why: format!("`{}`: {error}", self.path.display()), after: None },
            Err(_) => Sent::Failed { why: "writing was interrupted".to_owned(), after: None },
        }
    }
}

/// Refuses a path that leads to one of these places, through links too. Nothing is made for it.
fn keep_out(path: &Path, own: &[PathBuf]) -> io::Result<()> {
    let there = path.ancestors().find(|there| there.symlink_metadata().is_ok()).unwrap_or(path);
    let rest = path.strip_prefix(there).unwrap_or(path);
    let is_plain = rest.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let real = std::fs::canonicalize(there)?.join(rest);
    // What is not there yet is compared as it is written.
    let real_of = |place: &PathBuf| std::fs::canonicalize(place).unwrap_or_else(|_| place.clone());
    if is_plain && !own.iter().map(real_of).any(|place| real.starts_with(place)) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "Mortise keeps its own files there; choose another `path` for the sink",
    ))
}

/// Appends lines, all of them or none, and makes them durable.
fn append(path: &Path, own: &[PathBuf], lines: &[u8]) -> io::Result<()> {
    keep_out(path, own)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let no_follow = OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    // Not for appending: what is torn has to be cut off. Not through a link that somebody put there.
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(no_follow);
    let mut file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let end = whole(&mut file)?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if written.is_err() {
        // A disk that is full may have taken a part.
        let _ = file.set_len(end);
    }
    written
}

/// Where the last whole line ends.
fn whole(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(LONGEST_LINE).read_to_end(&mut end)?;
    match end.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Ok(from + at as u64 + 1),
        None if from == 0 => Ok(0),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "it does not hold lines of JSON")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_nobody_elses_file_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out/events.jsonl");
        append(&path, &[], b"{\"a\":1}\n").unwrap();
        std::fs::write(&path, b"{\"a\":1}\n{\"a\":").unwrap();
        append(&path, &[], b"{\"a\":2}\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
        // Moved away, another one begins.
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        append(&path, &[], b"{\"a\":3}\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":3}\n");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("old"), &link).unwrap();
        assert!(append(&link, &[], b"x\n").is_err());
        assert!(append(dir.path(), &[], b"x\n").is_err());
        assert_eq!(std::fs::read(dir.path().join("old")).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
    }

    #[test]
    fn what_mortise_keeps_for_itself_is_nobodys_sink() {
        let dir = tempfile::tempdir().unwrap();
        let (root, state) = (dir.path().join("project"), dir.path().join("state"));
        for folder in [&root.join("mortise"), &root.join("out"), &state.join("log/seg"), &state.join("keys")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(root.join("mortise.toml"), "[project]\n").unwrap();
        std::os::unix::fs::symlink(&state, root.join("link")).unwrap();
        let state_log = state.join("log/seg/00000000000000000000.log").display().to_string();
        for path in [
            "../state/events.jsonl",
            "../state/log/new/events.jsonl",
            "../state/keys/events.jsonl",
            "out/../../state/log/events.jsonl",
            "new/../../state/events.jsonl",
            "link/log/events.jsonl",
            "mortise/agents/events.jsonl",
            "mortise.toml",
            "mortise.lock",
            ".git/config",
            &state_log,
        ] {
            let sink = Appended::new(&root, &state, path);
            assert!(append(&sink.path, &sink.own, b"x\n").is_err(), "{path}");
        }
        assert_eq!(std::fs::read(root.join("mortise.toml")).unwrap(), b"[project]\n");
        assert!(!state.join("log/new").exists() && !root.join("new").exists() && !root.join("mortise/agents").exists());
        for path in ["out/events.jsonl", "mortise.log", "fresh/deep/events.jsonl", "../elsewhere.jsonl"] {
            let sink = Appended::new(&root, &state, path);
            append(&sink.path, &sink.own, b"x\n").unwrap();
        }
    }
}

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

pub(super) struct Appended(PathBuf);

impl Appended {
    /// A file, relative to the project's folder.
    pub(super) fn new(root: &Path, path: &str) -> Self {
        Self(root.join(path))
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
        let path = self.0.clone();
        let written = tokio::task::spawn_blocking(move || append(&path, &lines)).await;
        match written {
            Ok(Ok(())) => Sent::Taken { rejected: 0 },
            Ok(Err(error)) => Sent::Failed { why: format!("`{}`: {error}", self.0.display()), after: None },
            Err(_) => Sent::Failed { why: "writing was interrupted".to_owned(), after: None },
        }
    }
}

/// Appends lines, all of them or none, and makes them durable.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
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
        append(&path, b"{\"a\":1}\n").unwrap();
        std::fs::write(&path, b"{\"a\":1}\n{\"a\":").unwrap();
        append(&path, b"{\"a\":2}\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
        // Moved away, another one begins.
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        append(&path, b"{\"a\":3}\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":3}\n");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("old"), &link).unwrap();
        assert!(append(&link, b"x\n").is_err());
        assert!(append(dir.path(), b"x\n").is_err());
        assert_eq!(std::fs::read(dir.path().join("old")).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
    }
}

//! Reading a log without holding it: while a gateway writes it, or years later.

use crate::log::{
    checkpoints::{self, StoredError},
    identity::read_line,
    layout::Layout,
    prune::{
        Removed,
        prefix::{self, Prefix},
    },
    scan::{Mark, SegmentScan, Step},
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Reads the records of a log. Takes no lock and changes nothing.
///
/// Reading stops at the first place that is not the next record. While a gateway writes, that is the end. Where the
/// published checkpoint is over more records than that, it is none, and an error ([`ReadError::Short`]): a gateway writes records
/// before it signs a checkpoint over them. No key is asked for: what the checkpoint is worth, and whether the log is whole, is for
/// [`verify`](crate::verify()) to say. Records may be seen shortly before they are durable.
#[derive(Clone, Debug)]
pub struct LogReader {
    layout: Layout,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its index in the log.
    pub index: u64,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no log.
    #[error("`{0}` holds no log")]
    NoLog(PathBuf),
    /// The file system failed.
    #[error("`{path}` cannot be read: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Records that were signed are not there, or cannot be read.
    #[error("{}, and a checkpoint is over {sealed}", ended(*records))]
    Short {
        /// Number of records before the place where they end, those that were pruned included.
        records: u64,
        /// Records under the published checkpoint.
        sealed: u64,
    },
    /// The file `checkpoint` is none, so nobody can say whether the records end where they should.
    #[error("`{path}` is no checkpoint: {reason}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

fn ended(records: u64) -> String {
    match records.checked_sub(1) {
        Some(last) => format!("the records end at #{last}"),
        None => "no record is there".to_owned(),
    }
}

impl LogReader {
    /// A reader of the log in `dir`.
    ///
    /// # Errors
    /// There is no log, or it cannot be told whether there is one.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let layout = Layout::new(dir);
        match layout.is_there() {
            Ok(true) => Ok(Self { layout }),
            Ok(false) => Err(ReadError::NoLog(dir.to_owned())),
            Err(source) => Err(ReadError::Io { path: layout.segment_dir(), source }),
        }
    }

    /// The log's name.
    ///
    /// # Errors
    /// The file system fails.
    pub fn origin(&self) -> Result<String, ReadError> {
        let path = self.layout.origin();
        read_line(&path).map_err(|source| ReadError::Io { path, source })
    }

    /// Index of the first record that is there: 0 unless the beginning of the log was pruned.
    ///
    /// # Errors
    /// The file system fails.
    pub fn first(&self) -> Result<u64, ReadError> {
        first(&self.layout)
    }

    /// The removal that took the record at `index`, if one did.
    ///
    /// # Errors
    /// The file system fails, or what stays known of the records that are gone cannot be read.
    pub fn pruned(&self, index: u64) -> Result<Option<Removed>, ReadError> {
        let path = self.layout.pruned();
        let prefix = Prefix::read(&self.layout).map_err(|source| ReadError::Io { path, source })?;
        Ok(prefix.and_then(|prefix| prefix.removal_of(index).cloned()))
    }

    /// Number of records now, those that were pruned included.
    ///
    /// # Errors
    /// The file system fails; records that were signed are not there.
    pub fn len(&self) -> Result<u64, ReadError> {
        // No record has this index: every segment from the last one on is read to its end.
        let mut records = self.iter_from(u64::MAX);
        let none = records.read()?;
        debug_assert!(none.is_none());
        Ok(records.scan.map_or(0, |(_, scan)| scan.next_index()))
    }

    /// Whether there is no record.
    ///
    /// # Errors
    /// The file system fails; records that were signed are not there.
    pub fn is_empty(&self) -> Result<bool, ReadError> {
        Ok(self.iter_from(0).next().transpose()?.is_none())
    }

    /// The record at `index`. Reads the segment it is in up to there.
    ///
    /// # Errors
    /// The file system fails; the records end before, and others that were signed are not there.
    pub fn get(&self, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let found = self.iter_from(index).next().transpose()?;
        Ok(found.filter(|record| record.index == index).map(|record| record.bytes))
    }

    /// The records from `index` on; from the first one that is there where those before it were pruned, now or meanwhile:
    /// each record has its index.
    ///
    /// The iterator follows a growing log: after `None` it may be asked again, and goes on with what was added since.
    #[must_use]
    pub fn iter_from(&self, index: u64) -> Records {
        Records { layout: self.layout.clone(), scan: None, next: index, told: None }
    }

    /// The records from a remembered position on: without reading what lies before it in its segment.
    ///
    /// # Errors
    /// The file system fails.
    pub(crate) fn iter_at(&self, position: Position) -> Result<Records, ReadError> {
        let path = self.layout.segment(position.segment);
        let scan = SegmentScan::open_at(&path, position.mark).map_err(|source| ReadError::Io { path, source })?;
        let (layout, next) = (self.layout.clone(), position.mark.next);
        Ok(Records { layout, scan: Some((position.segment, scan)), next, told: None })
    }

    /// Which log it is: its origin and its verifying key, each as the file's line.
    ///
    /// # Errors
    /// The file system fails.
    pub(crate) fn identity(&self) -> Result<(String, String), ReadError> {
        let line = |path: PathBuf| read_line(&path).map_err(|source| ReadError::Io { path, source });
        Ok((line(self.layout.origin())?, line(self.layout.vkey())?))
    }
}

/// A place in the log to go on reading from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// First index of the segment.
    pub(crate) segment: u64,
    /// Where in it.
    pub(crate) mark: Mark,
}

/// Records in order; see [`LogReader::iter_from`].
pub struct Records {
    layout: Layout,
    /// The segment being read and its first index.
    scan: Option<(u64, SegmentScan)>,
    /// Index of the next record to give.
    next: u64,
    /// Where it was said last that records are not there: said once, and `None` is given from then on.
    told: Option<u64>,
}

impl Records {
    /// Index of the record that [`next`](Iterator::next) gives, now or later.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Where the next record is looked for; `None` before the first segment was opened.
    pub(crate) fn place(&self) -> Option<Position> {
        self.scan.as_ref().map(|(segment, scan)| Position { segment: *segment, mark: scan.mark() })
    }

    /// The next record. An end counts when the records are as many as the checkpoint was over before it was reached: records
    /// are written before they are signed.
    fn read(&mut self) -> Result<Option<Record>, ReadError> {
        let mut sealed = 0;
        loop {
            if let Some(record) = self.read_on()? {
                return Ok(Some(record));
            }
            let records = self.end()?;
            if records < sealed {
                self.told = Some(records);
                return Err(ReadError::Short { records, sealed });
            }
            if self.told == Some(records) {
                return Ok(None);
            }
            sealed = self.sealed()?;
            if records >= sealed {
                return Ok(None);
            }
        }
    }

    /// Number of records before the place where reading stopped, those that were pruned included.
    fn end(&self) -> Result<u64, ReadError> {
        self.scan.as_ref().map_or_else(|| first(&self.layout), |(_, scan)| Ok(scan.next_index()))
    }

    /// Records under the published checkpoint; 0 without one.
    fn sealed(&self) -> Result<u64, ReadError> {
        let path = self.layout.checkpoint();
        checkpoints::claimed_size(&path).map(Option::unwrap_or_default).map_err(|error| match error {
            StoredError::Io { path, source } => ReadError::Io { path, source },
            StoredError::Invalid { path, reason } => ReadError::Checkpoint { path, reason },
        })
    }

    fn read_on(&mut self) -> Result<Option<Record>, ReadError> {
        // What was read ahead may be from before the writer's last commit: an end is one only when looked at afresh.
        let mut fresh = false;
        loop {
            let Some((first, scan)) = &mut self.scan else {
                if !self.advance()? {
                    return Ok(None);
                }
                continue;
            };
            let path = self.layout.segment(*first);
            match scan.step().map_err(|source| ReadError::Io { path, source })? {
                Step::Record(frame) if frame.index < self.next => fresh = false,
                Step::Record(frame) => {
                    self.next = frame.index + 1;
                    return Ok(Some(Record { index: frame.index, bytes: frame.bytes.to_vec() }));
                }
                Step::End | Step::Bad if !fresh => {
                    scan.refresh();
                    fresh = true;
                }
                Step::End | Step::Bad => {
                    scan.refresh();
                    fresh = false;
                    if !self.advance()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Goes to the segment that holds the next record, or to the end of the last one. False when there is no other
    /// than the present one.
    fn advance(&mut self) -> Result<bool, ReadError> {
        let failed = |path: PathBuf| move |source| ReadError::Io { path, source };
        let (at, from) = match &self.scan {
            None => {
                let start = first(&self.layout)?;
                self.next = self.next.max(start);
                let segments = self.layout.segments().map_err(failed(self.layout.segment_dir()))?;
                let holding = segments.into_iter().rev().find(|first| *first <= self.next && *first >= start);
                match holding {
                    Some(first) => (first, 0),
                    None => return Ok(false),
                }
            }
            Some((segment, scan)) => {
                // A segment is begun only when the one before is complete, so its name says whether this one is.
                let next = scan.next_index();
                let path = self.layout.segment(next);
                let begun = path.try_exists().map_err(failed(path.clone()))?;
                if !begun && next < first(&self.layout)? {
                    // It is gone: records were pruned meanwhile.
                    self.scan = None;
                    return Ok(true);
                }
                if !begun || next == *segment {
                    return Ok(false);
                }
                (next, scan.epoch())
            }
        };
        let path = self.layout.segment(at);
        match SegmentScan::open(&path, at, from) {
            Ok(scan) => self.scan = Some((at, scan)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && at < first(&self.layout)? => self.scan = None,
            Err(error) => return Err(failed(path)(error)),
        }
        Ok(true)
    }
}

fn first(layout: &Layout) -> Result<u64, ReadError> {
    prefix::start(layout).map(|start| start.0).map_err(|source| ReadError::Io { path: layout.pruned(), source })
}

impl Iterator for Records {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{append, open, record};

    #[test]
    fn a_reader_follows_a_growing_log_over_segments() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(LogReader::open(dir.path()), Err(ReadError::NoLog(_))));
        let (log, _) = open(dir.path());
        let reader = LogReader::open(dir.path()).unwrap();
        assert!(reader.is_empty().unwrap());
        let (mut all, mut later) = (reader.iter_from(0), reader.iter_from(9));
        assert!(all.next().is_none() && later.next().is_none());
        for number in 0..12 {
            let bytes = record(number, 30_000);
            append(&log, vec![bytes.clone()]).unwrap();
            assert_eq!(all.next().unwrap().unwrap(), Record { index: number, bytes: bytes.clone() });
            assert!(all.next().is_none());
            assert_eq!(later.next().map(|found| found.unwrap().index), (number >= 9).then_some(number));
            assert_eq!(reader.len().unwrap(), number + 1);
            assert_eq!(reader.get(number).unwrap(), Some(bytes));
            assert_eq!(reader.get(number + 1).unwrap(), None);
        }
        assert_eq!(all.position(), 12);
        assert!(std::fs::read_dir(dir.path().join("seg")).unwrap().count() > 2);
        assert_eq!(
            reader.iter_from(3).map(|found| found.unwrap().index).collect::<Vec<_>>(),
            (3..12).collect::<Vec<_>>()
        );
    }

    #[test]
    fn reading_stops_at_the_first_place_that_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        crate::fixture::closed(dir.path(), 4);
        let path = dir.path().join("seg/00000000000000000000.log");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[2 * (record(0, 0).len() + 24) + 40] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let reader = LogReader::open(dir.path()).unwrap();
        let mut records = reader.iter_from(0);
        assert_eq!(records.by_ref().take(2).filter_map(Result::ok).count(), 2);
        let said = records.next().unwrap().unwrap_err();
        assert!(matches!(said, ReadError::Short { records: 2, sealed: 4 }), "{said}");
        assert_eq!(said.to_string(), "the records end at #1, and a checkpoint is over 4");
        assert!(records.next().is_none(), "it is said once");
        for asked in [reader.len().map(Some), reader.get(3).map(|_| None), reader.get(2).map(|_| None)] {
            assert!(matches!(asked, Err(ReadError::Short { records: 2, sealed: 4 })), "{asked:?}");
        }
        assert_eq!(reader.get(1).unwrap(), Some(record(1, 0)), "what is there is there");
    }

    #[test]
    fn an_end_is_one_when_the_checkpoint_is_over_no_more_than_that() {
        let dir = tempfile::tempdir().unwrap();
        crate::fixture::closed(dir.path(), 4);
        let reader = LogReader::open(dir.path()).unwrap();
        let (segment, checkpoint) = (dir.path().join("seg/00000000000000000000.log"), dir.path().join("checkpoint"));
        let (records, note) = (std::fs::read(&segment).unwrap(), std::fs::read_to_string(&checkpoint).unwrap());
        let last = 3 * (record(0, 0).len() + 24);
        let cut = |bytes: &mut Vec<u8>| bytes[last..].fill(0);
        let mut shorter = records.clone();
        cut(&mut shorter);
        std::fs::write(&segment, &shorter).unwrap();
        assert!(matches!(reader.len(), Err(ReadError::Short { records: 3, sealed: 4 })));
        assert!(note.contains("\n4\n"), "{note}");
        // Its signature is none any more, and nobody asks for one.
        std::fs::write(&checkpoint, note.replacen("\n4\n", "\n3\n", 1)).unwrap();
        assert_eq!((reader.len().unwrap(), reader.iter_from(0).count()), (3, 3));
        std::fs::write(&checkpoint, note.replacen("\n4\n", "\n04\n", 1)).unwrap();
        assert!(matches!(reader.len(), Err(ReadError::Checkpoint { .. })));
        std::fs::remove_file(&checkpoint).unwrap();
        assert_eq!(reader.len().unwrap(), 3);
        std::fs::write(&checkpoint, note).unwrap();
        std::fs::remove_file(&segment).unwrap();
        let said = reader.iter_from(0).next().unwrap().unwrap_err();
        assert_eq!(said.to_string(), "no record is there, and a checkpoint is over 4");
    }

    /// The checkpoint is a pipe here, so that what a gateway does between two looks is done between them.
    #[test]
    fn what_was_written_and_signed_between_two_looks_is_found_by_the_second() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let dir = tempfile::tempdir().unwrap();
        crate::fixture::closed(dir.path(), 4);
        let (segment, checkpoint) = (dir.path().join("seg/00000000000000000000.log"), dir.path().join("checkpoint"));
        let (records, note) = (std::fs::read(&segment).unwrap(), std::fs::read(&checkpoint).unwrap());
        let mut shorter = records.clone();
        shorter[3 * (record(0, 0).len() + 24)..].fill(0);
        std::fs::write(&segment, &shorter).unwrap();
        std::fs::remove_file(&checkpoint).unwrap();
        mknodat(CWD, &checkpoint, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let reader = LogReader::open(dir.path()).unwrap();
        let looking = std::thread::spawn(move || reader.len());
        // Opens when the reader does, which has seen three records by then; it reads on at the end of this.
        let mut pipe = std::fs::OpenOptions::new().write(true).open(&checkpoint).unwrap();
        std::fs::write(&segment, &records).unwrap();
        std::io::Write::write_all(&mut pipe, &note).unwrap();
        // What is looked at from then on is a file.
        std::fs::remove_file(&checkpoint).unwrap();
        std::fs::write(&checkpoint, &note).unwrap();
        drop(pipe);
        assert_eq!(looking.join().unwrap().unwrap(), 4);
    }

    #[test]
    fn a_log_that_may_not_be_looked_at_is_not_taken_for_none() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert!(matches!(LogReader::open(&log), Err(ReadError::NoLog(_))));
        // A link to itself cannot be looked through, by root neither.
        symlink(&log, &log).unwrap();
        assert!(matches!(LogReader::open(&log), Err(ReadError::Io { .. })));
        std::fs::remove_file(&log).unwrap();
        std::fs::write(&log, "a file").unwrap();
        assert!(matches!(LogReader::open(&log), Err(ReadError::NoLog(_))));
    }
}

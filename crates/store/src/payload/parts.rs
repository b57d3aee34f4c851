//! The parts of a unit: what was written call by call, and what was packed later.
//!
//! ```text
//! <unit>/seg/<first>.log               blocks as they were written
//! <unit>/packed/<n>/seg/<first>.log    the same, packed together
//! <unit>/packed/<n>/replaces           which segments of the first kind it is there for, until these are removed
//! <unit>/packing/                      a part that is not finished; removed when it is met
//! ```
//!
//! A part becomes one by getting its name; from then on what it replaces is not read any more, whether it is removed yet or
//! not. So a crash at any moment leaves each payload there once.

use crate::{atomic, log::layout::Layout};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Digits of a segment's name.
const DIGITS: usize = 20;
/// Longest list of replaced segments, which are named in 21 bytes each: those of 46 TiB.
const MAX_LIST_BYTES: u64 = 16 * 1024 * 1024;
/// Parts of one unit. Each one more takes a clock that was set back by a day.
const MAX_PACKED: u32 = 1_000;

/// A part of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Part(Option<u32>);

impl Part {
    /// What was written call by call.
    pub(crate) const WRITTEN: Self = Self(None);

    fn dir(self, unit: &Path) -> PathBuf {
        self.0.map_or_else(|| unit.to_owned(), |number| packed_dir(unit).join(number.to_string()))
    }

    /// Where its segments lie.
    pub(crate) fn layout(self, unit: &Path) -> Layout {
        Layout::new(&self.dir(unit))
    }

    fn list(self, unit: &Path) -> PathBuf {
        self.dir(unit).join("replaces")
    }
}

/// The segments of a unit that are to be read, in order.
pub(crate) fn segments(unit: &Path) -> io::Result<Vec<(Part, u64)>> {
    // In this order: what is packed in between is then found twice, or not where it was, and never not at all.
    let written = Part::WRITTEN.layout(unit).segments()?;
    let packed = packed(unit)?;
    let mut replaced = BTreeSet::new();
    for part in &packed {
        replaced.extend(replaces(*part, unit)?.unwrap_or_default());
    }
    let written = written.into_iter().filter(|first| !replaced.contains(first));
    let mut found: Vec<(Part, u64)> = written.map(|first| (Part::WRITTEN, first)).collect();
    for part in packed {
        found.extend(part.layout(unit).segments()?.into_iter().map(|first| (part, first)));
    }
    Ok(found)
}

/// Bytes on disk of a unit: of what is packed, and of all that is read.
pub(crate) fn bytes_of(unit: &Path) -> io::Result<(u64, u64)> {
    let (mut packed, mut all) = (0, length(&Part::WRITTEN.layout(unit).spare())?);
    for (part, first) in segments(unit)? {
        let bytes = length(&part.layout(unit).segment(first))?;
        all += bytes;
        packed += if part == Part::WRITTEN { 0 } else { bytes };
    }
    Ok((packed, all))
}

/// Where a part is made.
pub(crate) fn unfinished(unit: &Path) -> PathBuf {
    unit.join("packing")
}

/// Gives what was made its name: from now on it is read in place of these segments. All of it is durable before.
pub(crate) fn put(unit: &Path, replaced: &[u64]) -> io::Result<()> {
    let number = packed(unit)?.last().map_or(Some(0), |part| part.0?.checked_add(1));
    let number = number.filter(|number| *number < MAX_PACKED).ok_or_else(|| io::Error::other("too many parts"))?;
    let making = unfinished(unit);
    let list = making.join("replaces");
    let names: String = replaced.iter().map(|first| format!("{first:0DIGITS$}\n")).collect();
    if names.len() as u64 > MAX_LIST_BYTES {
        return Err(io::Error::other("too many segments"));
    }
    let mut file = atomic::create(&list)?;
    atomic::step(&list)?;
    file.write_all(names.as_bytes())?;
    atomic::sync(&file, &list)?;
    atomic::sync_parent(&list)?;
    atomic::create_dir(&packed_dir(unit))?;
    atomic::sync_parent(&packed_dir(unit))?;
    let part = Part(Some(number)).dir(unit);
    atomic::rename(&making, &part)?;
    atomic::sync_parent(&part)
}

/// Finishes what a crash interrupted: removes what is replaced, and what was never finished.
pub(crate) fn settle(unit: &Path) -> io::Result<()> {
    for part in packed(unit)? {
        let Some(replaced) = replaces(part, unit)? else { continue };
        let written = Part::WRITTEN.layout(unit);
        for first in replaced {
            gone(atomic::remove(&written.segment(first)))?;
        }
        // Zeros for a segment that never came.
        gone(atomic::remove(&written.spare()))?;
        // First the segments are gone for good, then the list of them.
        gone(atomic::sync_parent(&written.spare()))?;
        atomic::remove(&part.list(unit))?;
        atomic::sync_parent(&part.list(unit))?;
    }
    discard(unit)
}

/// Removes a part that is not finished.
pub(crate) fn discard(unit: &Path) -> io::Result<()> {
    let making = unfinished(unit);
    if !making.exists() {
        return Ok(());
    }
    atomic::step(&making)?;
    gone(std::fs::remove_dir_all(making))
}

fn packed_dir(unit: &Path) -> PathBuf {
    unit.join("packed")
}

/// The parts that are packed, oldest first. Names that are no numbers are left out.
fn packed(unit: &Path) -> io::Result<Vec<Part>> {
    let entries = match std::fs::read_dir(packed_dir(unit)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut parts = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let number =
            name.to_str().and_then(|name| name.parse::<u32>().ok().filter(|number| number.to_string() == name));
        parts.extend(number.map(|number| Part(Some(number))));
    }
    parts.sort_unstable();
    Ok(parts)
}

/// The segments that a part is there for, as long as they are not removed.
fn replaces(part: Part, unit: &Path) -> io::Result<Option<Vec<u64>>> {
    let file = match File::open(part.list(unit)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_LIST_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let names = text.lines().filter(|line| line.len() == DIGITS && line.bytes().all(|byte| byte.is_ascii_digit()));
    Ok(Some(names.filter_map(|line| line.parse().ok()).collect()))
}

fn length(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        found => Ok(found?.len()),
    }
}

fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

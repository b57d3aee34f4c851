//! What is past its time, and what it takes up.

use super::{Place, block, blocks::Blocks, day::Day, parts};
use crate::atomic;
use std::{io, path::Path};
use vocab::event::PayloadClass;

/// One class on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The class.
    pub class: PayloadClass,
    /// The day.
    pub day: Day,
    /// Bytes on disk.
    pub bytes: u64,
    /// Of these, bytes of what is packed.
    pub packed: u64,
}

/// The units of the log in this directory, by class and day.
///
/// # Errors
/// The file system failed.
pub fn units(log: &Path) -> io::Result<Vec<Unit>> {
    units_in(&Place::of_log(log))
}

pub(super) fn units_in(place: &Place) -> io::Result<Vec<Unit>> {
    let mut units = Vec::new();
    for class in PayloadClass::ALL {
        for day in place.days(class)? {
            let (packed, bytes) = parts::bytes_of(&place.unit(class, day))?;
            units.push(Unit { class, day, bytes, packed });
        }
    }
    Ok(units)
}

/// Bytes of all files below a directory. One that goes meanwhile counts nothing.
///
/// # Errors
/// The file system failed.
pub fn bytes_below(dir: &Path) -> io::Result<u64> {
    let (mut bytes, mut folders) = (0, vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes += found.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}

/// How many payloads a unit has.
///
/// # Errors
/// The file system failed.
pub fn count(log: &Path, unit: Unit) -> io::Result<u64> {
    let mut blocks = Blocks::of(&Place::of_log(log).unit(unit.class, unit.day))?;
    let mut count = 0;
    while let Some((_, block)) = blocks.next()? {
        count += block::parse(block).map_or(0, |block| block.tags.len() as u64);
    }
    Ok(count)
}

/// Removes a unit, durably. That it is gone already is no error.
///
/// # Errors
/// The file system failed: some of it may be gone.
pub fn remove(log: &Path, unit: Unit) -> io::Result<()> {
    let dir = Place::of_log(log).unit(unit.class, unit.day);
    atomic::step(&dir)?;
    match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    atomic::sync_parent(&dir)
}

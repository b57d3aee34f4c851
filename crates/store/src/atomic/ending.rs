//! A process, or the power, that ends before a chosen change of a file: nothing below a directory changes any more.

use super::power::Disk;
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What is to end below a directory.
struct End {
    /// Changes that may still be made.
    left: u64,
    /// Whether one was refused.
    refused: bool,
    /// With the power, what was not made durable goes.
    disk: Option<Disk>,
}

static ENDS: Mutex<Option<HashMap<PathBuf, End>>> = Mutex::new(None);

fn ends() -> MutexGuard<'static, Option<HashMap<PathBuf, End>>> {
    ENDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets `changes` further changes below `dir` be made, and none after them, as `kill -9` does.
pub(crate) fn after(dir: &Path, changes: u64) {
    ends().get_or_insert_default().insert(dir.to_owned(), End { left: changes, refused: false, disk: None });
}

/// The same when the power goes. `seed` chooses what of it that was not made durable is on the disk all the same.
pub(crate) fn power_after(dir: &Path, changes: u64, seed: u64) {
    let disk = Some(Disk::new(dir, seed.wrapping_add(changes << 8)));
    ends().get_or_insert_default().insert(dir.to_owned(), End { left: changes, refused: false, disk });
}

/// The next process: whether the one before was ended. With the power, `dir` is what the disk has of it from now on.
pub(crate) fn over(dir: &Path) -> bool {
    let end = ends().get_or_insert_default().remove(dir);
    let refused = end.as_ref().is_some_and(|end| end.refused);
    if let Some(disk) = end.and_then(|end| end.disk)
        && refused
    {
        disk.restore();
    }
    refused
}

/// The power goes now.
pub(crate) fn power_goes(dir: &Path) {
    if let Some(end) = ends().get_or_insert_default().get_mut(dir) {
        end.left = 0;
    }
    let _ = step(&dir.join("anything"));
    assert!(over(dir));
}

pub(crate) fn step(path: &Path) -> io::Result<()> {
    step_writing(path, &[], 0)
}

pub(crate) fn step_writing(path: &Path, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut ends = ends();
    let Some(end) = watched(&mut ends, path) else { return Ok(()) };
    if end.left == 0 {
        if let Some(disk) = end.disk.as_mut().filter(|_| !end.refused) {
            disk.cut(path, bytes, offset);
        }
        end.refused = true;
        return Err(io::Error::other("the process has ended"));
    }
    end.left -= 1;
    if let Some(disk) = &mut end.disk {
        disk.look_beside(path);
    }
    Ok(())
}

pub(crate) fn is_synced(path: &Path) -> io::Result<()> {
    made_durable(path, |disk| disk.is_synced(path))
}

pub(crate) fn names_are_synced(dir: &Path) -> io::Result<()> {
    made_durable(dir, |disk| disk.names_are_synced(dir))
}

pub(crate) fn is_synced_below(dir: &Path) -> io::Result<()> {
    made_durable(dir, |disk| disk.is_synced_below(dir))
}

/// What was made durable by another thread when the power had gone already is told to nobody.
fn made_durable(path: &Path, note: impl FnOnce(&mut Disk)) -> io::Result<()> {
    let mut ends = ends();
    let Some(End { refused, disk: Some(disk), .. }) = watched(&mut ends, path) else { return Ok(()) };
    if *refused {
        return Err(io::Error::other("the process has ended"));
    }
    note(disk);
    Ok(())
}

fn watched<'a>(ends: &'a mut Option<HashMap<PathBuf, End>>, path: &Path) -> Option<&'a mut End> {
    ends.get_or_insert_default().iter_mut().find(|(dir, _)| path.starts_with(dir)).map(|(_, end)| end)
}

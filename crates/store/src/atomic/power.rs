//! What a disk has when the power goes: what was made durable, and of everything else an arbitrary part.
//!
//! Names of one directory reach the disk in the order in which they changed, those of different directories in any order,
//! and before or after the bytes of the files. Of bytes that were not made durable there is all, nothing or a beginning, and
//! of those that were written over others some of the sectors: a file is never longer than what it has of its bytes, as on
//! all file systems that journal lengths after bytes.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fs::{DirBuilder, File, OpenOptions},
    io::Write,
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// Sectors are what a disk writes at once.
const SECTOR: usize = 512;

/// The names of a directory, and what they stand for.
type Listing = BTreeMap<OsString, Entry>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Dir(u64),
    File(u64),
}

/// A directory, held open so that no other one gets its number.
struct Names {
    held: File,
    /// The durable names first, then those after each change.
    seen: Vec<Listing>,
}

/// A file, held open as well.
struct Bytes {
    held: File,
    durable: Vec<u8>,
}

/// What is known of a directory and everything below it.
pub(super) struct Disk {
    root: PathBuf,
    root_id: u64,
    dirs: HashMap<u64, Names>,
    files: HashMap<u64, Bytes>,
    random: u64,
    /// What is there when the power comes back: directories before what is in them.
    left: Vec<(PathBuf, Left)>,
}

enum Left {
    Dir,
    File(u64, Vec<u8>),
}

impl Disk {
    pub(super) fn new(root: &Path, seed: u64) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            root_id: 0,
            dirs: HashMap::new(),
            files: HashMap::new(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            left: Vec::new(),
        };
        disk.root_id = disk.know_dir(root).unwrap();
        disk.settle(disk.root_id);
        disk
    }

    /// Everything that is there now is durable.
    fn settle(&mut self, dir: u64) {
        self.look(dir);
        let listing = self.dirs[&dir].seen.last().cloned().unwrap_or_default();
        self.dirs.get_mut(&dir).unwrap().seen = vec![listing.clone()];
        for entry in listing.into_values() {
            match entry {
                Entry::Dir(id) => self.settle(id),
                Entry::File(id) => {
                    let file = self.files.get_mut(&id).unwrap();
                    file.durable = read(&file.held);
                }
            }
        }
    }

    pub(super) fn is_synced_below(&mut self, dir: &Path) {
        if let Some(id) = self.know_dir(dir) {
            self.settle(id);
        }
    }

    /// Before a change of `path`: the names beside it as they are now.
    pub(super) fn look_beside(&mut self, path: &Path) {
        if let Some(dir) = path.parent().filter(|dir| dir.starts_with(&self.root)).and_then(|dir| self.know_dir(dir)) {
            self.look(dir);
        }
    }

    pub(super) fn is_synced(&mut self, path: &Path) {
        self.look_beside(path);
        let Some(id) = File::open(path).ok().and_then(|file| file.metadata().ok()).map(|found| found.ino()) else {
            return;
        };
        if let Some(file) = self.files.get_mut(&id) {
            file.durable = read(&file.held);
        }
    }

    pub(super) fn names_are_synced(&mut self, dir: &Path) {
        let Some(id) = self.know_dir(dir) else { return };
        self.look(id);
        let seen = &mut self.dirs.get_mut(&id).unwrap().seen;
        seen.drain(..seen.len() - 1);
    }

    /// The power goes while these bytes are written to a file.
    pub(super) fn cut(&mut self, path: &Path, bytes: &[u8], offset: u64) {
        self.look_beside(path);
        if let Ok(file) = OpenOptions::new().write(true).open(path) {
            for (at, sector) in bytes.chunks(SECTOR).enumerate() {
                if self.draw(2) == 0 {
                    file.write_all_at(sector, offset + (at * SECTOR) as u64).unwrap();
                }
            }
        }
        let root = self.root.clone();
        self.leave(self.root_id, &root);
    }

    /// Puts what the disk has in the place of what there was.
    pub(super) fn restore(self) {
        for entry in std::fs::read_dir(&self.root).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                std::fs::remove_dir_all(entry.path()).unwrap();
            } else {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
        let mut named: HashMap<u64, PathBuf> = HashMap::new();
        for (path, left) in self.left {
            match left {
                Left::Dir => DirBuilder::new().mode(0o700).create(path).unwrap(),
                Left::File(id, _) if named.contains_key(&id) => std::fs::hard_link(&named[&id], path).unwrap(),
                Left::File(id, bytes) => {
                    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
                    file.write_all(&bytes).unwrap();
                    named.insert(id, path);
                }
            }
        }
    }

    /// Chooses what there is of a directory, and of everything that is then in it.
    fn leave(&mut self, dir: u64, path: &Path) {
        self.look(dir);
        let choices = self.dirs[&dir].seen.len();
        let chosen = self.draw(choices);
        let listing = self.dirs[&dir].seen[chosen].clone();
        for (name, entry) in listing {
            let path = path.join(name);
            match entry {
                Entry::Dir(id) => {
                    self.left.push((path.clone(), Left::Dir));
                    self.leave(id, &path);
                }
                Entry::File(id) => {
                    let bytes = self.bytes(id);
                    self.left.push((path, Left::File(id, bytes)));
                }
            }
        }
    }

    fn bytes(&mut self, id: u64) -> Vec<u8> {
        let (durable, now) = (self.files[&id].durable.clone(), read(&self.files[&id].held));
        if durable == now {
            return durable;
        }
        match self.draw(4) {
            0 => durable,
            1 => now,
            2 => {
                let until = self.draw(now.len() + 1);
                [&now[..until], durable.get(until..).unwrap_or_default()].concat()
            }
            _ => {
                let mut mixed = durable;
                for (old, new) in mixed.chunks_mut(SECTOR).zip(now.chunks(SECTOR)) {
                    if self.draw(2) == 0 {
                        let both = old.len().min(new.len());
                        old[..both].copy_from_slice(&new[..both]);
                    }
                }
                mixed
            }
        }
    }

    /// The names of a directory as they are now. A directory that was removed has none.
    fn look(&mut self, dir: u64) {
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.dirs[&dir].held.as_raw_fd()));
        let mut listing = Listing::new();
        for entry in std::fs::read_dir(path).into_iter().flatten().map_while(Result::ok) {
            // It may be gone by now: another thread works on.
            let Ok(is_dir) = entry.file_type().map(|kind| kind.is_dir()) else { continue };
            let known = if is_dir {
                self.know_dir(&entry.path()).map(Entry::Dir)
            } else {
                self.know_file(&entry.path()).map(Entry::File)
            };
            listing.extend(known.map(|known| (entry.file_name(), known)));
        }
        let seen = &mut self.dirs.get_mut(&dir).unwrap().seen;
        if seen.last() != Some(&listing) {
            seen.push(listing);
        }
    }

    fn know_dir(&mut self, path: &Path) -> Option<u64> {
        let held = File::open(path).ok()?;
        let id = held.metadata().ok()?.ino();
        self.dirs.entry(id).or_insert_with(|| Names { held, seen: vec![Listing::new()] });
        Some(id)
    }

    fn know_file(&mut self, path: &Path) -> Option<u64> {
        let held = File::open(path).ok()?;
        let id = held.metadata().ok()?.ino();
        self.files.entry(id).or_insert_with(|| Bytes { held, durable: Vec::new() });
        Some(id)
    }

    /// One of so many, at least one.
    fn draw(&mut self, of: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from((self.random >> 11) % of as u64).unwrap()
    }
}

fn read(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    let mut at = 0;
    while at < bytes.len() {
        match file.read_at(&mut bytes[at..], at as u64).unwrap() {
            0 => break,
            got => at += got,
        }
    }
    bytes.truncate(at);
    bytes
}

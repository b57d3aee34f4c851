//! The files of a bundle, none of which is believed to be what it should be.

use super::{BundleReport, MANIFEST, Manifest};
use crate::verify::VerifyError;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Component, Path, PathBuf},
};

/// The longest file that is read at once: a payload and its salt.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// The longest line: a record of 65,535 bytes, and as much for what is no record.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

/// Every file is there, is what the manifest says, and no other is there. False: there is something else than files, which
/// nobody should read.
pub(super) fn compare(dir: &Path, manifest: &Manifest, report: &mut BundleReport) -> Result<bool, VerifyError> {
    let mut found = beneath(dir)?;
    let mut only_files = true;
    for (name, is_file) in &found {
        if !is_file {
            report.problem(name, "it is no file");
            only_files = false;
        }
    }
    for (name, digest) in &manifest.files {
        if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
            report.problem(MANIFEST, format!("`{name}` is no place in a bundle"));
            continue;
        }
        match found.remove(name) {
            None => report.missing(name, "missing"),
            Some(false) => {}
            Some(true) if sha256_of(dir, name)? == *digest => {}
            Some(true) => report.problem(name, "altered: its SHA-256 is not the one in the manifest"),
        }
    }
    for (name, is_file) in found {
        if name != MANIFEST && is_file {
            report.problem(name, "it is not in the manifest");
        }
    }
    Ok(only_files)
}

/// SHA-256 as the manifest has it, of a file of any length.
fn sha256_of(dir: &Path, name: &str) -> Result<String, VerifyError> {
    let path = dir.join(name);
    let failed = |source| VerifyError::Io { path: path.clone(), source };
    let mut file = File::open(&path).map_err(failed)?;
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    let mut room = vec![0; 64 * 1024];
    loop {
        match file.read(&mut room).map_err(failed)? {
            0 => return Ok(format!("sha256:{}", hex::encode(hash.finish()))),
            read => hash.update(room.get(..read).unwrap_or_default()),
        }
    }
}

/// A file, whole.
pub(super) fn read(dir: &Path, name: &str) -> Result<Vec<u8>, VerifyError> {
    let path = dir.join(name);
    let failed = |source| VerifyError::Io { path: path.clone(), source };
    let is_file = std::fs::symlink_metadata(&path).map_err(failed)?.is_file();
    if !is_file {
        return Err(VerifyError::unreadable(format!("`{name}` is no file")));
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(failed)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(VerifyError::unreadable(format!("`{name}` is longer than 256 MiB")));
    }
    Ok(bytes)
}

/// A file line by line; without a file there is none.
pub(super) fn lines(dir: &Path, name: &'static str) -> Result<Lines, VerifyError> {
    let path = dir.join(name);
    match File::open(&path) {
        Ok(file) => Ok(Lines { name, file: Some(BufReader::new(file)) }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Lines { name, file: None }),
        Err(source) => Err(VerifyError::Io { path, source }),
    }
}

/// Lines of text.
pub(super) struct Lines {
    name: &'static str,
    file: Option<BufReader<File>>,
}

impl Iterator for Lines {
    type Item = Result<String, VerifyError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = String::new();
        let read = self.file.as_mut()?.take(MAX_LINE_BYTES).read_line(&mut line);
        match read {
            Ok(0) => None,
            Ok(read) if read as u64 == MAX_LINE_BYTES && !line.ends_with('\n') => {
                self.file = None;
                Some(Err(VerifyError::unreadable(format!("`{}` has a line of more than 1 MiB", self.name))))
            }
            Ok(_) => {
                if line.ends_with('\n') {
                    line.pop();
                }
                Some(Ok(line))
            }
            Err(error) => {
                self.file = None;
                Some(Err(VerifyError::unreadable(format!("`{}`: {error}", self.name))))
            }
        }
    }
}

/// Everything below a directory but folders, and whether it is a file. A link is none: nothing outside is looked at.
fn beneath(dir: &Path) -> Result<BTreeMap<String, bool>, VerifyError> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| VerifyError::Io { path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let path = entry.path();
            let name = path.strip_prefix(dir).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            found.insert(name, kind.is_file());
        }
    }
    Ok(found)
}

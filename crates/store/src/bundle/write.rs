//! Writing a bundle.

use super::{
    MANIFEST, PRUNED, VERIFY_GO, VERIFY_MD, earlier, is_supporting,
    manifest::{FORMAT, Manifest, PayloadLine, Selection},
    sha256,
};
use crate::{
    atomic,
    log::{MIN_CHECKPOINT_SPACING, layout::Layout, prune::prefix::Prefix},
    payload::{DataKeys, Found, PayloadReader},
    prove::{ProveError, Prover},
    read::{LogReader, ReadError},
    verify::{Told, VerifyError, told},
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};
use vocab::{Event, event::Payload};

/// How often a bundle is begun, when something is removed while it is written.
const ATTEMPTS: usize = 5;

/// What is disclosed of payloads.
#[derive(Clone, Copy, Debug)]
pub enum Disclose<'a> {
    /// Nothing.
    Nothing,
    /// Everything that is still there, opened with these keys.
    With(&'a DataKeys),
}

/// Why there is no bundle, or no whole one. One without a `manifest.json` is none.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Something is there already.
    #[error("`{0}` is not empty")]
    NotEmpty(PathBuf),
    /// Nothing was selected.
    #[error("no sealed record is selected")]
    Nothing,
    /// Payloads are gone for a reason that cannot be proved yet.
    #[error("payloads were removed, and no checkpoint is over the record that says why")]
    Unsealed,
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record cannot be proved.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The log's payloads cannot be judged.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The file system failed.
    #[error("`{path}` cannot be read or written: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A bundle being written.
struct Writer<'a> {
    to: &'a Path,
    files: BTreeMap<String, String>,
    payloads: BTreeMap<String, u64>,
    /// The last record because of which a payload is not there.
    because: Option<u64>,
}

/// A bundle whose files are there, and whose manifest is not yet: so it is none. Dropped, its files stay and are no bundle.
#[derive(Debug)]
pub struct Draft {
    to: PathBuf,
    is_new: bool,
    manifest: Manifest,
    text: Vec<u8>,
}

impl Draft {
    /// What the manifest will say.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Length of `manifest.json`, bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// SHA-256 of `manifest.json`, hexadecimal: it has the digests of all other files.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(ring::digest::digest(&ring::digest::SHA256, &self.text))
    }

    /// Writes the manifest: now it is a bundle. It is on the disk when this returns.
    ///
    /// # Errors
    /// The file system fails.
    pub fn finish(self) -> Result<Manifest, BundleError> {
        let written = atomic::create(&self.to.join(MANIFEST)).and_then(|mut file| file.write_all(&self.text));
        written.and_then(|()| atomic::sync_below(&self.to)).map_err(failed(&self.to))?;
        Ok(self.manifest)
    }

    /// Removes what was written.
    ///
    /// # Errors
    /// The file system fails; what is left is no bundle.
    pub fn discard(self) -> Result<(), BundleError> {
        discard(&self.to, self.is_new)
    }
}

/// Writes the selected records of the log in `log`, and those they are judged by, to `to`, a directory that is empty or not
/// there: all of the bundle but its manifest. `exported` is the record that tells of what it discloses. Memory does not grow
/// with the log, but with the number of files.
///
/// # Errors
/// `to` holds something; nothing sealed is selected; the log does not verify; the file system fails.
pub fn write_bundle(
    log: &Path,
    to: &Path,
    selection: &Selection,
    disclose: Disclose<'_>,
    exported: Option<u64>,
) -> Result<Draft, BundleError> {
    let is_new = begin(to)?;
    let mut told = told(log).inspect_err(|_| drop(discard(to, is_new)))?;
    for _ in 0..ATTEMPTS {
        match attempt(log, (to, is_new), selection, disclose, exported, &mut told) {
            Ok(Some(draft)) => return Ok(draft),
            Ok(None) => discard(to, is_new)?,
            Err(error) => {
                // Half a bundle is in the way of the next one.
                let _ = discard(to, is_new);
                return Err(error);
            }
        }
        std::thread::sleep(MIN_CHECKPOINT_SPACING);
        atomic::create_dir(to).map_err(failed(to))?;
    }
    discard(to, is_new)?;
    Err(BundleError::Unsealed)
}

/// Writes it by what records said until now. A removal is told first and done then: `None` where something is gone because
/// of a record that came since, or of one that the checkpoint is not over.
fn attempt(
    log: &Path,
    (to, is_new): (&Path, bool),
    selection: &Selection,
    disclose: Disclose<'_>,
    exported: Option<u64>,
    told: &mut Told,
) -> Result<Option<Draft>, BundleError> {
    let prover = Prover::open(log)?;
    let layout = Layout::new(log);
    let prefix = Prefix::read(&layout).map_err(failed(&layout.pruned()))?;
    let earlier = earlier::files(&layout, &prover)?;
    let mut writer = Writer { to, files: BTreeMap::new(), payloads: BTreeMap::new(), because: None };
    let mut reader = PayloadReader::new(log);
    let (mut selected, mut supporting) = (0_u64, 0_u64);
    let (mut first, mut last) = (None, 0);
    let (mut records, mut index, mut lines) =
        (writer.lines("records.jsonl")?, writer.lines("records.index")?, writer.lines("payloads.jsonl")?);
    for record in LogReader::open(log)?.iter_from(0) {
        let record = record?;
        if record.index >= prover.size() {
            break;
        }
        let Ok(event) = Event::from_bytes(&record.bytes) else { continue };
        let is_selected = selection.takes(&event);
        if !is_selected && !is_supporting(event.kind) {
            continue;
        }
        let role = if is_selected { "selected" } else { "supporting" };
        (selected, supporting) = (selected + u64::from(is_selected), supporting + u64::from(!is_selected));
        (first, last) = (first.or(Some(record.index)), record.index);
        records.line(&record.bytes)?;
        index.line(format!("{}\t{role}", record.index).as_bytes())?;
        let proof = prover.prove(record.index, &record.bytes)?;
        writer.file(&format!("proofs/{}.tlog-proof", record.index), proof.as_bytes())?;
        if is_selected {
            for payload in &event.payloads {
                let line = writer.payload(record.index, event.t, payload, &mut reader, told, disclose)?;
                lines.line(&serde_json::to_vec(&line).unwrap_or_default())?;
            }
        }
    }
    if selected == 0 {
        return Err(BundleError::Nothing);
    }
    let is_beyond = writer.because.is_some_and(|index| index >= prover.size());
    if is_beyond || writer.payloads.contains_key("missing") && told.hear_on(log)? {
        return Ok(None);
    }
    for lines in [records, index, lines] {
        let (name, digest) = lines.finish()?;
        writer.files.insert(name, digest);
    }
    let begin = prefix.as_ref().map_or(0, |prefix| prefix.first);
    if let Some(prefix) = prefix {
        writer.file(PRUNED, prefix.format().as_bytes())?;
    }
    let is_contiguous = first.is_some_and(|first| last - first + 1 == selected + supporting);
    for (name, bytes) in earlier {
        writer.file(&name, &bytes)?;
    }
    writer.about(&prover, is_contiguous, prover.size().saturating_sub(begin + selected + supporting))?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        mortise_version: vocab::MORTISE_VERSION.to_owned(),
        origin: prover.origin().to_owned(),
        size: prover.size(),
        selection: selection.clone(),
        selected,
        supporting,
        is_contiguous,
        payloads: writer.payloads,
        exported,
        files: writer.files,
    };
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    // What it lists is on the disk before it is.
    atomic::sync_below(to).map_err(failed(to))?;
    Ok(Some(Draft { to: to.to_owned(), is_new, manifest, text }))
}

impl Writer<'_> {
    fn lines(&self, name: &str) -> Result<Lines, BundleError> {
        let path = self.to.join(name);
        let file = atomic::create(&path).map_err(failed(&path))?;
        let hash = ring::digest::Context::new(&ring::digest::SHA256);
        Ok(Lines { name: name.to_owned(), path, file: BufWriter::new(file), hash })
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        write(&self.to.join(name), bytes)?;
        self.files.insert(name.to_owned(), sha256(bytes));
        Ok(())
    }

    /// What became of a payload; disclosed, it is written.
    fn payload(
        &mut self,
        index: u64,
        t: i64,
        payload: &Payload<'_>,
        reader: &mut PayloadReader,
        told: &Told,
        disclose: Disclose<'_>,
    ) -> Result<PayloadLine, BundleError> {
        let unreadable = |error: &dyn std::fmt::Display| VerifyError::unreadable(error);
        let found = match disclose {
            Disclose::With(keys) => reader.disclose(payload, t, keys).map_err(|error| unreadable(&error))?,
            // Its key is destroyed, or it is removed in a moment.
            Disclose::Nothing if told.gone(t, payload).is_some() => Found::Absent,
            Disclose::Nothing if reader.is_there(payload, t).map_err(|error| unreadable(&error))? => {
                Found::Text(zeroize::Zeroizing::default())
            }
            Disclose::Nothing => Found::Absent,
        };
        let (state, because) = told.state(index, t, payload, &found);
        // Where a file cannot be read to its end, what is not found in it may be what is altered.
        let is_damaged = state == "missing" && reader.damage(payload.class, t).is_ok_and(|damage| damage.is_some());
        let state = match (disclose, &found, state) {
            _ if is_damaged => "altered",
            (Disclose::With(_), Found::Text(salted), "ok") => {
                self.file(&format!("payloads/{index}-{}", payload.name), salted)?;
                "disclosed"
            }
            (_, _, "ok") => "kept",
            (_, _, other) => other,
        };
        *self.payloads.entry(state.to_owned()).or_default() += 1;
        self.because = self.because.max(because);
        Ok(PayloadLine {
            index,
            name: payload.name.to_string(),
            class: payload.class.as_str().to_owned(),
            digest: payload.digest.to_string(),
            state: state.to_owned(),
            because,
        })
    }

    /// The log's own files, and how to check all of it.
    fn about(&mut self, prover: &Prover, is_contiguous: bool, left_out: u64) -> Result<(), BundleError> {
        // Not the files beside the log: by now a newer checkpoint may be there, and the proofs are under this one.
        self.file("origin", format!("{}\n", prover.origin()).as_bytes())?;
        self.file("checkpoint", prover.note().format().as_bytes())?;
        self.file("vkey", format!("{}\n", prover.vkey()).as_bytes())?;
        let contiguous = if is_contiguous {
            "Yes, from the first to the last: `records.index` counts without a gap, and each index has its proof. {left out}"
        } else {
            "No: these are the ones that were asked for (see `selection` in `manifest.json`), and those they are judged by. \
             Each is proved to be in the log; that there are no others of the kind is what its operator says. {left out} Ask for a bundle \
             without a filter to see all of them."
        };
        let left_out = match left_out {
            0 => "Every record under the checkpoint is in here.".to_owned(),
            many => format!(
                "Of the {} records under the checkpoint, {many} are not in here: those whose index is not in `records.index`. \
                 `mortise trace verify --bundle` lists them.",
                prover.size()
            ),
        };
        let contiguous = contiguous.replace("{left out}", &left_out);
        let text = VERIFY_MD
            .replace("{origin}", prover.origin())
            .replace("{size}", &prover.size().to_string())
            .replace("{contiguous}", &contiguous);
        self.file("VERIFY.md", text.as_bytes())?;
        self.file("verify.go", VERIFY_GO.as_bytes())
    }
}

/// A file written line by line.
struct Lines {
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    hash: ring::digest::Context,
}

impl Lines {
    fn line(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        for part in [bytes, b"\n"] {
            self.hash.update(part);
            self.file.write_all(part).map_err(failed(&self.path))?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(String, String), BundleError> {
        let Self { name, path, mut file, hash } = self;
        file.flush().map_err(failed(&path))?;
        Ok((name, format!("sha256:{}", hex::encode(hash.finish()))))
    }
}

/// Makes the directory, unless it is there and empty; whether it did.
fn begin(to: &Path) -> Result<bool, BundleError> {
    match std::fs::read_dir(to).map(|mut found| found.next().is_some()) {
        Ok(true) => Err(BundleError::NotEmpty(to.to_owned())),
        Ok(false) => Ok(false),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(to)(error)),
        Err(_) => atomic::create_dir(to).map_err(failed(to)).map(|()| true),
    }
}

/// Removes what was written. A directory that was given stays.
fn discard(to: &Path, is_new: bool) -> Result<(), BundleError> {
    std::fs::remove_dir_all(to).map_err(failed(to))?;
    if is_new { Ok(()) } else { atomic::create_dir(to).map_err(failed(to)) }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let written = path.parent().map_or(Ok(()), atomic::create_dir);
    written.and_then(|()| atomic::create(path)?.write_all(bytes)).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |source| BundleError::Io { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::place::{DAY_US, NOON, Place};
    use serde_json::json;
    use vocab::event::{Kind, PayloadClass};

    #[test]
    fn what_is_removed_while_a_bundle_is_written_is_not_missing_in_it() {
        let mut place = Place::new();
        for _ in 0..4 {
            place.keep("none", "some text");
            place.now += DAY_US;
        }
        let to = place.log_dir.with_file_name("bundle");
        let whole = |place: &Place, told: &mut Told| {
            std::fs::create_dir_all(&to).unwrap();
            let all = Selection::default();
            let draft = attempt(&place.log_dir, (&to, true), &all, Disclose::Nothing, None, told).unwrap();
            std::fs::remove_dir_all(&to).unwrap();
            draft.map(|draft| draft.manifest().payloads.clone())
        };
        // A checkpoint is over everything that was written when a log is closed.
        let sealed = |place: &mut Place| {
            place.log.close().unwrap();
            place.log = crate::fixture::open(&place.log_dir).0;
        };
        sealed(&mut place);
        let mut before = told(&place.log_dir).unwrap();
        place.pruned(0, 2);
        place.remove(0);
        assert_eq!(whole(&place, &mut before), None, "told meanwhile");
        sealed(&mut place);
        let states = [("kept", 3), ("pruned", 1)].map(|(state, count)| (state.to_owned(), count));
        assert_eq!(whole(&place, &mut before), Some(states.into()), "and known now");

        place.pruned(1, 2);
        place.remove(1);
        let mut told = told(&place.log_dir).unwrap();
        let prover = Prover::open(&place.log_dir).unwrap();
        if told.removal_of(PayloadClass::TraceText, NOON + DAY_US).unwrap().index >= prover.size() {
            assert_eq!(whole(&place, &mut told), None, "no checkpoint is over the record that says so");
        }
        sealed(&mut place);
        let manifest = write_bundle(&place.log_dir, &to, &Selection::default(), Disclose::Nothing, None).unwrap();
        assert_eq!(manifest.manifest().payloads.get("pruned"), Some(&2));

        // What no record tells of is missing, however often the bundle is begun.
        manifest.discard().unwrap();
        place.remove(3);
        place.event(Kind::GatewayStopped, json!({}));
        sealed(&mut place);
        let manifest = write_bundle(&place.log_dir, &to, &Selection::default(), Disclose::Nothing, None).unwrap();
        assert_eq!(manifest.manifest().payloads.get("missing"), Some(&1));
    }

    #[test]
    fn records_that_cannot_be_read_any_more_are_not_left_out_in_silence() {
        let dir = tempfile::tempdir().unwrap();
        let (log, to) = (dir.path().join("log"), dir.path().join("bundle"));
        crate::fixture::closed(&log, 30);
        let mut before = told(&log).unwrap();
        let path = log.join("seg/00000000000000000000.log");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[2 * (crate::fixture::record(0, 0).len() + 24) + 40] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        std::fs::create_dir(&to).unwrap();
        let short = attempt(&log, (&to, true), &Selection::default(), Disclose::Nothing, None, &mut before);
        assert!(matches!(short, Err(BundleError::Read(ReadError::Short { records: 2, sealed: 30 }))), "{short:?}");
    }
}

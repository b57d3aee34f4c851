//! Checking a bundle, as its `VERIFY.md` says.

use super::{
    MANIFEST, PRUNED,
    manifest::{FORMAT, Manifest, PayloadLine},
    sha256,
};
use crate::{
    log::prune::{Removed, prefix::Prefix},
    payload::{Found, digest_of},
    verify::{Told, VerifyError},
};
use proof::{Checkpoint, Note, TlogProof, Verifier};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};
use vocab::Event;

/// Problems named; the rest is counted.
const MAX_NAMED: usize = 100;
/// Longest manifest and longest other file that is read at once: a payload and its salt.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, and where in it.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleReport {
    /// The log.
    pub origin: String,
    /// Records under the checkpoint.
    pub size: u64,
    /// Records proved to be in the log.
    pub proved: u64,
    /// Of these, those that were asked for.
    pub selected: u64,
    /// Whether no record is left out between the first and the last.
    pub is_contiguous: bool,
    /// Records of the log that are not in the bundle.
    pub left_out: u64,
    /// The first hundred stretches of them: from, to, both left out.
    pub gaps: Vec<(u64, u64)>,
    /// Payloads by state.
    pub payloads: BTreeMap<String, u64>,
    /// What retention removed, of what the selected records commit to: class, last day, days kept, and the record that says
    /// so.
    pub removals: BTreeSet<(String, String, u32, u64)>,
    /// The removal of records that the log begins after, if there was one.
    pub pruned: Option<Removed>,
    /// How many problems there are.
    pub problems: u64,
    /// The first hundred of them.
    pub named: Vec<Problem>,
}

impl BundleReport {
    /// The records from `from` up to and without `to` are not there.
    fn leave_out(&mut self, from: u64, to: u64) {
        self.left_out += to.saturating_sub(from);
        if from < to && self.gaps.len() < MAX_NAMED {
            self.gaps.push((from, to - 1));
        }
    }

    fn problem(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.problems += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(Problem { place: place.into(), what: what.into() });
        }
    }
}

/// Checks the bundle in `dir`. With `vkey` its log has to be signed with that key; without, the bundle's own is believed,
/// which finds damage and not a forger.
///
/// # Errors
/// There is no bundle, or it cannot be read.
pub fn verify_bundle(dir: &Path, vkey: Option<&str>) -> Result<BundleReport, VerifyError> {
    let bytes = read(&dir.join(MANIFEST))?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| VerifyError::unreadable(format!("`{MANIFEST}` is no manifest: {error}")))?;
    if manifest.format != FORMAT {
        let text = format!("the bundle's format is `{}`, this Mortise reads `{FORMAT}`", manifest.format);
        return Err(VerifyError::unreadable(text));
    }
    let mut report = BundleReport::default();
    files(dir, &manifest, &mut report)?;
    let own = read(&dir.join("vkey")).map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())?;
    if vkey.is_some_and(|vkey| vkey.trim() != own) {
        report.problem("vkey", "it is not the key you gave");
    }
    let key = match (vkey, Verifier::from_vkey(vkey.map_or(own.as_str(), str::trim))) {
        (_, Ok(key)) => key,
        (Some(_), Err(error)) => return Err(error.into()),
        (None, Err(error)) => {
            report.problem("vkey", error.to_string());
            return Ok(report);
        }
    };
    report.origin = key.name().as_str().to_owned();
    let checkpoint = match opened(&dir.join("checkpoint"), &key) {
        Ok(checkpoint) => checkpoint,
        Err(what) => {
            report.problem("checkpoint", what);
            return Ok(report);
        }
    };
    report.size = checkpoint.size();
    let (told, selected) = records(dir, &key, &checkpoint, &mut report)?;
    if manifest.is_contiguous && !report.is_contiguous {
        report.problem("records.index", "the manifest says that no record is left out, and some are");
    }
    payloads(dir, &told, &selected, &mut report)?;
    Ok(report)
}

fn opened(path: &Path, key: &Verifier) -> Result<Checkpoint, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let note = Note::parse(&bytes).map_err(|error| error.to_string())?;
    Checkpoint::open(&note, key).map_err(|error| error.to_string())
}

/// Every file is there, is what the manifest says, and no other is there.
fn files(dir: &Path, manifest: &Manifest, report: &mut BundleReport) -> Result<(), VerifyError> {
    for (name, digest) in &manifest.files {
        if !Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_))) {
            report.problem(MANIFEST, format!("`{name}` is no place in a bundle"));
            continue;
        }
        match std::fs::read(dir.join(name)) {
            Ok(bytes) if sha256(&bytes) == *digest => {}
            Ok(_) => report.problem(name, "altered: its SHA-256 is not the one in the manifest"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => report.problem(name, "missing"),
            Err(error) => return Err(VerifyError::unreadable(format!("`{name}`: {error}"))),
        }
    }
    for path in beneath(dir)? {
        let name = path.strip_prefix(dir).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name != MANIFEST && !manifest.files.contains_key(&name) {
            report.problem(name, "it is not in the manifest");
        }
    }
    Ok(())
}

/// What stays known of records that are gone, if some are.
fn prefix(dir: &Path, report: &mut BundleReport) -> Result<Option<Prefix>, VerifyError> {
    let path = dir.join(PRUNED);
    match Prefix::read_at(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            report.problem(PRUNED, error.to_string());
            Ok(None)
        }
        read => read.map_err(|source| VerifyError::Io { path, source }),
    }
}

/// A record that was asked for: its time, and what it commits to. Nothing where it is not proved.
type Selected = HashMap<u64, Option<(i64, Vec<vocab::event::Payload<'static>>)>>;

/// Each record against its proof.
fn records(
    dir: &Path,
    key: &Verifier,
    checkpoint: &Checkpoint,
    report: &mut BundleReport,
) -> Result<(Told, Selected), VerifyError> {
    let prefix = prefix(dir, report)?;
    let mut told = Told::after(prefix.as_ref());
    let begin = prefix.as_ref().map_or(0, |prefix| prefix.first);
    let mut vouched = false;
    let mut selected = Selected::new();
    let (mut next, mut gaps, mut line) = (None::<u64>, false, 0_u64);
    let mut roles = lines(&dir.join("records.index"))?;
    for record in lines(&dir.join("records.jsonl"))? {
        let record = record.map_err(VerifyError::unreadable)?;
        line += 1;
        let role = roles.next().transpose().map_err(VerifyError::unreadable)?.unwrap_or_default();
        let parsed = role.split_once('\t').and_then(|(index, role)| Some((index.parse::<u64>().ok()?, role)));
        let Some((index, role @ ("selected" | "supporting"))) = parsed else {
            report.problem(format!("records.index line {line}"), "it is no index and role");
            continue;
        };
        if next.is_some_and(|next| index < next) {
            report.problem(format!("records.index line {line}"), "it is not in order");
        }
        gaps |= next.is_some_and(|next| next != index);
        report.leave_out(next.unwrap_or(begin), index);
        next = Some(index.saturating_add(1));
        let place = format!("records.jsonl line {line} (event #{index})");
        if let Err(what) = proved(dir, index, record.as_bytes(), key, checkpoint) {
            report.problem(&place, what);
            selected.insert(index, None);
            continue;
        }
        report.proved += 1;
        let event = match Event::from_bytes(record.as_bytes()) {
            Ok(event) => event,
            Err(error) => {
                report.problem(&place, error.to_string());
                continue;
            }
        };
        told.hear(index, &event);
        vouched |= prefix.as_ref().is_some_and(|prefix| {
            let digest = event.detail.get("pruned").and_then(serde_json::Value::as_str);
            event.kind == vocab::event::Kind::StorePruned && digest == Some(&prefix.digest())
        });
        if role == "selected" {
            report.selected += 1;
            let payloads = event.payloads.into_iter().map(vocab::event::Payload::into_owned).collect();
            selected.insert(index, Some((event.t, payloads)));
        }
    }
    if roles.next().is_some() {
        report.problem("records.jsonl", "it has fewer lines than `records.index`");
    }
    report.leave_out(next.unwrap_or(begin), checkpoint.size());
    match prefix {
        Some(_) if !vouched => report.problem(PRUNED, "no record in here says that records were pruned so"),
        prefix => report.pruned = prefix.map(|prefix| prefix.removed),
    }
    report.is_contiguous = !gaps && line > 0;
    Ok((told, selected))
}

fn proved(dir: &Path, index: u64, record: &[u8], key: &Verifier, checkpoint: &Checkpoint) -> Result<(), String> {
    let name = format!("proofs/{index}.tlog-proof");
    let bytes = std::fs::read(dir.join(&name)).map_err(|error| format!("`{name}`: {error}"))?;
    let proof = TlogProof::parse(&bytes).map_err(|error| format!("`{name}`: {error}"))?;
    if proof.index() != index {
        return Err(format!("`{name}` is a proof of event #{}", proof.index()));
    }
    let of = proof.verify(record, key).map_err(|error| format!("altered: it is not what `{name}` proves: {error}"))?;
    if (of.size(), of.root()) != (checkpoint.size(), checkpoint.root()) {
        return Err(format!("`{name}` is under another checkpoint"));
    }
    Ok(())
}

/// Every payload that a selected record commits to is accounted for.
fn payloads(dir: &Path, told: &Told, selected: &Selected, report: &mut BundleReport) -> Result<(), VerifyError> {
    let mut seen = BTreeSet::new();
    for (at, line) in lines(&dir.join("payloads.jsonl"))?.enumerate() {
        let line = line.map_err(VerifyError::unreadable)?;
        let place = format!("payloads.jsonl line {}", at + 1);
        let Ok(said) = serde_json::from_str::<PayloadLine>(&line) else {
            report.problem(place, "it is no payload's line");
            continue;
        };
        let record = match selected.get(&said.index) {
            Some(Some(record)) => record,
            // That it is not proved is said already.
            Some(None) => continue,
            None => {
                report.problem(place, format!("event #{} is not among the records that were asked for", said.index));
                continue;
            }
        };
        let is_meant =
            |payload: &&vocab::event::Payload<'_>| payload.name == said.name && payload.digest == said.digest;
        let committed = record.1.iter().find(is_meant).map(|payload| (record.0, payload));
        let Some((t, payload)) = committed else {
            report.problem(place, format!("event #{} does not commit to `{}`", said.index, said.name));
            continue;
        };
        seen.insert((said.index, said.name.clone()));
        *report.payloads.entry(said.state.clone()).or_default() += 1;
        match said.state.as_str() {
            "disclosed" => {
                let name = format!("payloads/{}-{}", said.index, said.name);
                if read(&dir.join(&name)).map(|bytes| digest_of(&bytes)).ok().as_deref() != Some(&*payload.digest) {
                    report.problem(name, format!("altered: it is not what event #{} commits to", said.index));
                }
            }
            "kept" => {}
            state => {
                let (judged, because) = told.state(said.index, t, payload, &Found::Absent);
                if state == "missing" || state == "altered" {
                    report.problem(place, format!("`{}` of event #{} is {state}", said.name, said.index));
                } else if judged != state || because != said.because {
                    let what = format!(
                        "`{}` of event #{} is said to be {state}; no record bears that out",
                        said.name, said.index
                    );
                    report.problem(place, what);
                }
                if let Some(removal) = told.removal_of(payload.class, t).filter(|_| judged == "pruned") {
                    report.removals.insert((
                        removal.class.as_str().to_owned(),
                        removal.through.to_string(),
                        removal.days,
                        removal.index,
                    ));
                }
            }
        }
    }
    for (index, record) in selected {
        for payload in record.iter().flat_map(|(_, payloads)| payloads) {
            if !seen.contains(&(*index, payload.name.to_string())) {
                report.problem(
                    "payloads.jsonl",
                    format!("it does not say what became of `{}` of event #{index}", payload.name),
                );
            }
        }
    }
    Ok(())
}

fn lines(path: &Path) -> Result<impl Iterator<Item = Result<String, String>> + use<>, VerifyError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let file = File::open(path).map_err(|source| VerifyError::Io { path: path.to_owned(), source })?;
    Ok(BufReader::new(file).lines().map(move |line| line.map_err(|error| format!("`{name}`: {error}"))))
}

fn read(path: &Path) -> Result<Vec<u8>, VerifyError> {
    let failed = |source| VerifyError::Io { path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(VerifyError::unreadable(format!("`{}` is longer than 256 MiB", path.display())));
    }
    std::fs::read(path).map_err(failed)
}

/// All files below a directory.
fn beneath(dir: &Path) -> Result<Vec<PathBuf>, VerifyError> {
    let failed = |source| VerifyError::Io { path: dir.to_owned(), source };
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A link is a file here: nothing outside is looked at.
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path())
            } else {
                found.push(entry.path())
            }
        }
    }
    Ok(found)
}

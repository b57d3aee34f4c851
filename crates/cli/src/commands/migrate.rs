//! `mortise migrate`: which formats project, state and log are in, and what would change.
//!
//! There has been one version of each, so there is nothing to change. What a newer Mortise wrote is refused, not guessed.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use serde_json::{Value, json};
use store::LogReader;
use vocab::Exit;

/// A format that is there.
struct Found {
    /// What is in it.
    what: &'static str,
    /// Its version; none where there is nothing yet.
    version: Option<u64>,
    /// The version this Mortise writes.
    written: u64,
}

/// Says what is there; changes what has to be, which is nothing.
pub fn run(output: &Output, place: &Place, args: &args::Migrate) -> Outcome {
    let found = [project(place), state(place), log(place)?];
    for found in &found {
        let version = found.version.map_or_else(|| "not there yet".to_owned(), |version| format!("version {version}"));
        if output.is_human() {
            output.line(format!("{:<8} {version}, written as version {}", found.what, found.written));
        } else {
            let members = json!({ "what": found.what, "version": found.version, "written": found.written });
            output.json(&members);
        }
    }
    if let Some(newer) = found.iter().find(|found| found.version.is_some_and(|version| version > found.written)) {
        let text =
            format!("the {} is of a version that this Mortise, {}, does not know", newer.what, vocab::MORTISE_VERSION);
        return Err(Failure::new(Exit::Environment, text).with_help("use the Mortise that wrote it, or a newer one"));
    }
    output.message(if args.dry_run { "nothing would change" } else { "nothing to do" });
    Ok(Exit::Ok)
}

/// The generated file of a project says its version; the files that people write are of the only one there is.
fn project(place: &Place) -> Found {
    let lock = std::fs::read(place.root.join("mortise.lock")).ok();
    let lock: Option<Value> = lock.and_then(|lock| serde_json::from_slice(&lock).ok());
    let version = lock.and_then(|lock| lock.get("version")?.as_u64());
    Found { what: "project", version: Some(version.unwrap_or(govern::lock::VERSION)), written: govern::lock::VERSION }
}

/// State has had one version.
fn state(place: &Place) -> Found {
    Found { what: "state", version: place.state.is_dir().then_some(1), written: 1 }
}

/// The newest of the log's records: versions only grow.
fn log(place: &Place) -> Result<Found, Failure> {
    let written = u64::from(vocab::event::VERSION);
    let Ok(reader) = LogReader::open(&place.log()) else { return Ok(Found { what: "log", version: None, written }) };
    let failed = |error: store::ReadError| Failure::new(Exit::Environment, error.to_string());
    let newest = match reader.len().map_err(failed)?.checked_sub(1) {
        Some(newest) => reader.get(newest).map_err(failed)?,
        None => None,
    };
    let version = newest.and_then(|record| serde_json::from_slice::<Value>(&record).ok()?.get("v")?.as_u64());
    Ok(Found { what: "log", version, written })
}

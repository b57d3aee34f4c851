//! `mortise migrate`: which formats project, state and log are in, and what would change.
//!
//! There has been one version of each, so there is nothing to change. What a newer Mortise wrote is refused, not guessed.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use serde_json::{Value, json};
use std::io;
use store::{LogReader, ReadError};
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
    let found = [project(place)?, state(place)?, log(place)?];
    if output.is_human() {
        for Found { what, version, written } in &found {
            let version = version.map_or_else(|| "not there yet".to_owned(), |version| format!("version {version}"));
            output.line(format!("{what:<8} {version}, written as version {written}"));
        }
    } else {
        let value = |found: &Found| json!({ "what": found.what, "version": found.version, "written": found.written });
        output.rows(&found.iter().map(value).collect::<Vec<Value>>());
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
fn project(place: &Place) -> Result<Found, Failure> {
    let path = place.root.join("mortise.lock");
    let lock = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.map_err(|error| Failure::unreadable(&path, &error))?),
    };
    let lock: Option<Value> = lock.and_then(|lock| serde_json::from_slice(&lock).ok());
    let version = lock.and_then(|lock| lock.get("version")?.as_u64()).unwrap_or(govern::lock::VERSION);
    Ok(Found { what: "project", version: Some(version), written: govern::lock::VERSION })
}

/// State has had one version.
fn state(place: &Place) -> Result<Found, Failure> {
    Ok(Found { what: "state", version: place.has_state()?.then_some(1), written: 1 })
}

/// The newest of the log's records: versions only grow.
fn log(place: &Place) -> Result<Found, Failure> {
    let written = u64::from(vocab::event::VERSION);
    let reader = match LogReader::open(&place.log()) {
        Err(ReadError::NoLog(_)) => return Ok(Found { what: "log", version: None, written }),
        opened => opened?,
    };
    let newest = match reader.len()?.checked_sub(1) {
        Some(newest) => reader.get(newest)?,
        None => None,
    };
    let version = newest.and_then(|record| serde_json::from_slice::<Value>(&record).ok()?.get("v")?.as_u64());
    Ok(Found { what: "log", version, written })
}

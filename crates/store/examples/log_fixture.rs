//! Writes a small log as this version of Mortise does, to be verified by all later ones (`cargo xtask log-fixture`).
//!
//! `log_fixture DIR` leaves in DIR a log of 300 records with full and partial tiles, kept checkpoints and a rotated key, and
//! beside it `DIR.jsonl`, its records. Everything in it is fixed: it is written the same again while the format is.

use proof::{KeyName, Signer};
use std::{error::Error, fs, path::PathBuf, time::Duration};
use store::{Log, LogOptions, LogReader, Overlap, Signers, begin_rotation, end_rotation};
use vocab::{
    Event,
    event::{Kind, VERSION},
};

const ORIGIN: &str = "mortise.example/fixture";

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: log_fixture DIR")?);
    // Fixed seeds: these keys sign examples only.
    let key = |seed| KeyName::parse(ORIGIN).map(|name| Signer::from_seed(name, &[seed; 32]));
    let (old, new) = (key(1)?, key(2)?);
    let open = |signers: Signers| Log::open(&dir, &options(), signers, &mut |_, _| {}).map(|(log, _)| log);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let grow = |log: &Log, numbers: std::ops::Range<i64>| -> Result<(), Box<dyn Error>> {
        let records = numbers.map(|number| event(Kind::SessionStart, number).to_bytes()).collect::<Result<_, _>>()?;
        runtime.block_on(log.append(records))?;
        Ok(())
    };

    let log = open(key(1)?.into())?;
    grow(&log, 0..10)?;
    let mut begun = event(Kind::KeyRotated, 10);
    let overlap = Overlap { entries: 1000, seconds: 1000 };
    begin_rotation(&mut begun, &old.verifier(), &new.verifier(), overlap);
    begun.text = Some("an example".into());
    runtime.block_on(log.rotate(key(2)?, begun.to_bytes()?))?;
    grow(&log, 11..20)?;
    log.close()?;
    drop(log);
    let log = open(vec![old, new].into())?;
    let mut ended = event(Kind::KeyRotated, 20);
    end_rotation(&mut ended, &key(1)?.verifier());
    runtime.block_on(log.end_rotation(ended.to_bytes()?))?;
    grow(&log, 21..300)?;
    log.close()?;
    drop(log);

    // Neither is part of what was recorded.
    fs::remove_file(dir.join("lock"))?;
    let _ = fs::remove_file(dir.join("seg/spare"));
    let mut lines = Vec::new();
    for record in LogReader::open(&dir)?.iter_from(0) {
        lines.extend(record?.bytes);
        lines.push(b'\n');
    }
    fs::write(dir.with_extension("jsonl"), lines)?;
    Ok(())
}

fn options() -> LogOptions {
    let mut options = LogOptions::new(ORIGIN);
    options.segment_bytes = 128 * 1024;
    options.checkpoint_interval = Duration::from_secs(3600);
    options.checkpoint_entries = u64::MAX;
    options
}

fn event(kind: Kind, number: i64) -> Event<'static> {
    let mut event = Event::new(kind, format!("event-{number}"), 1_795_000_000_000_000 + number, "default");
    // The version of the format, not that of the program, which changes more often.
    event.mortise_version = format!("format {VERSION}").into();
    event
}

//! Writes some payloads as this version of Mortise does, to be read by all later ones (`cargo run -p mortise-store --example
//! payload_fixture -- DIR`).
//!
//! `payload_fixture DIR` leaves in DIR a log's payloads of two days, the first of them packed, with the keys of a project that
//! is none, and beside it `DIR.jsonl`: what records would say of each, its time, and its text.

use serde_json::json;
use std::{error::Error, fs, path::PathBuf};
use store::{
    Clock, Keys,
    payload::{Content, Owner, PayloadStore},
};
use vocab::event::PayloadClass;

const NOON: i64 = 1_795_867_200_000_000;
const DAY_US: i64 = 86_400_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: payload_fixture DIR")?);
    let keys = Keys::open(&dir.join("keys"), "mortise.example/fixture")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut lines = String::new();
    for (now, count) in [(NOON, 200), (NOON + DAY_US, 8)] {
        let store = PayloadStore::new(&dir.join("log"), &keys, Clock::manual(now).0, 128 * 1024);
        for number in 0..count {
            let text = format!("{{\"day\":{now},\"number\":{number},\"text\":\"{}\"}}", "words ".repeat(number % 90));
            let subject = if number % 3 == 0 { "ada" } else { "none" }.to_owned();
            let owner = Owner { tenant: "default".to_owned(), subject };
            let contents = [Content { name: "result", bytes: text.as_bytes() }];
            let kept = store.seal(&owner, PayloadClass::TraceText, &contents)?;
            for payload in &kept.payloads {
                lines.push_str(&json!({ "payload": payload, "t": now, "text": text }).to_string());
                lines.push('\n');
            }
            runtime.block_on(store.write(kept))?;
        }
        store.pack(u64::MAX, &mut |_, _| {})?;
        store.close();
    }
    fs::write(dir.with_extension("jsonl"), lines)?;
    Ok(())
}

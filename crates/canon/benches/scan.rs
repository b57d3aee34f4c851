//! Reading a message strictly: the scan that every message passes, the parse of what a decision needs, the canonical
//! text that digests are taken over. Beside them, in the same run, `serde_json` reading the same bytes leniently.
//!
//! `cargo bench -p mortise-canon`; the line printed first says what it ran on.

use canon::json::{Limits, canonical, parse, scan};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use serde_json::{Value, json};

/// Bytes of text in a message's argument: a short call, a page, a document.
const TEXT_BYTES: [usize; 3] = [64, 10 * 1024, 1024 * 1024];

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    #[expect(clippy::print_stdout, reason = "a benchmark prints its conditions")]
    {
        println!("{build} build, one thread of {cores}, {} {}", std::env::consts::OS, std::env::consts::ARCH);
    }
    divan::main();
}

/// A call as agents send them: a few short members, one long text with the escapes that prose has.
fn message(text_bytes: usize) -> Vec<u8> {
    let sentence = "She said \"it\u{2019}s in C:\\temp\" and left.\n";
    let body: String = sentence.chars().cycle().take(text_bytes).collect();
    let arguments =
        json!({"to": "ada@example.com", "cc": ["bob@example.com"], "urgent": false, "copies": 2, "body": body});
    let params = json!({"name": "send_mail", "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).to_string().into_bytes()
}

/// The same size as many small values: the other extreme.
fn numbers(text_bytes: usize) -> Vec<u8> {
    let items: Vec<Value> = (0..text_bytes / 32).map(|n| json!({"id": n, "open": n % 2 == 0, "v": 0.5})).collect();
    json!({ "items": items }).to_string().into_bytes()
}

#[divan::bench(args = TEXT_BYTES)]
fn scan_text(bencher: Bencher<'_, '_>, bytes: usize) {
    measure(bencher, &message(bytes), |message| scan(message, &Limits::default()).is_ok());
}

#[divan::bench(args = TEXT_BYTES)]
fn scan_values(bencher: Bencher<'_, '_>, bytes: usize) {
    measure(bencher, &numbers(bytes), |message| scan(message, &Limits::default()).is_ok());
}

#[divan::bench(args = TEXT_BYTES)]
fn parse_text(bencher: Bencher<'_, '_>, bytes: usize) {
    measure(bencher, &message(bytes), |message| parse(message, &Limits::default()).is_ok());
}

#[divan::bench(args = TEXT_BYTES)]
fn parse_text_leniently(bencher: Bencher<'_, '_>, bytes: usize) {
    measure(bencher, &message(bytes), |message| serde_json::from_slice::<Value>(message).is_ok());
}

#[divan::bench(args = TEXT_BYTES)]
fn parse_values(bencher: Bencher<'_, '_>, bytes: usize) {
    measure(bencher, &numbers(bytes), |message| parse(message, &Limits::default()).is_ok());
}

#[divan::bench(args = TEXT_BYTES)]
fn parse_values_leniently(bencher: Bencher<'_, '_>, bytes: usize) {
    measure(bencher, &numbers(bytes), |message| serde_json::from_slice::<Value>(message).is_ok());
}

#[divan::bench(args = TEXT_BYTES)]
fn canonical_text(bencher: Bencher<'_, '_>, bytes: usize) {
    let message = message(bytes);
    let value: Value = serde_json::from_slice(&message).unwrap_or_default();
    measure(bencher, &message, |_| !canonical(black_box(&value)).is_empty());
}

/// Time and bytes per second; what cannot be read is not measured.
fn measure(bencher: Bencher<'_, '_>, message: &[u8], read: impl Fn(&[u8]) -> bool) {
    assert!(read(message), "a message that is refused is no benchmark");
    bencher.counter(BytesCount::new(message.len())).bench_local(|| read(black_box(message)));
}

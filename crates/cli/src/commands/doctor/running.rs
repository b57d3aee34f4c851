//! The gateway and its log.

use super::Check;
use crate::failure::Failure;
use crate::output::counted;
use crate::place::Place;
use gateway::control::protocol::Request;
use gateway::control::{Client, ClientError};
use serde_json::Value;
use std::path::Path;
use store::{Verdict, VerifyError, verify};

/// Largest log that is verified here: 256 MiB take about a second or two. `mortise trace verify` has no limit.
const MAX_VERIFIED_BYTES: u64 = 256 * 1024 * 1024;

/// So many rounds without a cosignature are worth a word.
const LATE_ROUNDS: u64 = 4;

pub(super) fn checks(place: &Place) -> Vec<Check> {
    let mut checks = vec![gateway(place), log(&place.log())];
    let (status, now) = (status(place).unwrap_or_default(), store::Clock::system().now());
    checks.extend(witnesses(&status, now));
    checks.extend(sinks(&status, now));
    checks
}

/// Where the running gateway offers MCP over HTTP.
pub(super) fn listening(place: &Place) -> Option<String> {
    let status = status(place).ok()?;
    status.get("listening").and_then(Value::as_str).map(str::to_owned)
}

fn status(place: &Place) -> Result<Value, ClientError> {
    Client::connect(&place.socket())?.ask(&Request::Status)
}

fn gateway(place: &Place) -> Check {
    match status(place) {
        Ok(status) => described(&status),
        Err(ClientError::NoGateway) => Check::ok("gateway", "none runs; one is started when it is needed"),
        Err(error) => {
            Check::fail("gateway", error.to_string(), "end the gateway's process; the next command starts another")
        }
    }
}

fn described(status: &Value) -> Check {
    let text = |key: &str| status.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    let is = |key: &str| status.get(key).and_then(Value::as_bool).unwrap_or_default();
    if let Some(failure) = status.get("log_failure").and_then(Value::as_str) {
        let found = format!("it refuses everything, because the log cannot be written: {failure}");
        return Check::fail("gateway", found, "make room or repair the disk, then end the gateway's process");
    }
    let pid = status.get("pid").map(Value::to_string).unwrap_or_default();
    let found = match status.get("listening").and_then(Value::as_str) {
        Some(url) => format!("version {} runs as process {pid} and serves {url}", text("version")),
        None => format!("version {} runs as process {pid}", text("version")),
    };
    if text("version") != vocab::MORTISE_VERSION {
        let fix = format!("end it: this is version {}", vocab::MORTISE_VERSION);
        return Check::warn("gateway", found, fix);
    }
    if is("waiting_configuration") {
        let fix = "see `mortise policy diff`, then `mortise policy accept`";
        return Check::warn("gateway", format!("{found}; an edit that loosens waits"), fix);
    }
    if is("dev") {
        return Check::warn(
            "gateway",
            format!("{found} with `--dev`: edits that loosen apply at once"),
            "end it when done",
        );
    }
    Check::ok("gateway", found)
}

/// What the running gateway says of its witnesses. `now` is in microseconds since the epoch.
fn witnesses(status: &Value, now: i64) -> Vec<Check> {
    let number = |witness: &Value, key: &str| witness.get(key).and_then(Value::as_u64);
    let describe = |witness: &Value| {
        let name = witness.get("name").and_then(Value::as_str).unwrap_or("?");
        let since = number(witness, "since").unwrap_or_default();
        let late = "see whether it can be reached, and knows the log's present key (`mortise keys ls`; a second `--log` of `mortise witness`)";
        let failure = witness.get("failure").and_then(Value::as_str);
        let failed = failure.map(|why| format!("; asked last, it did not cosign: {why}")).unwrap_or_default();
        let Some((cosigned, time)) = number(witness, "cosigned").zip(number(witness, "time_s")) else {
            return Check::warn("witness", format!("`{name}` has cosigned nothing of this log{failed}"), late);
        };
        let ago = u64::try_from(now / 1_000_000).unwrap_or_default().saturating_sub(time);
        let found = format!(
            "`{name}` cosigned {cosigned} events {ago} s ago; {since} came since, and could be missing unseen{failed}"
        );
        let is_late = ago > LATE_ROUNDS * number(witness, "every_s").unwrap_or_default();
        if is_late || failure.is_some() { Check::warn("witness", found, late) } else { Check::ok("witness", found) }
    };
    status.get("witnesses").and_then(Value::as_array).into_iter().flatten().map(describe).collect()
}

/// What the running gateway says of its sinks.
fn sinks(status: &Value, now: i64) -> Vec<Check> {
    let number = |sink: &Value, key: &str| sink.get(key).and_then(Value::as_u64).unwrap_or_default();
    let text = |sink: &Value, key: &str| sink.get(key).and_then(Value::as_str).map(str::to_owned);
    let describe = |sink: &Value| {
        let (name, kind) = (text(sink, "name").unwrap_or_default(), text(sink, "kind").unwrap_or_default());
        let ago = sink.get("arrived_s").and_then(Value::as_i64).map(|then| (now / 1_000_000).saturating_sub(then));
        let last =
            ago.map_or_else(|| "nothing arrived since the start".to_owned(), |ago| format!("last arrival {ago} s ago"));
        let mut found = format!("`{name}` ({kind}) is {} behind; {last}", counted(number(sink, "behind"), "event"));
        if number(sink, "rejected") > 0 {
            found += &format!("; {} not wanted by the receiver", number(sink, "rejected"));
        }
        if number(sink, "pruned") > 0 {
            found += &format!("; {} pruned before they could be sent", number(sink, "pruned"));
        }
        match text(sink, "failure") {
            None => Check::ok("sink", found),
            Some(why) => {
                Check::warn("sink", format!("{found}; {why}"), "nothing is lost: it is sent when it is taken again")
            }
        }
    };
    status.get("sinks").and_then(Value::as_array).into_iter().flatten().map(describe).collect()
}

fn log(dir: &Path) -> Check {
    match dir.try_exists() {
        Ok(true) => {}
        Ok(false) => return Check::ok("log", "there is none yet"),
        Err(error) => return unreadable(dir, &error),
    }
    let bytes = size(dir);
    if bytes > MAX_VERIFIED_BYTES {
        let found = format!("{} MiB are not verified here", bytes / 1024 / 1024);
        return Check::warn("log", found, "run `mortise trace verify`");
    }
    match verify(dir, None) {
        Ok(report) => match report.verdict {
            Verdict::Ok => Check::ok("log", format!("{} events verify", report.events)),
            Verdict::Missing { place, what } => broken(format!("{place} is missing: {what}")),
            Verdict::Altered { place, what } => broken(format!("{place} was altered: {what}")),
        },
        Err(VerifyError::Io { path, source }) => unreadable(&path, &source),
        Err(error) => Check::fail("log", error.to_string(), "run `mortise trace verify`"),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Check {
    let failure = Failure::unreadable(path, error);
    Check::fail("log", failure.message, failure.help.unwrap_or_else(|| "run `mortise trace verify`".to_owned()))
}

fn broken(found: String) -> Check {
    Check::fail("log", found, "keep a copy of the log before anything else, then run `mortise trace verify`")
}

fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use serde_json::json;

    #[test]
    fn status_is_read() {
        let with = |key: &str, value: Value| {
            let mut status = json!({ "version": vocab::MORTISE_VERSION, "pid": 7, "listening": null, "dev": false });
            status[key] = value;
            described(&status)
        };
        assert_eq!(with("x", json!(1)).level, Level::Ok);
        assert!(with("listening", json!("http://127.0.0.1:1/mcp")).found.contains("http://127.0.0.1:1/mcp"));
        assert_eq!(with("version", json!("0.0.0")).level, Level::Warn);
        assert_eq!(with("waiting_configuration", json!(true)).level, Level::Warn);
        assert_eq!(with("dev", json!(true)).level, Level::Warn);
        assert_eq!(with("log_failure", json!("disk full")).level, Level::Fail);
    }

    #[test]
    fn a_witness_that_is_late_is_said() {
        let with = |cosigned: Value, time: Value| {
            let witness = json!({ "name": "team", "every_s": 30, "cosigned": cosigned, "time_s": time, "since": 12 });
            witnesses(&json!({ "witnesses": [witness] }), 1_000_000_000).remove(0)
        };
        assert_eq!(with(json!(5), json!(880)).level, Level::Ok);
        assert_eq!(with(json!(5), json!(879)).level, Level::Warn);
        assert_eq!(with(json!(null), json!(null)).level, Level::Warn);
        let refuses = json!({
            "name": "team", "every_s": 30, "cosigned": 5, "time_s": 999, "since": 1,
            "failure": "it does not cosign this log (403)",
        });
        let refuses = witnesses(&json!({ "witnesses": [refuses] }), 1_000_000_000).remove(0);
        assert!(refuses.level == Level::Warn && refuses.found.ends_with("cosign this log (403)"), "{}", refuses.found);
        assert!(with(json!(5), json!(990)).found.starts_with("`team` cosigned 5 events 10 s ago; 12 came since"));
        assert!(witnesses(&json!({}), 0).is_empty());
    }

    #[test]
    fn a_sink_that_is_behind_says_why() {
        let with = |failure: Value, arrived: Value| {
            let sink = json!({
                "name": "soc", "kind": "otlp", "behind": 12, "arrived_s": arrived, "failure": failure, "rejected": 0,
            });
            sinks(&json!({ "sinks": [sink] }), 1_000_000_000).remove(0)
        };
        let fine = with(json!(null), json!(990));
        assert_eq!(fine.level, Level::Ok);
        assert_eq!(fine.found, "`soc` (otlp) is 12 events behind; last arrival 10 s ago");
        let failing = with(json!("no answer in time"), json!(null));
        assert_eq!(failing.level, Level::Warn);
        assert!(failing.found.ends_with("nothing arrived since the start; no answer in time"), "{}", failing.found);
        assert!(sinks(&json!({}), 0).is_empty());
    }

    #[test]
    fn a_log_that_is_not_one_fails_and_none_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(log(&dir.path().join("log")).level, Level::Ok);
        assert_eq!(log(dir.path()).level, Level::Fail);
    }
}

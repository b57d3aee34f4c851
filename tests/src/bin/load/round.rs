//! One measurement of one path: everything new, driven once, gone at the end.

use crate::client::{StdioClient, connect_all};
use crate::disk;
use crate::drive::{Driven, drive};
use crate::gauge::Gauge;
use crate::options::Options;
use crate::project::{Guarded, Running};
use crate::statistics::percentile;
use crate::subject::{Path, Subject, beside_us, echo_server};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Events of an allowed call: intent, decision, dispatch, result.
const EVENTS_PER_CALL: u64 = 4;

/// Figures of one measurement.
#[derive(Clone, Debug)]
pub struct Measurement {
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
    pub calls_per_s: f64,
    /// Of the process in between, if there is one.
    pub between: Option<Between>,
    /// The least a durable commit cost just before and after, where the path has one in every call.
    pub sync: Option<Duration>,
}

/// What the process between client and server used.
#[derive(Clone, Copy, Debug)]
pub struct Between {
    pub cpu_per_call: Duration,
    pub idle_kib: u64,
    pub peak_kib: u64,
}

pub fn measure(subject: Subject, options: &Options) -> Result<Measurement, String> {
    let measured = match subject.path {
        Path::Direct => direct(options),
        Path::RawProxy => raw_proxy(subject.clients, options),
        Path::Mortise { other_rules } => guarded(other_rules, subject.clients, options),
    };
    measured.map_err(|error| format!("{}, {} clients: {error}", subject.path, subject.clients))
}

fn direct(options: &Options) -> Result<Measurement, String> {
    let client = StdioClient::start(&mut Command::new(echo_server()?))?;
    let driven = drive(&mut [Box::new(client)], options.calls, options.limit)?;
    Ok(figures(driven, None))
}

fn raw_proxy(clients: usize, options: &Options) -> Result<Measurement, String> {
    let mut child = Ended(
        Command::new(beside_us("raw-proxy")?)
            .arg(echo_server()?)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start the raw proxy: {error}"))?,
    );
    let mut url = String::new();
    let stdout = child.0.stdout.take().ok_or("the raw proxy has no output")?;
    BufReader::new(stdout).read_line(&mut url).map_err(|error| error.to_string())?;
    over_http(Gauge::of(child.0.id()), url.trim(), "none", clients, options)
}

fn guarded(other_rules: usize, clients: usize, options: &Options) -> Result<Measurement, String> {
    let project = Guarded::new(other_rules)?;
    let gateway = project.start()?;
    let url = gateway.url()?;
    let gauge = Gauge::of(gateway.pid());
    // Before the first key and the first call: nothing but the project is loaded.
    let idle_kib = gauge.resident()?;
    let key = gateway.key()?;
    let before = gateway.events()?;
    // A disk that others use is not the same disk a minute later: its own price is taken on both sides.
    let sync = || if clients == 1 { disk::sync_p50(options).map(Some) } else { Ok(None) };
    let sync_before = sync()?;
    let (mut measurement, calls) = over_http_counted(gauge, idle_kib, &url, &key, clients, options)?;
    measurement.sync = sync_before.zip(sync()?).map(|(before, after)| (before + after) / 2);
    everything_is_recorded(&gateway, before + EVENTS_PER_CALL * calls as u64)?;
    Ok(measurement)
}

/// The last results ride on a commit of their own, some milliseconds later.
fn everything_is_recorded(gateway: &Running<'_>, expected: u64) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        match gateway.events()? {
            events if events >= expected => return Ok(()),
            events if begin.elapsed() > Duration::from_secs(1) => {
                return Err(format!("the log has {events} events, not {expected}: not everything is recorded"));
            }
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn over_http(gauge: Gauge, url: &str, key: &str, clients: usize, options: &Options) -> Result<Measurement, String> {
    let idle_kib = gauge.resident()?;
    over_http_counted(gauge, idle_kib, url, key, clients, options).map(|(measurement, _)| measurement)
}

fn over_http_counted(
    gauge: Gauge,
    idle_kib: u64,
    url: &str,
    key: &str,
    clients: usize,
    options: &Options,
) -> Result<(Measurement, usize), String> {
    let mut connected = connect_all(url, key, clients)?;
    let calls = if clients == 1 { options.calls } else { 4 * options.calls };
    let before = gauge.cpu()?;
    let driven = drive(&mut connected, calls, options.limit)?;
    let cpu = gauge.cpu()? - before;
    let count = driven.calls;
    let cpu_per_call = cpu / u32::try_from(count).unwrap_or(u32::MAX);
    let between = Between { cpu_per_call, idle_kib, peak_kib: gauge.peak()? };
    Ok((figures(driven, Some(between)), count))
}

fn figures(mut driven: Driven, between: Option<Between>) -> Measurement {
    driven.latencies.sort_unstable();
    let at = |percent| percentile(&driven.latencies, percent);
    let calls_per_s = driven.calls as f64 / driven.took.as_secs_f64();
    Measurement { p50: at(50), p90: at(90), p99: at(99), calls_per_s, between, sync: None }
}

/// A child that is ended with this value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! A closed loop: every client sends its next call when it has the answer to the last one.

use crate::client::{Checker, Client, call_frame};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// What clients saw together.
pub struct Driven {
    /// Calls answered, those dropped from the latencies included.
    pub calls: usize,
    /// From the common start to the last answer.
    pub took: Duration,
    /// The latencies that count, in no order.
    pub latencies: Vec<Duration>,
}

/// What one client saw: when it began and ended, every latency in order.
type One = (Instant, Instant, Vec<Duration>);

/// Drives clients at once until each has its share of `calls` or the time is up. The first error ends everything.
///
/// The first tenth of each client's latencies is dropped: by then caches are warm and connections open.
pub fn drive(clients: &mut [Box<dyn Client>], calls: usize, limit: Duration) -> Result<Driven, String> {
    let count = clients.len();
    let share = calls.div_ceil(count);
    let start = Barrier::new(count);
    let results: Vec<Result<One, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = clients
            .iter_mut()
            .enumerate()
            .map(|(number, client)| {
                let start = &start;
                // Ids of one conversation must differ, also between connections.
                let ids = (1 + number as u64..).step_by(count).take(share);
                scope.spawn(move || {
                    start.wait();
                    one(client.as_mut(), ids, limit)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a client panicked".into()))).collect()
    });
    let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    let first = results.iter().map(|(begin, ..)| *begin).min().ok_or("no client")?;
    let last = results.iter().map(|(_, end, _)| *end).max().ok_or("no client")?;
    let mut driven = Driven { calls: 0, took: last - first, latencies: Vec::new() };
    for (_, _, latencies) in results {
        driven.calls += latencies.len();
        driven.latencies.extend_from_slice(&latencies[latencies.len() / 10..]);
    }
    Ok(driven)
}

fn one(client: &mut dyn Client, ids: impl Iterator<Item = u64>, limit: Duration) -> Result<One, String> {
    let (checker, mut frame, mut latencies) = (Checker::new(), String::new(), Vec::new());
    let begin = Instant::now();
    for id in ids {
        call_frame(&mut frame, id);
        let sent = Instant::now();
        let answer = client.exchange(&frame)?;
        latencies.push(sent.elapsed());
        checker.check(id, answer)?;
        if begin.elapsed() > limit {
            break;
        }
    }
    Ok((begin, Instant::now(), latencies))
}

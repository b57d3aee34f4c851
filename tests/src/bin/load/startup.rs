//! From starting the process to its first answer, without load.

use crate::client::connect_all;
use crate::drive::drive;
use crate::gauge::Gauge;
use crate::options::Options;
use crate::project::Guarded;
use std::time::Duration;

/// Figures of every start.
#[derive(Default)]
pub struct Startup {
    /// The first start of a new project: keys and log are made.
    pub first: Vec<Duration>,
    /// The next start of the same project.
    pub again: Vec<Duration>,
    /// Resident memory after the second, KiB.
    pub idle_kib: Vec<u64>,
    /// One start with this many events in the log.
    pub with_log: Option<(u64, Duration)>,
}

/// Two starts of as many new projects as there are rounds, and one of a project that has been used.
pub fn measure(options: &Options) -> Result<Startup, String> {
    let mut startup = Startup::default();
    for _ in 0..options.rounds {
        let project = Guarded::new(0)?;
        let gateway = project.start()?;
        startup.first.push(gateway.ready_after);
        gateway.shut_down()?;
        let gateway = project.start()?;
        startup.again.push(gateway.ready_after);
        gateway.url()?;
        startup.idle_kib.push(Gauge::of(gateway.pid()).resident()?);
        gateway.shut_down()?;
    }
    startup.with_log = Some(with_log(options)?);
    Ok(startup)
}

fn with_log(options: &Options) -> Result<(u64, Duration), String> {
    let project = Guarded::new(0)?;
    let gateway = project.start()?;
    let mut clients = connect_all(&gateway.url()?, &gateway.key()?, 16)?;
    drive(&mut clients, options.calls, options.limit)?;
    gateway.shut_down()?;
    let gateway = project.start()?;
    let found = (gateway.events()?, gateway.ready_after);
    gateway.shut_down()?;
    Ok(found)
}

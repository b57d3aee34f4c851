//! MCP servers to try Mortise on: small, deterministic, and without any protection of their own beyond strict schemas.
//!
//! Each server holds one [`World`] in memory and speaks MCP over standard input and output. Nothing here knows policies,
//! labels or approvals: these are the tools that are governed, not the governor. There is no network, no clock and no
//! randomness; a script that is "run" only changes memory.
//!
//! | world | tools |
//! |---|---|
//! | [`desk`] | `search_tickets`, `close_ticket`, `run_script`, `run_script_dry_run` |
//! | [`mailer`] | `send_mail` |
//! | [`hr`] | `list_candidates`, `read_candidate`, `post_summary`, `log_event` |

mod argument;
#[cfg(test)]
mod conformance;
mod data;
mod desk;
mod hr;
#[cfg(test)]
mod lock;
mod mailer;
mod protocol;
mod world;

use std::io::{BufRead, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use world::World;

/// The worlds there are, by the name that `mortise example-server NAME` takes.
pub const WORLDS: [&str; 3] = ["desk", "mailer", "hr"];

/// Serves one example world until the input ends.
///
/// `<directory>/<name>.json` replaces the built-in data of worlds that have some, when it is there. It is only read:
/// what a session changes is forgotten when it ends.
///
/// # Errors
/// An unknown world, data that is not what the world expects, or a broken stream.
pub fn run(name: &str, input: impl BufRead, output: impl Write, directory: &Path) -> Result<()> {
    let mut world = open(name, directory)?;
    protocol::serve(world.as_mut(), input, output).context("the stream broke")
}

fn open(name: &str, directory: &Path) -> Result<Box<dyn World>> {
    Ok(match name {
        "desk" => Box::new(desk::Desk::open(directory)?),
        "mailer" => Box::new(mailer::Mailer::new()?),
        "hr" => Box::new(hr::Hr::open(directory)?),
        unknown => bail!("no example world is called `{unknown}`; there are {}", WORLDS.join(", ")),
    })
}

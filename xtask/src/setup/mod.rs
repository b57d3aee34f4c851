//! What the tests need beside Rust: real MCP servers and clients, and verifiers written by others.
//!
//! Everything lands below `<target>/xtask`; nothing is installed elsewhere and no root is needed. A part is installed
//! when its stamp does not hold exactly the pins it was installed from.

mod go;
mod node;
mod python;

use crate::run::works;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// One thing that is installed: a folder below `target/xtask`.
struct Part {
    folder: &'static str,
    /// What it is and which tests want it.
    says: &'static str,
    needs: &'static [Prerequisite],
    /// What it is made from; a change installs it anew.
    pins: &'static str,
    /// Fills the folder, which exists and is empty. The second path is the folder of all parts.
    install: fn(&Path, &Path) -> Result<()>,
}

/// A program that must already be on the machine.
struct Prerequisite {
    program: &'static str,
    /// Arguments with which it ends well when it is usable.
    probe: &'static [&'static str],
    debian: &'static str,
}

/// In the order of installation: the last one takes files from the one before.
const PARTS: &[Part] = &[node::PART, python::PART, go::PART];

/// Something on the machine is missing; nothing of ours is wrong.
#[derive(Debug)]
pub struct Missing {
    program: String,
    debian: &'static str,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { program, debian } = self;
        write!(f, "`{program}` does not work here, and the tests need it\nhelp: on Debian: apt-get install {debian}")
    }
}

impl std::error::Error for Missing {}

/// Where the parts are.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("xtask")
}

/// Installs what is not there yet; quick when everything is.
pub fn run(workspace: &Workspace) -> Result<()> {
    let parts = folder(workspace);
    std::fs::create_dir_all(&parts).with_context(|| format!("cannot create `{}`", parts.display()))?;
    // Two set-ups at once would delete each other's work. The lock goes with the file handle.
    let lock = File::create(parts.join("lock"))?;
    lock.lock().context("cannot lock the folder of test parts")?;
    for part in PARTS {
        if is_current(part, &parts) {
            println!("setup: {}: there already", part.folder);
        } else {
            install(part, &parts)?;
        }
    }
    Ok(())
}

fn is_current(part: &Part, parts: &Path) -> bool {
    std::fs::read_to_string(stamp(part, parts)).is_ok_and(|pins| pins == part.pins)
}

fn install(part: &Part, parts: &Path) -> Result<()> {
    for need in part.needs {
        if !works(Command::new(need.program).args(need.probe)) {
            let program = std::iter::once(&need.program).chain(need.probe).copied().collect::<Vec<_>>().join(" ");
            return Err(Missing { program, debian: need.debian }.into());
        }
    }
    println!("setup: {}: installing {}", part.folder, part.says);
    let start = Instant::now();
    let folder = parts.join(part.folder);
    // The stamp goes first and comes back last: a set-up that was interrupted is done again from nothing.
    for leftover in [stamp(part, parts), folder.clone()] {
        remove(&leftover).with_context(|| format!("cannot remove `{}`", leftover.display()))?;
    }
    std::fs::create_dir_all(&folder)?;
    (part.install)(&folder, parts).with_context(|| format!("cannot install {}", part.folder))?;
    std::fs::write(stamp(part, parts), part.pins)?;
    println!("setup: {}: done, {:.0} s", part.folder, start.elapsed().as_secs_f64());
    Ok(())
}

fn stamp(part: &Part, parts: &Path) -> PathBuf {
    parts.join(format!("{}.stamp", part.folder))
}

fn remove(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else if path.exists() {
        std::fs::remove_file(path)
    } else {
        Ok(())
    }
}

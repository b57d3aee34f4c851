//! What must hold for the source as it stands: everything but the tests.

mod budgets;
mod exit_codes;
mod generated;
mod layers;
mod source;

use crate::run::{cargo, run, stage, works};
use crate::workspace::Workspace;
use anyhow::Result;

pub use budgets::check as budgets;
pub use exit_codes::print as print_exit_codes;
pub use generated::{check as generated, write as generate};
pub use layers::check as layers;
pub use source::rust_files;

/// All checks, cheapest first.
pub fn all(workspace: &Workspace) -> Result<()> {
    stage("formatting", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    stage("layers", || layers(workspace))?;
    stage("budgets", || budgets(workspace))?;
    stage("dependencies", dependencies)?;
    stage("lints", || {
        run(&mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))
    })?;
    stage("generated files", || generated(workspace))
}

/// Licences and sources of what we build on, where cargo-deny is installed. Advisories need a database from the
/// network, so they are not part of this.
fn dependencies() -> Result<()> {
    if !works(&mut cargo(&["deny", "--version"])) {
        println!("skipped: cargo-deny is not installed (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    run(&mut cargo(&["deny", "check", "licenses", "sources", "bans"]))
}

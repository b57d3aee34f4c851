//! Running the tests.

mod doc;
mod full;
mod plan;

use crate::run::{run as run_command, stage};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::Result;

pub use full::run as full;

/// Sets up, runs every ordinary test, and says so in one plain line. With arguments for the runner (a filter, say) only
/// the runner's part is run.
pub fn run(workspace: &Workspace, runner_arguments: &[&str]) -> Result<()> {
    stage("setup", || setup::run(workspace))?;
    for step in plan::ordinary(workspace, runner_arguments)? {
        stage(&step.says, || run_command(&mut step.command(workspace)))?;
    }
    println!("all tests passed");
    Ok(())
}

//! A log as the present code writes it, kept for later versions to verify.

use crate::run::{cargo, run};
use crate::workspace::Workspace;
use anyhow::{Result, bail};

/// Writes `tests/fixtures/logs/VERSION`. What is there stays: old formats are read for ever, as they were written.
pub fn write(workspace: &Workspace, version: &str) -> Result<()> {
    let number = version.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
    if number.is_none_or(|number| version != format!("v{number}")) {
        bail!("`{version}` is not a version such as `v2`");
    }
    let dir = workspace.root.join("tests/fixtures/logs").join(version);
    if dir.exists() {
        bail!("`{}` is there: a log that was written once is not written again", dir.display());
    }
    run(cargo(&["run", "--quiet", "-p", "mortise-store", "--example", "log_fixture", "--"]).arg(&dir))
}

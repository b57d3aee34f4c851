//! Files that a program writes and the repository keeps, so that readers and editors find them.

use crate::run::{cargo, output};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};

/// A checked-in file and the cargo command whose standard output it is.
struct Generated {
    path: &'static str,
    producer: &'static [&'static str],
}

const GENERATED: &[Generated] = &[Generated { path: "docs/spec/exit-codes.md", producer: &["xtask", "exit-codes"] }];

/// Fails with the files that differ from what their producers print.
pub fn check(workspace: &Workspace) -> Result<()> {
    let mut stale = Vec::new();
    for file in GENERATED {
        // Missing is stale.
        let kept = std::fs::read_to_string(workspace.root.join(file.path)).unwrap_or_default();
        if kept != produce(workspace, file)? {
            stale.push(file.path);
        }
    }
    if stale.is_empty() {
        println!("generated: {} files are as their producers write them", GENERATED.len());
        return Ok(());
    }
    bail!("stale: {}; write them with `cargo xtask generated`", stale.join(", "))
}

/// Writes every generated file anew.
pub fn write(workspace: &Workspace) -> Result<()> {
    for file in GENERATED {
        let text = produce(workspace, file)?;
        std::fs::write(workspace.root.join(file.path), text)
            .with_context(|| format!("cannot write `{}`", file.path))?;
        println!("written: {}", file.path);
    }
    Ok(())
}

fn produce(workspace: &Workspace, file: &Generated) -> Result<String> {
    output(cargo(file.producer).current_dir(&workspace.root)).with_context(|| format!("cannot produce `{}`", file.path))
}

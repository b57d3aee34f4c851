//! The npm packages.

use super::{Part, Prerequisite};
use crate::run::run;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = include_str!("../../package.json");
/// Written by `npm install --omit-lockfile-registry-resolved`: digests, and no word of where the packages came from.
const LOCK: &str = include_str!("../../package-lock.json");

pub const PART: Part = Part {
    folder: "node",
    says: "MCP reference servers and the MCP inspector (npm, about 170 MB): real servers behind the gateway, a real \
           client in front of it",
    needs: &[
        Prerequisite { program: "node", probe: &["--version"], debian: "nodejs" },
        Prerequisite { program: "npm", probe: &["--version"], debian: "npm" },
    ],
    // The lock names every package of the manifest with its version.
    pins: LOCK,
    install,
};

fn install(folder: &Path, _parts: &Path) -> Result<()> {
    std::fs::write(folder.join("package.json"), MANIFEST)?;
    std::fs::write(folder.join("package-lock.json"), LOCK)?;
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_pins_what_the_manifest_names() {
        let [manifest, lock] = [MANIFEST, LOCK].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
        assert_eq!(lock["packages"][""]["dependencies"], manifest["dependencies"]);
        assert!(!LOCK.contains("\"resolved\""), "the lock names a registry");
    }
}

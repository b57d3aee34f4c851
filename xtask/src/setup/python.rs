//! The Python packages.

use super::{Part, Prerequisite};
use crate::run::run;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

pub const REQUIREMENTS: &str = include_str!("../../requirements.txt");

pub const PART: Part = Part {
    folder: "python",
    says: "MCP servers, the MCP client library, an RFC 6962 verifier, the Go toolchain, and readers of OTLP, OCSF and \
           Parquet (PyPI, about 500 MB): peers that speak the newest protocol, and other people's checkers",
    needs: &[
        Prerequisite { program: "python3", probe: &["--version"], debian: "python3" },
        Prerequisite { program: "python3", probe: &["-c", "import venv, ensurepip"], debian: "python3-venv" },
        // The Git server works on repositories that the tests make.
        Prerequisite { program: "git", probe: &["--version"], debian: "git" },
    ],
    pins: REQUIREMENTS,
    install,
};

fn install(folder: &Path, _parts: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    std::fs::write(folder.join("requirements.txt"), REQUIREMENTS)?;
    let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", "requirements.txt"];
    run(Command::new(folder.join("bin/python")).args(pip).current_dir(folder))
}

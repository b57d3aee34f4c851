//! The Go team's transparency log packages, as a module of their own.
//!
//! They come out of the Go toolchain in the Python part, which carries them for its own module checks; so no package of
//! the system, no module proxy and no network is needed. Use it with a `replace` line, `GOPROXY=off` and
//! `GOTOOLCHAIN=local`.

use super::{Part, python};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// The import path of the module, and its place below the part's folder.
const MODULE: &str = "golang.org/x/mod";

pub const PART: Part = Part {
    folder: "go",
    says: "golang.org/x/mod/sumdb/{tlog,note} from the Go toolchain: the reference verifier of our proofs",
    needs: &[],
    pins: python::REQUIREMENTS,
    install,
};

fn install(folder: &Path, parts: &Path) -> Result<()> {
    let vendored = toolchain(&parts.join("python"))?.join("src/cmd/vendor").join(MODULE);
    let module = folder.join(MODULE);
    for package in ["sumdb/tlog", "sumdb/note"] {
        copy(&vendored.join(package), &module.join(package))?;
    }
    std::fs::copy(vendored.join("LICENSE"), module.join("LICENSE"))?;
    std::fs::write(module.join("go.mod"), format!("module {MODULE}\n\ngo 1.24\n"))?;
    Ok(())
}

/// The Go root inside a virtual environment: `lib/python3.N/site-packages/go`.
fn toolchain(python: &Path) -> Result<PathBuf> {
    for entry in std::fs::read_dir(python.join("lib"))? {
        let go = entry?.path().join("site-packages/go");
        if go.is_dir() {
            return Ok(go);
        }
    }
    bail!("no Go toolchain in `{}`", python.display())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot list `{}`", from.display()))? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

//! The built binary and the real parts tests run against.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the workspace").to_owned()
}

/// The built `mortise`: `$MORTISE_BIN`, else the debug build.
pub fn mortise() -> PathBuf {
    let path = std::env::var_os("MORTISE_BIN").map_or_else(|| workspace().join("target/debug/mortise"), PathBuf::from);
    assert!(path.is_file(), "`{}` is not built: run `cargo xtask test`, or `cargo build -p mortise`", path.display());
    path
}

/// A part that `cargo xtask setup` installs, such as `node/node_modules/.bin/mcp-server-filesystem`.
pub fn part(path: &str) -> PathBuf {
    let parts = std::env::var_os("MORTISE_TEST_PARTS").map_or_else(|| workspace().join("target/xtask"), PathBuf::from);
    let found = parts.join(path);
    assert!(found.exists(), "`{}` is not installed: run `cargo xtask setup`", found.display());
    found
}

/// A command of the built binary that inherits nothing but `PATH`.
pub fn command() -> Command {
    let mut command = Command::new(mortise());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

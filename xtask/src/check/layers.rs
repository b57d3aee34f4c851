//! Crates import only from lower layers, and the lower layers stay free of the outside world.

use super::source::{code_lines, is_test_file, rust_files};
use crate::workspace::{Package, Workspace};
use anyhow::{Result, bail};

/// The house, lowest layer first. A crate that is not here does not exist.
const LAYERS: &[(u8, &[&str])] = &[
    (0, &["mortise-vocab"]),
    (1, &["mortise-canon"]),
    (2, &["mortise-policy", "mortise-detect", "mortise-flow", "mortise-proof"]),
    (3, &["mortise-store"]),
    (4, &["mortise-govern"]),
    (5, &["mortise-enforce"]),
    (6, &["mortise-gateway"]),
    (7, &["mortise-lab"]),
    (8, &["mortise-console"]),
    (9, &["mortise"]),
];

/// Around the house, not in it: they may import anything of it, and nothing imports them.
const OUTSIDE: &[&str] = &["mortise-tests", "xtask"];

/// The highest layer in which a decision must be replayable bit for bit: time and seeds are arguments there.
const LAST_PURE: u8 = 2;

/// Crates that bring a runtime, sockets, a clock or randomness, refused in the pure layers. Direct dependencies only:
/// what Cedar pulls in for itself is not ours to choose, and the words below catch our own use.
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "mio",
    "hyper",
    "hyper-util",
    "reqwest",
    "rustix",
    "nix",
    "libc",
    "getrandom",
    "rand",
    "uuid",
    "jiff",
    "chrono",
    "time",
    "tempfile",
    "rusqlite",
];

/// The same in the standard library, as written in source.
const IMPURE_WORDS: &[&str] =
    &["std::fs", "std::net", "std::process", "std::thread", "std::env", "SystemTime", "Instant::now", "RandomState"];

/// Fails with every forbidden edge and every impure word.
pub fn check(workspace: &Workspace) -> Result<()> {
    let mut violations = edges(&workspace.packages);
    for package in &workspace.packages {
        violations.extend(impure_words(package)?);
    }
    if violations.is_empty() {
        println!("layers: {} packages, every import points down", workspace.packages.len());
        return Ok(());
    }
    bail!("{} against the layers (docs/architecture.md):\n  {}", violations.len(), violations.join("\n  "))
}

fn edges(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .flat_map(|package| package.dependencies.iter().filter_map(|on| edge(&package.name, &on.name, &on.kind)))
        .chain(packages.iter().filter_map(|package| unknown(&package.name)))
        .collect()
}

/// Why a dependency is forbidden, or `None`.
fn edge(from: &str, to: &str, kind: &str) -> Option<String> {
    if OUTSIDE.contains(&to) {
        return Some(format!("`{from}` imports `{to}`, which is outside the house ({kind})"));
    }
    let above = layer(from)?;
    match layer(to) {
        Some(below) if below >= above => {
            Some(format!("`{from}` (layer {above}) imports `{to}` (layer {below}), which is not lower ({kind})"))
        }
        None if above <= LAST_PURE && IMPURE_CRATES.contains(&to) => Some(format!(
            "`{from}` (layer {above}) imports `{to}`; layers 0 to {LAST_PURE} have no I/O, clock or randomness ({kind})"
        )),
        _ => None,
    }
}

fn unknown(name: &str) -> Option<String> {
    let known = layer(name).is_some() || OUTSIDE.contains(&name);
    (!known)
        .then(|| format!("`{name}` has no layer: give it one in xtask/src/check/layers.rs and docs/architecture.md"))
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, names)| names.contains(&name)).map(|(layer, _)| *layer)
}

fn impure_words(package: &Package) -> Result<Vec<String>> {
    let mut found = Vec::new();
    if layer(&package.name).is_none_or(|layer| layer > LAST_PURE) {
        return Ok(found);
    }
    for file in rust_files(&package.folder.join("src"))?.into_iter().filter(|file| !is_test_file(file)) {
        for (number, line) in code_lines(&std::fs::read_to_string(&file)?) {
            let words = IMPURE_WORDS.iter().filter(|word| line.contains(**word));
            found.extend(words.map(|word| format!("`{word}` at {}:{number}", file.display())));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_imports_from_below_only() {
        assert_eq!(edge("mortise-policy", "mortise-canon", "normal"), None);
        assert!(edge("mortise-canon", "mortise-policy", "normal").is_some(), "upwards");
        assert!(edge("mortise-policy", "mortise-flow", "normal").is_some(), "sideways");
        assert!(edge("mortise-store", "mortise-enforce", "dev").is_some(), "tests count too");
    }

    #[test]
    fn an_edge_is_found_in_what_cargo_says() {
        let workspace = Workspace::parse(
            r#"{ "workspace_root": "/p", "target_directory": "/p/target", "packages": [{
                "name": "mortise-proof", "manifest_path": "/p/crates/proof/Cargo.toml", "targets": [],
                "dependencies": [
                    { "name": "mortise-vocab", "kind": null },
                    { "name": "mortise-store", "kind": "dev", "rename": "store" }
                ] }] }"#,
        );
        let found = edges(&workspace.unwrap().packages);
        assert_eq!(found, ["`mortise-proof` (layer 2) imports `mortise-store` (layer 3), which is not lower (dev)"]);
    }

    #[test]
    fn the_lower_layers_know_no_runtime_and_no_clock() {
        assert!(edge("mortise-policy", "tokio", "normal").is_some());
        assert!(edge("mortise-flow", "jiff", "dev").is_some());
        assert_eq!(edge("mortise-store", "tokio", "normal"), None);
        assert_eq!(edge("mortise-policy", "cedar-policy", "normal"), None);
    }

    #[test]
    fn the_tests_may_import_anything_and_nothing_imports_them() {
        assert_eq!(edge("mortise-tests", "mortise-gateway", "normal"), None);
        assert!(edge("mortise-lab", "mortise-tests", "dev").is_some());
    }

    #[test]
    fn a_crate_without_a_layer_is_refused() {
        assert!(unknown("mortise-helpers").is_some());
        assert_eq!(unknown("mortise-vocab"), None);
    }
}

//! What cargo knows of this workspace: `cargo metadata`, read once, as far as the tasks need it.

use crate::run;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The workspace.
pub struct Workspace {
    pub root: PathBuf,
    /// Where cargo builds; not always `<root>/target`.
    pub target: PathBuf,
    pub packages: Vec<Package>,
}

/// One of our packages.
pub struct Package {
    pub name: String,
    pub folder: PathBuf,
    pub dependencies: Vec<Dependency>,
    pub targets: Vec<Target>,
}

/// A dependency of any kind, as the manifest declares it.
pub struct Dependency {
    /// The package's name, whatever it is renamed to.
    pub name: String,
    /// `normal`, `dev` or `build`.
    pub kind: String,
}

/// A library, binary, test, benchmark.
pub struct Target {
    pub name: String,
    pub kind: String,
    pub doctest: bool,
}

impl Workspace {
    /// Asks cargo; reads manifests only, so that nothing is resolved or downloaded.
    pub fn read() -> Result<Self> {
        let text = run::output(&mut run::cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
        Self::parse(&text).context("`cargo metadata` answered something unexpected")
    }

    /// Picks out of cargo's answer what the tasks need.
    pub fn parse(text: &str) -> Result<Self> {
        let metadata: Value = serde_json::from_str(text)?;
        let packages = list(&metadata, "packages")?.iter().map(package).collect::<Result<_>>()?;
        Ok(Self {
            root: word(&metadata, "workspace_root")?.into(),
            target: word(&metadata, "target_directory")?.into(),
            packages,
        })
    }
}

fn package(value: &Value) -> Result<Package> {
    let manifest = PathBuf::from(word(value, "manifest_path")?);
    Ok(Package {
        name: word(value, "name")?,
        folder: manifest.parent().map(Path::to_path_buf).unwrap_or_default(),
        dependencies: list(value, "dependencies")?.iter().map(dependency).collect::<Result<_>>()?,
        targets: list(value, "targets")?.iter().map(target).collect::<Result<_>>()?,
    })
}

fn dependency(value: &Value) -> Result<Dependency> {
    // Cargo writes `null` for an ordinary dependency.
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or("normal").to_owned();
    Ok(Dependency { name: word(value, "name")?, kind })
}

fn target(value: &Value) -> Result<Target> {
    let kind = list(value, "kind")?.first().and_then(Value::as_str).unwrap_or_default().to_owned();
    let doctest = value.get("doctest").and_then(Value::as_bool).unwrap_or_default();
    Ok(Target { name: word(value, "name")?, kind, doctest })
}

fn word(value: &Value, key: &str) -> Result<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no text `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value.get(key).and_then(Value::as_array).with_context(|| format!("no list `{key}`"))
}

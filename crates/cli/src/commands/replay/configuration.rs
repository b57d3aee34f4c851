//! Which configuration decides again: the accepted one, that one with other policies, or another project.

use crate::failure::Failure;
use crate::place::Place;
use gateway::process::{Compiled, ConfigurationError, compile};
use govern::accepted::{Accepted, Past};
use govern::history;
use govern::project::{Files, MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, SETTINGS};
use std::path::Path;
use store::StateDir;
use vocab::{Diagnostic, Exit};

/// Where a project keeps its policies.
const POLICIES: &str = "mortise/policies/";

/// Loads it.
pub fn load(place: &Place, policies: Option<&Path>) -> Result<Compiled, Failure> {
    let is_project = policies.is_some_and(|dir| dir.join(SETTINGS).is_file());
    let files = match policies {
        Some(dir) if is_project => {
            Files::read(dir).map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?
        }
        Some(dir) => with_policies(accepted(place)?, dir)?,
        None => accepted(place)?,
    };
    compile(&files).map_err(|error| match error {
        ConfigurationError::Invalid(found) => Failure::diagnostics(match policies {
            Some(dir) => found.into_iter().map(|found| placed(found, dir, is_project)).collect(),
            None => found,
        }),
        error => Failure::new(Exit::Configuration, error.to_string()),
    })
}

/// A complaint about a file of another folder, which does not lie in this project.
fn placed(found: Diagnostic, dir: &Path, is_project: bool) -> Diagnostic {
    let below = if is_project { Some(&*found.file) } else { found.file.strip_prefix(POLICIES) };
    match below.filter(|below| !below.is_empty()) {
        Some(below) => Diagnostic { file: dir.join(below).display().to_string(), ..found },
        None => found,
    }
}

/// A configuration that was in force earlier, by its digest; `None` where it is not kept. It may be kept and of no use.
pub fn earlier(place: &Place, revision: &str) -> Result<Option<Compiled>, String> {
    let state = StateDir::open(&place.state).map_err(|error| error.to_string())?;
    let files = history::find(&state, revision).map_err(|error| error.to_string())?;
    files.map(|files| compile(&files)).transpose().map_err(|error| error.to_string())
}

/// What is in force: the files as they were accepted, whatever has become of them since.
fn accepted(place: &Place) -> Result<Files, Failure> {
    let nothing = || {
        Failure::new(Exit::Nothing, "nothing has been accepted for this project yet")
            .with_help("a gateway accepts what it finds at its first start; name other policies with `--policies DIR`")
    };
    if !place.has_state()? {
        return Err(nothing());
    }
    let state = StateDir::open(&place.state).map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
    let accepted = Accepted::load(&state, Past::None);
    let accepted = accepted.map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
    accepted.map(|accepted| accepted.files).ok_or_else(nothing)
}

/// The files with those of a folder in place of their policies.
fn with_policies(mut files: Files, dir: &Path) -> Result<Files, Failure> {
    let before = files.texts.len();
    files.texts.retain(|path, _| !path.starts_with(POLICIES));
    let kept = files.texts.len();
    collect(&mut files, dir, POLICIES, 0)?;
    if files.texts.len() == kept {
        let text = format!("`{}` holds no policy", dir.display());
        let had = before.saturating_sub(kept);
        return Err(Failure::new(Exit::Configuration, text)
            .with_help(format!("name a folder of `.cedar` files ({had} are in force), or a project")));
    }
    Ok(files)
}

fn collect(files: &mut Files, dir: &Path, below: &str, depth: usize) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::new(Exit::Configuration, format!("cannot read `{}`: {error}", dir.display()));
    let bounded = |what: &str| Failure::new(Exit::Configuration, format!("`{}` holds {what}", dir.display()));
    if depth > MAX_DEPTH {
        return Err(bounded("folders that lie too deep"));
    }
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            collect(files, &entry.path(), &format!("{below}{name}/"), depth + 1)?;
        } else if kind.is_file() && name.ends_with(".cedar") {
            if files.texts.len() >= MAX_FILES || entry.metadata().map_err(failed)?.len() > MAX_FILE_BYTES as u64 {
                return Err(bounded("more than a project may"));
            }
            files.texts.insert(format!("{below}{name}"), std::fs::read_to_string(entry.path()).map_err(failed)?);
        }
    }
    Ok(())
}

//! The project's files as text: what the accepted bundle keeps and what parsing reads.

use crate::digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use thiserror::Error;
use vocab::id::Digest;

/// Most bytes of one file: 4 MiB. A lock file of a thousand tools with long schemas stays below it.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Most files of a project.
pub const MAX_FILES: usize = 2_000;

/// Most folders inside one another below `mortise/`. Also what ends a circle of links.
pub const MAX_DEPTH: usize = 8;

/// The settings file.
pub const SETTINGS: &str = "mortise.toml";

/// The pinned tool definitions.
pub const LOCK: &str = "mortise.lock";

/// A snapshot of a project: text by path relative to the project, with `/` between folders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Name of the project's folder, the default name of the project.
    pub folder: String,
    /// Every file Mortise reads, by path.
    pub texts: BTreeMap<String, String>,
    /// Files that stand where Mortise looks but are none it reads: probably misplaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// Why a project could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A file or folder could not be read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// Where.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file is longer than [`MAX_FILE_BYTES`].
    #[error("`{path}` is longer than {MAX_FILE_BYTES} bytes")]
    TooLong {
        /// Which.
        path: String,
    },
    /// There are more files than [`MAX_FILES`].
    #[error("more than {MAX_FILES} files")]
    TooMany,
    /// Folders are nested deeper than [`MAX_DEPTH`].
    #[error("`{path}` is nested deeper than {MAX_DEPTH} folders")]
    TooDeep {
        /// Which.
        path: String,
    },
    /// A file or its name is not UTF-8.
    #[error("`{path}` is not UTF-8 text")]
    NotText {
        /// Which.
        path: String,
    },
    /// A link leads out of the project, so that somebody else's file would decide.
    #[error("`{path}` is a link that leads out of the project")]
    LeavesProject {
        /// Which.
        path: String,
    },
    /// Neither a file, a folder nor a link to one.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// Which.
        path: String,
    },
}

impl Files {
    /// Reads the project in a folder.
    ///
    /// # Errors
    /// When a limit is passed, a link leaves the project or something cannot be read. A project is read whole or not.
    pub fn read(project: &Path) -> Result<Self, ReadError> {
        let root = fs::canonicalize(project)
            .map_err(|source| ReadError::Io { path: project.display().to_string(), source })?;
        let folder = root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let mut walk = Walk { root: root.clone(), files: Self { folder, ..Self::default() } };
        for name in [SETTINGS, LOCK] {
            if root.join(name).symlink_metadata().is_ok() {
                walk.entry(name, 0)?;
            }
        }
        if root.join("mortise").symlink_metadata().is_ok() {
            walk.entry("mortise", 0)?;
        }
        walk.files.ignored.sort_unstable();
        Ok(walk.files)
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The files that decide what happens at run time: all but tests and campaigns.
    pub fn in_force(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .filter(|(path, _)| Part::of(path).is_some_and(Part::is_in_force))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Only these: what is kept of a configuration.
    #[must_use]
    pub fn only_in_force(&self) -> Self {
        let texts = self.in_force().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        Self { folder: self.folder.clone(), texts, ignored: Vec::new() }
    }

    /// The configuration revision: a digest over paths and texts of the files in force.
    #[must_use]
    pub fn revision(&self) -> Digest {
        let entries: serde_json::Map<String, serde_json::Value> =
            self.in_force().map(|(path, text)| (path.to_owned(), text.into())).collect();
        digest::of_json(&serde_json::Value::Object(entries))
    }

    /// Files of one part with the name they give to what they describe: agents, tools.
    pub(crate) fn of(&self, part: Part) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .filter(move |(path, _)| Part::of(path) == Some(part))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// What a file is for, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `mortise.toml`.
    Settings,
    /// `mortise.lock`.
    Lock,
    /// `mortise/evals.lock`.
    Evals,
    /// `mortise/agents/<agent>.toml`.
    Agent,
    /// `mortise/tools/<server>.toml`.
    Server,
    /// `mortise/grants/<id>.toml`.
    Grant,
    /// `mortise/policies/**/*.cedar`.
    Policy,
    /// `mortise/invariants/**/*.cedar`.
    Invariant,
    /// `mortise/tests/**/*.yaml`.
    Test,
    /// `mortise/redteam/**/*.yaml`.
    Campaign,
}

impl Part {
    /// The part a path belongs to, `None` when Mortise does not read such a file.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            SETTINGS => return Some(Self::Settings),
            LOCK => return Some(Self::Lock),
            "mortise/evals.lock" => return Some(Self::Evals),
            _ => {}
        }
        let (folder, rest) = path.strip_prefix("mortise/")?.split_once('/')?;
        let (_, extension) = rest.rsplit_once('.')?;
        let flat = !rest.contains('/');
        match (folder, extension) {
            ("agents", "toml") if flat => Some(Self::Agent),
            ("tools", "toml") if flat => Some(Self::Server),
            ("grants", "toml") if flat => Some(Self::Grant),
            ("policies", "cedar") => Some(Self::Policy),
            ("invariants", "cedar") => Some(Self::Invariant),
            ("tests", "yaml" | "yml") => Some(Self::Test),
            ("redteam", "yaml" | "yml") => Some(Self::Campaign),
            _ => None,
        }
    }

    const fn is_in_force(self) -> bool {
        !matches!(self, Self::Test | Self::Campaign)
    }
}

/// The last part of a path without its ending: `support-bot` of `mortise/agents/support-bot.toml`.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

struct Walk {
    root: PathBuf,
    files: Files,
}

impl Walk {
    fn entry(&mut self, path: &str, depth: usize) -> Result<(), ReadError> {
        let io = |source| ReadError::Io { path: path.to_owned(), source };
        let real = fs::canonicalize(self.root.join(path)).map_err(io)?;
        if !real.starts_with(&self.root) {
            return Err(ReadError::LeavesProject { path: path.to_owned() });
        }
        let kind = fs::metadata(&real).map_err(io)?;
        if kind.is_dir() {
            self.folder(path, &real, depth)
        } else if !kind.is_file() {
            Err(ReadError::NotAFile { path: path.to_owned() })
        } else {
            self.file(path, &real)
        }
    }

    fn folder(&mut self, path: &str, real: &Path, depth: usize) -> Result<(), ReadError> {
        if depth > MAX_DEPTH {
            return Err(ReadError::TooDeep { path: path.to_owned() });
        }
        let io = |source| ReadError::Io { path: path.to_owned(), source };
        for (seen, entry) in fs::read_dir(real).map_err(io)?.enumerate() {
            if seen >= MAX_FILES {
                return Err(ReadError::TooMany);
            }
            let name = entry.map_err(io)?.file_name();
            let Some(name) = name.to_str() else {
                return Err(ReadError::NotText { path: format!("{path}/{}", name.to_string_lossy()) });
            };
            // Editors' leftovers; a policy hidden behind a dot would be one nobody sees.
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            self.entry(&format!("{path}/{name}"), depth + 1)?;
        }
        Ok(())
    }

    fn file(&mut self, path: &str, real: &Path) -> Result<(), ReadError> {
        if self.files.texts.len() + self.files.ignored.len() >= MAX_FILES {
            return Err(ReadError::TooMany);
        }
        if Part::of(path).is_none() {
            if is_misplaced(path) {
                self.files.ignored.push(path.to_owned());
            }
            return Ok(());
        }
        let io = |source| ReadError::Io { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        fs::File::open(real).map_err(io)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ReadError::TooLong { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|_| ReadError::NotText { path: path.to_owned() })?;
        self.files.texts.insert(path.to_owned(), text);
        Ok(())
    }
}

/// Tests and campaigns keep fixtures of any kind beside them, and a README is welcome anywhere.
fn is_misplaced(path: &str) -> bool {
    let beside_tests = path.starts_with("mortise/tests/") || path.starts_with("mortise/redteam/");
    !beside_tests && !path.ends_with(".md") && !path.ends_with(".cedarschema")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn reads_what_it_knows_and_names_what_is_misplaced() {
        let dir = project(&[
            ("mortise.toml", ""),
            ("mortise/agents/a.toml", "x"),
            ("mortise/policies/deep/er/p.cedar", "p"),
            ("mortise/tests/t.yaml", "t"),
            ("mortise/tests/fixture.bin", "f"),
            ("mortise/agent/b.toml", "y"),
            ("mortise/agents/.b.toml.swp", "y"),
            ("mortise/README.md", "y"),
            ("src/main.rs", "z"),
        ]);
        let files = Files::read(dir.path()).unwrap();
        let paths: Vec<&str> = files.texts.keys().map(String::as_str).collect();
        let expected =
            ["mortise.toml", "mortise/agents/a.toml", "mortise/policies/deep/er/p.cedar", "mortise/tests/t.yaml"];
        assert_eq!(paths, expected);
        assert_eq!(files.ignored, ["mortise/agent/b.toml"]);
        assert_eq!(files.in_force().count(), 3);
    }

    #[test]
    fn revision_ignores_tests_and_sees_everything_else() {
        let mut files = Files::default();
        files.texts.insert(SETTINGS.to_owned(), "a".to_owned());
        let before = files.revision();
        files.texts.insert("mortise/tests/t.yaml".to_owned(), "a".to_owned());
        assert_eq!(files.revision(), before);
        files.texts.insert(LOCK.to_owned(), "{}".to_owned());
        assert_ne!(files.revision(), before);
    }

    #[test]
    fn file_length_is_bounded() {
        let dir = project(&[("mortise.toml", &"#".repeat(MAX_FILE_BYTES))]);
        assert!(Files::read(dir.path()).is_ok());
        fs::write(dir.path().join("mortise.toml"), "#".repeat(MAX_FILE_BYTES + 1)).unwrap();
        assert!(matches!(Files::read(dir.path()), Err(ReadError::TooLong { .. })));
    }

    #[test]
    fn number_of_files_is_bounded() {
        let dir = project(&[]);
        let tests = dir.path().join("mortise/tests");
        fs::create_dir_all(&tests).unwrap();
        for n in 0..MAX_FILES {
            fs::write(tests.join(format!("{n}.yaml")), "").unwrap();
        }
        assert_eq!(Files::read(dir.path()).unwrap().texts.len(), MAX_FILES);
        fs::write(dir.path().join("mortise.lock"), "{}").unwrap();
        assert!(matches!(Files::read(dir.path()), Err(ReadError::TooMany)));
    }

    #[test]
    fn depth_is_bounded() {
        let inside = |levels: usize| format!("mortise/policies/{}p.cedar", "d/".repeat(levels));
        assert!(Files::read(project(&[(&inside(MAX_DEPTH - 1), "")]).path()).is_ok());
        let deep = project(&[(&inside(MAX_DEPTH), "")]);
        assert!(matches!(Files::read(deep.path()), Err(ReadError::TooDeep { .. })));
    }

    #[test]
    fn text_must_be_text() {
        let dir = project(&[]);
        fs::write(dir.path().join("mortise.toml"), [0xff, 0xfe]).unwrap();
        assert!(matches!(Files::read(dir.path()), Err(ReadError::NotText { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside() {
        use std::os::unix::fs::symlink;
        let outside = project(&[("p.cedar", "permit;")]);
        let dir = project(&[("mortise/policies/a.cedar", "a"), ("shared/b.cedar", "b")]);
        symlink(dir.path().join("shared/b.cedar"), dir.path().join("mortise/policies/b.cedar")).unwrap();
        assert_eq!(Files::read(dir.path()).unwrap().text("mortise/policies/b.cedar"), Some("b"));
        symlink(outside.path().join("p.cedar"), dir.path().join("mortise/policies/c.cedar")).unwrap();
        assert!(matches!(Files::read(dir.path()), Err(ReadError::LeavesProject { .. })));
        fs::remove_file(dir.path().join("mortise/policies/c.cedar")).unwrap();
        symlink(dir.path().join("mortise"), dir.path().join("mortise/policies/circle")).unwrap();
        assert!(matches!(Files::read(dir.path()), Err(ReadError::TooDeep { .. })));
    }
}

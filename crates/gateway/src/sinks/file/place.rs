//! Where a file that is a sink's may not be: among what Mortise keeps, in a repository's own folder, and where another
//! sink's is.

use govern::project::{Files, SETTINGS, Settings, SinkTo, sink_path_spans};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use vocab::Diagnostic;

/// Digits of the name of a project's folder among the states of all projects.
const STATE_DIGITS: usize = 16;

/// The places that Mortise keeps for itself, and what a sink's path is relative to.
#[derive(Clone, Debug)]
pub(super) struct Places {
    root: PathBuf,
    own: Vec<PathBuf>,
    /// The folder of the states of all projects.
    states: Option<PathBuf>,
}

/// Why a sink may not be somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// By Mortise.
    Own,
    /// By a repository.
    Repository,
}

impl Taken {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "Mortise keeps its own files there",
            Self::Repository => "a repository's own files are there",
        }
    }
}

impl Places {
    /// Of a project in `root` with its state in `state`.
    pub(super) fn new(root: &Path, state: &Path) -> Self {
        let mut own: Vec<PathBuf> = ["mortise", "mortise.toml", "mortise.lock"].map(|name| root.join(name)).into();
        own.push(state.to_owned());
        Self { root: root.to_owned(), own, states: state.parent().map(Path::to_owned) }
    }

    /// The file that a path means.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Refuses a path that leads to one of the places, through links too. Nothing is made for it.
    pub(super) fn keep_out(&self, path: &Path) -> io::Result<()> {
        match self.taken(&real(path)?) {
            None => Ok(()),
            Some(taken) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{}; choose another `path` for the sink", taken.as_str()),
            )),
        }
    }

    /// By whom a place is taken, if it is.
    fn taken(&self, real: &Path) -> Option<Taken> {
        let real_of = |place: &Path| std::fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
        if self.own.iter().any(|place| real.starts_with(real_of(place))) {
            return Some(Taken::Own);
        }
        if self.states.as_ref().is_some_and(|states| is_of_states(real, &real_of(states), &real_of(&self.root))) {
            return Some(Taken::Own);
        }
        // As the file systems do that do not tell letters apart.
        let is_repository = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
        real.components().any(is_repository).then_some(Taken::Repository)
    }
}

/// Whether a place is among the states of all projects. Their folder is nobody else's, unless the project is in it: then
/// only what is named like a state's is.
fn is_of_states(real: &Path, states: &Path, root: &Path) -> bool {
    let Ok(below) = real.strip_prefix(states) else { return false };
    let first = below.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned());
    let is_state = |name: String| name.len() == STATE_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    !root.starts_with(states) || first.is_some_and(is_state)
}

/// Where a path leads to. What is not there yet is taken as it is written, and may not go up.
fn real(path: &Path) -> io::Result<PathBuf> {
    let there = path.ancestors().find(|there| there.symlink_metadata().is_ok()).unwrap_or(path);
    let rest = path.strip_prefix(there).unwrap_or(path);
    if !rest.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it goes up from a folder that is not there"));
    }
    let there = std::fs::canonicalize(there)?;
    Ok(if rest == Path::new("") { there } else { there.join(rest) })
}

/// Says which file sinks of a project's settings are where they may not be. Looks at the file system, and makes nothing.
#[must_use]
pub fn misplaced(root: &Path, state: &Path, settings: &Settings, files: &Files) -> Vec<Diagnostic> {
    let places = Places::new(root, state);
    let text = files.text(SETTINGS).unwrap_or_default();
    let written = sink_path_spans(text);
    let complain = |name: &str, path: &str, why: String, help: String| {
        let message = format!("the sink `{name}` cannot write to `{path}`: {why}");
        let found = Diagnostic::error("config/sink-path", SETTINGS, message).with_help(help);
        match written.get(name) {
            Some(span) => found.at(text, *span),
            None => found,
        }
    };
    let mut found = Vec::new();
    let mut known: BTreeMap<Same, &str> = BTreeMap::new();
    for (name, sink) in &settings.sinks {
        let SinkTo::File(path) = &sink.to else { continue };
        let choose = || "choose a file elsewhere, such as `../events.jsonl`".to_owned();
        let real = match real(&places.file(path)) {
            Ok(real) => real,
            Err(error) => {
                found.push(complain(name, path, error.to_string(), choose()));
                continue;
            }
        };
        if let Some(taken) = places.taken(&real) {
            found.push(complain(name, path, taken.as_str().to_owned(), choose()));
        } else if let Some(first) = known.get(&Same::of(&real)) {
            let help = format!("give each its own file, or remove one: `{first}` writes every record there already");
            found.push(complain(name, path, format!("the sink `{first}` writes to that file"), help));
        } else {
            known.insert(Same::of(&real), name);
        }
    }
    found
}

/// What two names of one file have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Same {
    /// File system and number of a file that is there.
    There(u64, u64),
    /// Where one will be.
    At(PathBuf),
}

impl Same {
    fn of(real: &Path) -> Self {
        std::fs::metadata(real)
            .map_or_else(|_| Self::At(real.to_owned()), |found| Self::There(found.dev(), found.ino()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use govern::project::Project;

    /// The complaints about sinks with these paths, in a project beside a state.
    fn complaints(dir: &Path, paths: &[&str]) -> Vec<Diagnostic> {
        let (root, state) = (dir.join("project"), dir.join("states/0123456789abcdef"));
        for folder in [&root.join("mortise"), &root.join("out"), &root.join(".git"), &state] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let sinks = paths
            .iter()
            .enumerate()
            .map(|(number, path)| format!("[sinks.s{number}]\nkind = \"file\"\npath = \"{path}\"\n"));
        let mut files = Files { folder: "project".to_owned(), ..Files::default() };
        files.texts.insert(SETTINGS.to_owned(), sinks.collect());
        let project = Project::parse(&files).unwrap();
        misplaced(&root, &state, &project.settings, &files)
    }

    #[test]
    fn a_sink_among_files_of_mortise_or_of_a_repository_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let states = dir.path().join("states/events.jsonl").display().to_string();
        for path in [
            "mortise.toml",
            "mortise.lock",
            "mortise/policies/x.cedar",
            "./mortise/x.jsonl",
            ".git/config",
            ".GIT/new/x",
            "out/../.git/hooks/x",
            "../states/0123456789abcdef/log/x",
            "../states/fedcba9876543210/x",
            &states,
            "new/../../x",
        ] {
            let found = complaints(dir.path(), &[path]);
            assert_eq!(found.len(), 1, "{path}");
            assert_eq!((found[0].code, found[0].line, found[0].column), ("config/sink-path", 3, 8), "{path}");
            assert!(found[0].help.is_some(), "{path}");
        }
        for path in ["out/x.jsonl", "mortise.log", "../x.jsonl", "new/deep/x.jsonl", "git/x", ".github/x"] {
            assert!(complaints(dir.path(), &[path]).is_empty(), "{path}");
        }
        assert!(!dir.path().join("project/new").exists());
    }

    #[test]
    fn two_sinks_on_one_file_are_an_error_by_whatever_name() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(complaints(dir.path(), &["out/x", "./out/x"]).len(), 1);
        std::fs::write(dir.path().join("project/out/a"), "").unwrap();
        std::fs::hard_link(dir.path().join("project/out/a"), dir.path().join("project/out/b")).unwrap();
        std::os::unix::fs::symlink("out", dir.path().join("project/link")).unwrap();
        let found = complaints(dir.path(), &["out/a", "out/b", "link/a", "out/c"]);
        assert_eq!(found.iter().map(|found| found.line).collect::<Vec<_>>(), [6, 9]);
        assert!(found[0].message.contains("`s1`") && found[0].message.contains("`s0`"), "{}", found[0].message);
    }

    #[test]
    fn where_the_project_is_in_the_folder_of_states_only_states_are_kept_out() {
        let (states, root) = (Path::new("/home/me"), Path::new("/home/me/project"));
        assert!(is_of_states(Path::new("/home/me/0123456789abcdef/log"), states, root));
        assert!(!is_of_states(Path::new("/home/me/events.jsonl"), states, root));
        assert!(is_of_states(Path::new("/state/events.jsonl"), Path::new("/state"), root));
    }
}

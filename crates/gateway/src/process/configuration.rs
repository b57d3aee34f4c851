//! What is in force, what waits, what was refused.
//!
//! An edit that only tightens applies at once; anything else waits for a person; a bad one changes nothing and is said
//! so. The accepted configuration is kept in the state directory, and a start is an edit against it: killing and
//! restarting a gateway loosens nothing.

use super::soundness::Sound;
use enforce::Snapshot;
use govern::accepted::{Accepted, Past};
use govern::change::{self, Change};
use govern::history;
use govern::project::{Files, Project, ReadError};
use govern::protected::Protected;
use policy::Bundle;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use store::{StateDir, StateError};
use vocab::id::{Digest, UserId};
use vocab::{Diagnostic, Severity};

/// A project compiled: what is needed to decide.
pub struct Compiled {
    /// The project.
    pub project: Arc<Project>,
    /// Its policies, or a bundle that denies everything.
    pub bundle: Arc<Bundle>,
    /// Complaints that did not keep it from compiling, or those that did keep the policies.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a project does not compile.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The files cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The files are wrong.
    #[error("{} error(s) in the project", .0.iter().filter(|found| found.severity == Severity::Error).count())]
    Invalid(Vec<Diagnostic>),
    /// State cannot be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The accepted configuration cannot be used.
    #[error("the accepted configuration cannot be read: {0}")]
    Accepted(String),
    /// A path is not absolute.
    #[error("{0}")]
    Path(String),
}

/// Parses and compiles a project.
///
/// # Errors
/// The project or its policies are wrong.
pub fn compile(files: &Files) -> Result<Compiled, ConfigurationError> {
    let project = Project::parse(files).map_err(ConfigurationError::Invalid)?;
    compile_project(project, None)
}

/// Compiles the policies of a project. What was found sound before is not checked again.
fn compile_project(project: Project, sound: Option<&Sound>) -> Result<Compiled, ConfigurationError> {
    let mut diagnostics = project.warnings.clone();
    let is_sound = |soundness: &Digest| sound.is_some_and(|sound| sound.is(soundness));
    let compilation = policy::compile_known(&project.policies, &project.shapes(), &is_sound);
    diagnostics.extend(compilation.diagnostics);
    match compilation.bundle {
        Some(bundle) => Ok(Compiled { project: Arc::new(project), bundle: Arc::new(bundle), diagnostics }),
        None => Err(ConfigurationError::Invalid(diagnostics)),
    }
}

/// A configuration that waits to be accepted.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The files.
    pub files: Files,
    /// Their digest.
    pub digest: Digest,
    /// What accepting it would do.
    pub change: Change,
}

/// What an edit came to.
#[derive(Debug)]
pub enum Edit {
    /// Nothing that matters changed.
    None,
    /// It is in force.
    Applied {
        /// What it changed.
        change: Change,
        /// Complaints that did not stop it.
        warnings: Vec<Diagnostic>,
    },
    /// It loosens, and waits.
    Waits(Change),
    /// It is wrong; what was in force stays.
    Refused(Vec<Diagnostic>),
}

/// What a start finds, before its policies are compiled.
pub struct Found {
    /// Settings, inventory, tools and policies, all but the last understood.
    pub project: Project,
    in_force: Files,
    first_use: bool,
}

impl Found {
    /// Decides what is in force at a start: what was accepted; only an empty state accepts what it finds.
    ///
    /// # Errors
    /// Neither what was accepted nor, on first use, what was found can be used: without settings and inventory there is
    /// nothing to serve at all.
    pub fn read(root: &Path, state: &StateDir) -> Result<Self, ConfigurationError> {
        let found = Files::read(root)?;
        let accepted = Accepted::load(state, past(state));
        let accepted = accepted.map_err(|error| ConfigurationError::Accepted(error.to_string()))?;
        let first_use = accepted.is_none();
        let (in_force, parsed) = match accepted {
            Some(Accepted { files, revision, .. }) => {
                let parsed = Project::parse_revision(&files, &revision);
                (files, parsed)
            }
            None => {
                let parsed = Project::parse(&found);
                (found, parsed)
            }
        };
        let project = parsed.map_err(ConfigurationError::Invalid)?;
        Ok(Self { project, in_force, first_use })
    }
}

/// What is in force and what waits.
pub struct Configuration {
    state: Arc<StateDir>,
    held: Mutex<Held>,
    protected: Protected,
    dev: bool,
}

struct Held {
    in_force: Files,
    waiting: Option<Waiting>,
    /// Files as last looked at, so that one edit is reported once.
    seen: Files,
    /// What is wrong with them, if they were refused.
    refused: Vec<Diagnostic>,
}

impl Configuration {
    /// Puts what was found in force.
    ///
    /// # Errors
    /// State cannot be kept.
    pub fn open(
        found: Found,
        state: Arc<StateDir>,
        protected: Protected,
        dev: bool,
        now_us: i64,
    ) -> Result<(Self, Snapshot, Vec<Edit>), ConfigurationError> {
        let kept = Arc::clone(&state);
        let in_force = found.in_force.clone();
        std::thread::scope(|scope| {
            // The one waits for the disk while the other computes, and waits for another file.
            let keep = || remember(&kept, &in_force, now_us);
            if std::thread::Builder::new().name("keep".to_owned()).spawn_scoped(scope, keep).is_err() {
                keep();
            }
            Self::put_in_force(found, state, protected, dev, now_us)
        })
    }

    fn put_in_force(
        found: Found,
        state: Arc<StateDir>,
        protected: Protected,
        dev: bool,
        now_us: i64,
    ) -> Result<(Self, Snapshot, Vec<Edit>), ConfigurationError> {
        let Found { in_force, project, first_use } = found;
        let (project, bundle, broken) = match compile_project(project, Sound::remembered(&state).as_ref()) {
            Ok(Compiled { project, bundle, .. }) => (project, bundle, None),
            // Policies that do not load are a policy: deny everything, and say why in every event.
            Err(ConfigurationError::Invalid(diagnostics)) => {
                let project = Project::parse(&in_force).map_err(ConfigurationError::Invalid)?;
                let bundle = Bundle::deny_all("the policies do not load; `mortise check` says why");
                (Arc::new(project), Arc::new(bundle), Some(diagnostics))
            }
            Err(other) => return Err(other),
        };
        Sound::remember(&state, &bundle);
        let snapshot = Snapshot::new(project, bundle, protected.clone(), dev);
        let held = Held { in_force: in_force.clone(), waiting: None, seen: in_force.clone(), refused: Vec::new() };
        let configuration = Self { state, held: Mutex::new(held), protected, dev };
        let mut edits = Vec::new();
        if let Some(diagnostics) = broken {
            edits.push(Edit::Refused(diagnostics));
        } else if first_use {
            configuration.save(&in_force, None, "first use of this state directory", now_us)?;
        }
        Ok((configuration, snapshot, edits))
    }

    /// Looks at the files again. Applies what only tightens, keeps what loosens waiting, refuses what is wrong.
    ///
    /// # Errors
    /// The files cannot be read, or state cannot be kept: what was in force stays.
    pub fn look(&self, root: &Path, now_us: i64) -> Result<(Edit, Option<Snapshot>), ConfigurationError> {
        let found = Files::read(root)?;
        let mut held = self.lock();
        if found == held.seen {
            return Ok((Edit::None, None));
        }
        held.seen = found.clone();
        held.refused.clear();
        let change = change::compare(&held.in_force, &found);
        if change.is_none() {
            held.waiting = None;
            return Ok((Edit::None, None));
        }
        let compiled = match compile(&found) {
            Ok(compiled) => compiled,
            Err(ConfigurationError::Invalid(diagnostics)) => {
                held.waiting = None;
                held.refused.clone_from(&diagnostics);
                return Ok((Edit::Refused(diagnostics), None));
            }
            Err(other) => return Err(other),
        };
        if change.must_wait() && !self.dev {
            let digest = compiled.project.revision.clone();
            held.waiting = Some(Waiting { files: found, digest, change: change.clone() });
            return Ok((Edit::Waits(change), None));
        }
        let Compiled { project, bundle, diagnostics } = compiled;
        self.save(&found, None, "only tightens, or `--dev`", now_us)?;
        remember(&self.state, &found, now_us);
        Sound::remember(&self.state, &bundle);
        held.in_force = found;
        held.waiting = None;
        let snapshot = Snapshot::new(project, bundle, self.protected.clone(), self.dev);
        Ok((Edit::Applied { change, warnings: diagnostics }, Some(snapshot)))
    }

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        self.lock().waiting.clone()
    }

    /// What is wrong with the files as last looked at; empty when nothing is.
    #[must_use]
    pub fn refused(&self) -> Vec<Diagnostic> {
        self.lock().refused.clone()
    }

    /// Puts what waits in force, if it is what the person was shown.
    ///
    /// # Errors
    /// Nothing waits, something else waits, or it does not compile any more.
    pub fn accept(
        &self,
        shown: &Digest,
        by: &UserId,
        reason: &str,
        now_us: i64,
    ) -> Result<(Change, Snapshot), ConfigurationError> {
        let mut held = self.lock();
        let waiting = held.waiting.clone().filter(|waiting| waiting.digest == *shown);
        let waiting = waiting.ok_or_else(|| ConfigurationError::Accepted("it is not what waits now".to_owned()))?;
        let Compiled { project, bundle, .. } = compile(&waiting.files)?;
        self.save(&waiting.files, Some(by), reason, now_us)?;
        remember(&self.state, &waiting.files, now_us);
        Sound::remember(&self.state, &bundle);
        held.in_force = waiting.files;
        held.waiting = None;
        Ok((waiting.change, Snapshot::new(project, bundle, self.protected.clone(), self.dev)))
    }

    fn save(&self, files: &Files, by: Option<&UserId>, reason: &str, now_us: i64) -> Result<(), ConfigurationError> {
        let accepted = Accepted::new(files, by.cloned(), reason, now_us);
        accepted.save(&self.state).map_err(|error| ConfigurationError::Accepted(error.to_string()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps what is in force, so that what is decided under it can be decided again. Without it that cannot be, and nothing else
/// is worse.
fn remember(state: &StateDir, files: &Files, now_us: i64) {
    if let Err(error) = history::keep(state, files, now_us) {
        tracing::warn!(%error, "decisions under this configuration cannot be made again once another one is in force");
    }
}

/// A state directory whose log has a record has served before: what was accepted must be there too. The log itself is made while
/// the first configuration is compiled; its first record is written when that one was accepted.
fn past(state: &StateDir) -> Past {
    let dir = state.log();
    if !dir.join("origin").exists() {
        return Past::None;
    }
    // A log that cannot be read is one that was written.
    let is_new = store::LogReader::open(&dir).and_then(|log| Ok(log.first()? == 0 && log.is_empty()?));
    if is_new.unwrap_or_default() { Past::None } else { Past::Some }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strict validation refuses it, nothing else does.
    const UNSOUND: &str = "@id(\"g\") forbid (principal, action, resource) when { context.nothing };";

    struct Place {
        root: tempfile::TempDir,
        states: tempfile::TempDir,
    }

    impl Place {
        fn with(rules: &str) -> Self {
            let root = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(root.path().join("mortise/policies")).unwrap();
            std::fs::write(root.path().join("mortise.toml"), "").unwrap();
            std::fs::write(root.path().join("mortise/policies/a.cedar"), rules).unwrap();
            Self { root, states: tempfile::tempdir().unwrap() }
        }

        fn state(&self, name: &str) -> Arc<StateDir> {
            Arc::new(StateDir::open(&self.states.path().join(name)).unwrap())
        }

        /// Starts with this state directory: whether there are rules, or a set that denies all.
        fn is_live(&self, state: &Arc<StateDir>) -> bool {
            let protected = Protected::new("/p", "/s", None).unwrap();
            let found = Found::read(self.root.path(), state).unwrap();
            let opened = Configuration::open(found, Arc::clone(state), protected, false, 0).unwrap();
            opened.1.bundle.rules().next().is_some()
        }

        fn soundness(&self) -> Digest {
            let project = Project::parse(&Files::read(self.root.path()).unwrap()).unwrap();
            let asked = Mutex::new(None);
            let ask = |found: &Digest| asked.lock().unwrap().replace(found.clone()).is_some();
            drop(policy::compile_known(&project.policies, &project.shapes(), &ask));
            asked.into_inner().unwrap().unwrap()
        }
    }

    #[test]
    fn what_was_found_sound_is_remembered_and_starts_again() {
        let place = Place::with("@id(\"p\") permit (principal, action, resource);");
        let state = place.state("one");
        assert!(place.is_live(&state));
        assert!(Sound::remembered(&state).unwrap().is(&place.soundness()));
        assert!(place.is_live(&state));
        state.write("sound.json", b"damaged").unwrap();
        assert!(place.is_live(&state));
        assert!(Sound::remembered(&state).unwrap().is(&place.soundness()), "checked again, and remembered again");
    }

    #[test]
    fn rules_that_are_not_remembered_are_validated() {
        let sound = Place::with("");
        let unsound = Place::with(UNSOUND);
        let state = unsound.state("none");
        assert!(!unsound.is_live(&state) && !unsound.is_live(&state));
        assert!(Sound::remembered(&state).is_none(), "a set that denies all was not found sound");

        let other = unsound.state("other");
        assert!(sound.is_live(&other));
        let text = String::from_utf8(other.read("sound.json").unwrap().unwrap()).unwrap();
        let digests = [sound.soundness(), unsound.soundness()].map(|digest| digest.to_string());
        let forged = text.replace(&digests[0], &digests[1]);
        // That this one starts shows that the others below are refused by the validator and by nothing else.
        for (name, kept, live) in [
            ("forged", forged.clone(), true),
            ("of another set", text.clone(), false),
            ("of another build", forged.replace("\"build\":\"", "\"build\":\"x"), false),
            ("cut", forged.trim_end_matches('}').to_owned(), false),
        ] {
            let state = unsound.state(name);
            state.write("sound.json", kept.as_bytes()).unwrap();
            assert_eq!(unsound.is_live(&state), live, "{name}");
        }
    }

    /// A start that ends before anything was accepted has made a log, and nothing in it. The next one is a first one.
    #[tokio::test]
    async fn a_log_without_a_record_is_no_past() {
        let place = Place::with("");
        let state = place.state("one");
        assert_eq!(past(&state), Past::None);
        let keys = store::Keys::open(&state.keys(), "mortise.test/log").unwrap();
        let options = store::LogOptions::new("mortise.test/log");
        let open = || store::Log::open(&state.log(), &options, keys.signers().unwrap(), &mut |_, _| {}).unwrap().0;
        drop(open());
        assert_eq!(past(&state), Past::None);
        let log = open();
        let record = vocab::Event::new(vocab::event::Kind::GatewayStarted, "e", 0, "default").to_bytes().unwrap();
        log.append(vec![record]).await.unwrap();
        log.close().unwrap();
        assert_eq!(past(&state), Past::Some);
        // What is damaged was written.
        std::fs::write(state.log().join("seg/00000000000000000000.log"), [0x55; 4096]).unwrap();
        assert_eq!(past(&state), Past::Some);
    }
}

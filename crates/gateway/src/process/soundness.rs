//! What has been checked before: a start need not check an unchanged set of rules against all tools again.
//!
//! The digest covers everything that the spared checks read, and it is kept together with the build that checked, so
//! that another version or a rebuilt binary checks again. The file lies beside the accepted configuration, in a
//! directory that only its owner enters: whoever could write it could as well replace the rules in force, which is why
//! it needs no signature of its own. Missing, unreadable or different: everything is checked, as if it had never been.

use policy::Bundle;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use store::StateDir;
use vocab::id::Digest;

/// The file in the state directory.
const FILE: &str = "sound.json";

/// A set of rules that was found sound, and by which build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sound {
    soundness: Digest,
    build: String,
}

impl Sound {
    /// What was remembered, if this build did; anything else is as good as nothing.
    pub(super) fn remembered(state: &StateDir) -> Option<Self> {
        let bytes = state.read(FILE).ok()??;
        let found: Self = serde_json::from_slice(&bytes).ok()?;
        (found.build == build()?).then_some(found)
    }

    /// Whether it is this set.
    pub(super) fn is(&self, soundness: &Digest) -> bool {
        self.soundness == *soundness
    }

    /// Remembers a bundle that this build has compiled. Not being able to costs the next start its checks, no more.
    pub(super) fn remember(state: &StateDir, bundle: &Bundle) {
        let (Some(soundness), Some(build)) = (bundle.soundness().cloned(), build()) else { return };
        let sound = Self { soundness, build };
        if Self::remembered(state).as_ref() == Some(&sound) {
            return;
        }
        let Ok(bytes) = serde_json::to_vec(&sound) else { return };
        if let Err(error) = state.write_cache(FILE, &bytes) {
            tracing::debug!(%error, "what was checked could not be remembered");
        }
    }
}

/// This build: its version, and the file that runs. `None` where the system does not say which that is.
fn build() -> Option<String> {
    let found = std::env::current_exe().and_then(std::fs::metadata).ok()?;
    let file = [found.dev(), found.ino(), found.size()];
    let time = (found.mtime(), found.mtime_nsec());
    Some(format!("{} {file:?} {time:?}", vocab::MORTISE_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(rules: &str) -> Bundle {
        let source = policy::Source { file: "a.cedar".into(), text: rules.into() };
        policy::compile(&[source], &policy::Shapes::default()).bundle.unwrap()
    }

    fn state() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        (dir, state)
    }

    #[test]
    fn one_set_is_remembered_and_no_other() {
        let (_dir, state) = state();
        let (one, two) = (bundle(""), bundle("@id(\"p\") permit (principal, action, resource);"));
        assert!(Sound::remembered(&state).is_none());
        Sound::remember(&state, &one);
        let found = Sound::remembered(&state).unwrap();
        assert!(found.is(one.soundness().unwrap()) && !found.is(two.soundness().unwrap()));
        Sound::remember(&state, &two);
        assert!(Sound::remembered(&state).unwrap().is(two.soundness().unwrap()));
        // A set that denies all because it did not load was not found sound, and takes nothing away.
        Sound::remember(&state, &Bundle::deny_all("x"));
        assert!(Sound::remembered(&state).unwrap().is(two.soundness().unwrap()));
    }

    #[test]
    fn what_another_build_checked_or_what_is_damaged_counts_as_nothing() {
        let (_dir, state) = state();
        Sound::remember(&state, &bundle(""));
        let text = String::from_utf8(state.read(FILE).unwrap().unwrap()).unwrap();
        let other = text.replace(vocab::MORTISE_VERSION, "0.0.0");
        let rebuilt = text.replace("\"build\":\"", "\"build\":\"x");
        let longer = text.replace("{\"", "{\"more\":1,\"");
        for damaged in ["", "{}", "null", text.trim_end_matches('}'), &other, &rebuilt, &longer] {
            assert_ne!(damaged, text);
            state.write(FILE, damaged.as_bytes()).unwrap();
            assert!(Sound::remembered(&state).is_none(), "{damaged}");
        }
    }
}

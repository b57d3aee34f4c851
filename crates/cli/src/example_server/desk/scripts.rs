//! The scripts, what each may be given, and the namespaces they act on.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A script. There are no others: the name is an enumeration, not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Script {
    RestartWorker,
    RotateLogs,
    PurgeCache,
    ReindexSearch,
    DropNamespace,
}

impl Script {
    pub(super) const ALL: [Self; 5] =
        [Self::RestartWorker, Self::RotateLogs, Self::PurgeCache, Self::ReindexSearch, Self::DropNamespace];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RestartWorker => "restart_worker",
            Self::RotateLogs => "rotate_logs",
            Self::PurgeCache => "purge_cache",
            Self::ReindexSearch => "reindex_search",
            Self::DropNamespace => "drop_namespace",
        }
    }

    /// Everything that may follow the script's name. Whole words only: no value is ever put together from text.
    pub(super) const fn args_allowed(self) -> &'static [&'static str] {
        match self {
            Self::RestartWorker => &["--graceful", "--now"],
            Self::RotateLogs => &["--keep=7", "--keep=30"],
            Self::PurgeCache => &["--older-than=24h", "--everything"],
            Self::ReindexSearch => &["--incremental", "--full"],
            Self::DropNamespace => &["--confirm"],
        }
    }

    const fn does(self) -> (&'static str, &'static str) {
        match self {
            Self::RestartWorker => ("would restart the workers of", "restarted the workers of"),
            Self::RotateLogs => ("would rotate the logs of", "rotated the logs of"),
            Self::PurgeCache => ("would purge the cache of", "purged the cache of"),
            Self::ReindexSearch => ("would reindex", "reindexed"),
            Self::DropNamespace => ("would drop", "dropped"),
        }
    }
}

/// The arguments of `run_script` and of its dry-run twin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub(super) script_name: Script,
    pub(super) namespace: Namespace,
    args: Vec<String>,
}

/// A namespace's name: lower case, so that a rule about `payments` cannot be passed by as `Payments`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Namespace(String);

/// Kubernetes allows 63; these are shorter.
const NAMESPACE_CHARACTERS: usize = 32;

impl Namespace {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Namespace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let sound = text.len() <= NAMESPACE_CHARACTERS
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if sound { Ok(Self(text)) } else { Err("not a namespace (lower-case letters, digits, `-`)".to_owned()) }
    }
}

/// The namespaces that exist.
pub(super) struct Namespaces(BTreeSet<Namespace>);

impl Default for Namespaces {
    fn default() -> Self {
        Self(["identity", "payments", "production", "staging"].map(|name| Namespace(name.to_owned())).into())
    }
}

impl Namespaces {
    /// Does what the script says, and says what changed.
    pub(super) fn run(&mut self, run: &Run) -> Result<String, String> {
        self.check(run)?;
        if run.script_name == Script::DropNamespace {
            self.0.remove(&run.namespace);
        }
        let (_, did) = run.script_name.does();
        Ok(format!("{did} `{}`", run.namespace.as_str()))
    }

    /// Says what would change, after the same checks.
    pub(super) fn rehearse(&self, run: &Run) -> Result<String, String> {
        self.check(run)?;
        let (would, _) = run.script_name.does();
        Ok(format!("{would} `{}`", run.namespace.as_str()))
    }

    /// What a person reads about the scripts.
    pub(super) fn handbook(&self) -> String {
        let mut text = "# Scripts\n\n".to_owned();
        for script in Script::ALL {
            text.push_str(&format!("- `{}`: {}\n", script.as_str(), quoted(script.args_allowed())));
        }
        let names: Vec<&str> = self.0.iter().map(Namespace::as_str).collect();
        text.push_str(&format!("\nNamespaces: {}\n", quoted(&names)));
        text
    }

    fn check(&self, run: &Run) -> Result<(), String> {
        let allowed = run.script_name.args_allowed();
        for (index, arg) in run.args.iter().enumerate() {
            let name = run.script_name.as_str();
            if !allowed.contains(&arg.as_str()) {
                return Err(format!("`{arg}` is not allowed for `{name}`; allowed: {}", quoted(allowed)));
            }
            if run.args.iter().skip(index + 1).any(|other| other == arg) {
                return Err(format!("`{arg}` is given twice"));
            }
        }
        if !self.0.contains(&run.namespace) {
            return Err(format!("no namespace `{}`", run.namespace.as_str()));
        }
        Ok(())
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::super::world::definitions;
    use super::*;

    #[test]
    fn the_pinned_definition_says_what_each_script_may_be_given() {
        for tool in definitions(include_str!("tools.json")).unwrap() {
            let Some(names) = tool["inputSchema"]["properties"]["script_name"]["enum"].as_array() else {
                continue;
            };
            assert_eq!(names.iter().collect::<Vec<_>>(), Script::ALL.map(Script::as_str).iter().collect::<Vec<_>>());
            let every: Vec<&str> = Script::ALL.iter().flat_map(|script| script.args_allowed()).copied().collect();
            assert_eq!(tool["inputSchema"]["properties"]["args"]["items"]["enum"], serde_json::json!(every));
            let described = tool["inputSchema"]["properties"]["args"]["description"].as_str().unwrap();
            for script in Script::ALL {
                let line = format!("{}: {}", script.as_str(), script.args_allowed().join(" "));
                assert!(described.contains(&line), "`{line}` is missing in `{described}`");
            }
        }
    }

    #[test]
    fn namespaces_have_one_spelling() {
        for good in ["payments", "p", "eu-1", &"a".repeat(NAMESPACE_CHARACTERS)] {
            assert!(Namespace::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "Payments", "1a", "-a", "pay ments", "payments/", "pаyments", &"a".repeat(33)] {
            assert!(Namespace::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}

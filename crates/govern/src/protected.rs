//! Mortise's own files as targets: what no tool may be pointed at, whatever the policies say.
//!
//! Judged by text alone, so it is a fence and no wall: links, variables and programs that build names at run time pass
//! it. What a process may really open is confinement's business. Errs towards touching: letter case is ignored, since
//! some file systems do.

mod passing;

use canon::path::{CleanPath, PathError};
use passing::Passing;
use std::borrow::Cow;
use vocab::ArgumentKind;

/// The places that are protected.
#[derive(Clone, Debug)]
pub struct Protected {
    roots: Vec<CleanPath>,
    /// Texts that are conspicuous anywhere, lower case: where the state is.
    texts: Vec<String>,
    home: Option<CleanPath>,
    project: CleanPath,
    /// What needs no look: most texts name nothing at all.
    passing: Passing,
}

impl Protected {
    /// The protected places of a project: `mortise/`, `mortise.toml`, `mortise.lock` and the state directory. All paths
    /// are absolute; `home` is what `~` stands for.
    ///
    /// # Errors
    /// When a path is not absolute.
    pub fn new(project: &str, state: &str, home: Option<&str>) -> Result<Self, PathError> {
        let below = |name: &str| lower(&format!("{project}/{name}"));
        let roots = vec![below("mortise")?, below("mortise.toml")?, below("mortise.lock")?, lower(state)?];
        let project = lower(project)?;
        Ok(Self {
            texts: vec![lower(state)?.as_str().to_owned()],
            home: home.map(lower).transpose()?,
            passing: Passing::beside(&roots, &project),
            roots,
            project,
        })
    }

    /// Protects one more place, such as an agent's hook settings.
    ///
    /// # Errors
    /// When the path is not absolute.
    pub fn and(mut self, path: &str) -> Result<Self, PathError> {
        self.roots.push(lower(path)?);
        self.passing = Passing::beside(&self.roots, &self.project);
        Ok(self)
    }

    /// Whether an argument's text points at a protected place, read as the server would in its working directory.
    #[must_use]
    pub fn touches(&self, server_cwd: &str, value: &str, kind: ArgumentKind) -> bool {
        !self.passing.surely(server_cwd, value, kind) && self.touches_resolved(server_cwd, value, kind)
    }

    fn touches_resolved(&self, server_cwd: &str, value: &str, kind: ArgumentKind) -> bool {
        let base = lower(server_cwd).unwrap_or_else(|_| self.project.clone());
        let value = value.to_lowercase();
        let quotes = ['"', '\'', '\\'];
        let plain: Cow<'_, str> = match value.contains(quotes) {
            true => value.chars().filter(|c| !quotes.contains(c)).collect(),
            false => Cow::Borrowed(&value),
        };
        if self.texts.iter().any(|text| value.contains(text) || plain.contains(text)) {
            return true;
        }
        match kind {
            ArgumentKind::Path => self.is_protected(&base, &value, OnDoubt::Touches),
            ArgumentKind::Text => self.is_protected(&base, &value, OnDoubt::Passes),
            ArgumentKind::Url => self.is_protected(&base, &file_of_url(&value), OnDoubt::Passes),
            ArgumentKind::Sql => value.split(['\'', '"']).any(|part| self.is_protected(&base, part, OnDoubt::Passes)),
            ArgumentKind::Shell => self.shell(&base, &value) || self.shell(&base, &plain),
        }
    }

    fn shell(&self, base: &CleanPath, line: &str) -> bool {
        let home = self.home.as_ref().map_or("~", CleanPath::as_str);
        let line = line.replace("${home}", home).replace("$home", home);
        let line = line.replace("${pwd}", base.as_str()).replace("$pwd", base.as_str());
        line.split(|c: char| c.is_whitespace() || WORD_ENDS.contains(&c))
            .any(|word| self.is_protected(base, word, OnDoubt::Passes) || self.may_expand_to(base, word))
    }

    fn is_protected(&self, base: &CleanPath, text: &str, doubt: OnDoubt) -> bool {
        // A system reads a path up to the first zero.
        let text = text.split('\0').next().unwrap_or_default();
        match self.resolve(base, text) {
            Ok(path) => self.roots.iter().any(|root| path.is_within(root)),
            Err(PathError::Empty) => false,
            Err(_) => doubt == OnDoubt::Touches,
        }
    }

    /// Whether a word with `*`, `?` or `[` may become a protected path.
    fn may_expand_to(&self, base: &CleanPath, word: &str) -> bool {
        if !word.contains(['*', '?', '[']) {
            return false;
        }
        let Ok(pattern) = self.resolve(base, word) else {
            return false;
        };
        self.roots.iter().any(|root| {
            let mut parts = pattern.as_str().split('/');
            root.as_str().split('/').all(|name| parts.next().is_some_and(|part| glob(part.as_bytes(), name.as_bytes())))
        })
    }

    fn resolve(&self, base: &CleanPath, text: &str) -> Result<CleanPath, PathError> {
        match CleanPath::resolve(text, base, self.home.as_ref()) {
            // `~ann/x` may be this home; `~draft.txt` is a file's name.
            Err(PathError::UnknownHome) => match (text.split_once('/'), &self.home) {
                (Some((_, rest)), Some(home)) => CleanPath::resolve(&format!("./{rest}"), home, None),
                _ => CleanPath::resolve(&format!("./{text}"), base, None),
            },
            resolved => resolved,
        }
    }
}

/// What separates the words of a command line, beside white space: an option's value may be a path too.
const WORD_ENDS: [char; 14] = [';', '|', '&', '<', '>', '(', ')', '{', '}', '=', ',', '`', '"', '\''];

/// What a text that is no path counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnDoubt {
    Touches,
    Passes,
}

fn lower(path: &str) -> Result<CleanPath, PathError> {
    CleanPath::absolute(&path.to_lowercase())
}

/// The path of a `file:` URL, percent signs decoded; another text as it is.
fn file_of_url(url: &str) -> String {
    let Some(rest) = url.trim().strip_prefix("file:") else {
        return url.to_owned();
    };
    let path = match rest.strip_prefix("//") {
        Some(authority) => authority.find('/').and_then(|at| authority.get(at..)).unwrap_or(authority),
        None => rest,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    String::from_utf8_lossy(&percent_decoded(path.as_bytes())).to_lowercase()
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    decoded
}

/// Whether a pattern may stand for a name. `[` and what follows stand for anything: too much rather than too little.
/// Two positions are kept (the classic linear-space match), so no pattern makes it slow.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'[') => return true,
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || Some(c) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    const STATE: &str = "/home/ann/.local/state/mortise";

    fn protected() -> Protected {
        Protected::new("/work/Shop", STATE, Some("/home/ann")).unwrap()
    }

    fn touches(value: &str, kind: ArgumentKind) -> bool {
        protected().touches("/work/Shop", value, kind)
    }

    #[test]
    fn own_files_by_any_spelling() {
        for value in [
            "mortise.toml",
            "./mortise.lock",
            "mortise",
            "mortise/policies/a.cedar",
            "src/../mortise/x",
            "/work/Shop/mortise.toml",
            "/work//shop/./MORTISE.toml",
            "../shop/mortise",
            "~/.local/state/mortise/x",
            "~ann/.local/state/mortise",
            "mortise.toml\0.txt",
            "mortise.loc\u{212a}",
            "/home/ann/.local/state/../state/mortise/keys",
        ] {
            assert!(touches(value, ArgumentKind::Path), "{value}");
            assert!(touches(value, ArgumentKind::Text), "{value}");
        }
    }

    #[test]
    fn other_files_pass() {
        for value in [
            "mortise2/x",
            "src/mortise.toml",
            "docs",
            ".",
            "/work/shop",
            "/",
            "~",
            "~/.local/state",
            "~draft.txt",
            "mortise.toml.bak",
            "",
        ] {
            assert!(!touches(value, ArgumentKind::Path), "{value}");
        }
        assert!(!touches("please have a look at mortise.toml", ArgumentKind::Text));
    }

    #[test]
    fn where_the_server_runs_counts() {
        assert!(protected().touches("/work/Shop/src", "../mortise.toml", ArgumentKind::Path));
        assert!(!protected().touches("/work/Shop/src", "mortise.toml", ArgumentKind::Path));
        assert!(protected().touches("not absolute", "mortise.toml", ArgumentKind::Path));
    }

    #[test]
    fn the_state_directory_is_conspicuous_anywhere() {
        for kind in ArgumentKind::ALL {
            assert!(touches(&format!("see {STATE}/keys"), *kind), "{kind:?}");
            assert!(touches(&format!("x{}", STATE.to_uppercase()), *kind), "{kind:?}");
        }
    }

    #[test]
    fn shell_words() {
        for line in [
            "cat mortise.toml",
            "echo x>mortise/policies/a.cedar",
            "sed -i s/a/b/ 'mortise.toml'",
            "rm -rf mortise",
            "cp --to=mortise.lock x",
            "cat mort\\ise.toml",
            "cat mor\"tise.to\"ml",
            "rm *",
            "rm mort*",
            "cat m?rtise.lock",
            "cat mortis[e].toml",
            "cat ${HOME}/.local/state/mortise/a",
            "cat $PWD/mortise.toml",
            "ls;cat</work/shop/mortise.toml",
            "tar c {mortise,src}",
            "rm mor*/policies/*.cedar",
        ] {
            assert!(touches(line, ArgumentKind::Shell), "{line}");
        }
        for line in ["ls", "rm *.py", "cat src/*", "cargo test", "cat ~/x", "echo mortises", "ls src/mortise"] {
            assert!(!touches(line, ArgumentKind::Shell), "{line}");
        }
    }

    #[test]
    fn file_urls_and_sql_literals() {
        for url in [
            "file:///work/shop/mortise.toml",
            "file:///work/shop/%6dortise.toml?x",
            "file://localhost/work/shop/mortise/a",
            "FILE:/work/shop/mortise",
            "file:mortise.toml",
            "mortise.toml",
        ] {
            assert!(touches(url, ArgumentKind::Url), "{url}");
        }
        assert!(!touches("https://example.com/mortise.toml", ArgumentKind::Url));
        assert!(!touches("file:///work/shop/src%2", ArgumentKind::Url));
        assert!(touches("ATTACH 'mortise/x.db' AS x", ArgumentKind::Sql));
        assert!(touches("ATTACH 'mortise.lock' AS x", ArgumentKind::Sql));
        assert!(!touches("SELECT * FROM mortise", ArgumentKind::Sql));
    }

    #[test]
    fn what_cannot_be_read_as_a_path_touches_where_a_path_is_meant() {
        let long = format!("{}mortise.toml", "a/../".repeat(1_000));
        assert!(touches(&long, ArgumentKind::Path));
        assert!(!touches(&long, ArgumentKind::Text));
    }

    #[test]
    fn further_places_can_be_added() {
        let more = protected().and("/home/ann/.agent/settings.json").unwrap();
        assert!(more.touches("/", "~/.agent/settings.json", ArgumentKind::Path));
        assert!(protected().and("/home/ann").unwrap().touches("/", "~", ArgumentKind::Path));
        assert!(Protected::new("relative", STATE, None).is_err());
    }

    proptest! {
        #[test]
        fn nothing_below_a_root_passes(tail in "[a-zA-Z0-9_./ -]{0,40}") {
            let up = CleanPath::absolute(&format!("/{tail}")).unwrap();
            let value = format!("mortise{up}");
            prop_assert!(touches(&value, ArgumentKind::Path));
        }

        #[test]
        fn what_surely_passes_touches_nothing(
            // Names of roots, dots, slashes and tildes in any order, beside any text.
            value in prop_oneof![
                "(mortise|MORTISE|.toml|.loc[kK\u{212a}]|src|shop|\\.|\\.\\.|/|~|:|'|\"|\\\\|\0|file:|%6d| |\u{130}|\u{3a3}){0,5}",
                any::<String>(),
                "[ -~]{0,40}",
            ],
            cwd in prop_oneof![
                "(/work|/WORK|/shop|/Shop|/mortise|/mortise.toml|/a|/\\.|/\\.\\.|/|\0|\u{130}){0,4}",
                Just("relative".to_owned()),
                Just("/home/ann/.local/state/mortise".to_owned()),
            ],
            further in option::of("/work(/shop(/mortise|/a)?)?|/"),
        ) {
            let protected = further.iter().fold(protected(), |protected, path| protected.and(path).unwrap());
            for kind in ArgumentKind::ALL {
                let surely = protected.passing.surely(&cwd, &value, *kind);
                let touches = protected.touches_resolved(&cwd, &value, *kind);
                prop_assert!(!(surely && touches), "{kind:?} {value:?} in {cwd:?}");
                prop_assert_eq!(protected.touches(&cwd, &value, *kind), touches);
            }
        }

        #[test]
        fn never_panics(value in ".{0,80}", cwd in ".{0,10}") {
            for kind in ArgumentKind::ALL {
                let _ = protected().touches(&cwd, &value, *kind);
            }
        }

        #[test]
        fn a_star_for_any_part_matches(name in "[a-z]{1,8}", from in 0_usize..8, to in 0_usize..8) {
            let (from, to) = (from.min(name.len()), to.min(name.len()));
            let (from, to) = (from.min(to), from.max(to));
            let pattern = format!("{}*{}", name.get(..from).unwrap(), name.get(to..).unwrap());
            prop_assert!(glob(pattern.as_bytes(), name.as_bytes()));
        }
    }
}

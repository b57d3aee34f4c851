//! The tool servers that clients already know in this repository.

use canon::json::{Limits, parse};
use gateway::guardian::SAFE_PATH;
use govern::names::{MAX_NAME_BYTES, is_canonical};
use serde_json::{Map, Value};
use std::path::Path;

/// Where clients keep their servers, relative to the repository, and the key they stand under.
const CONFIGURATIONS: [(&str, &str); 3] =
    [(".mcp.json", "mcpServers"), (".cursor/mcp.json", "mcpServers"), (".vscode/mcp.json", "servers")];

/// Longest configuration that is read: 1 MiB; the longest known ones have some kilobytes.
const MAX_BYTES: usize = 1024 * 1024;

/// Most servers that are taken over: no client starts as many.
const MAX_SERVERS: usize = 64;

/// A server and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its name, made canonical.
    pub name: String,
    pub source: &'static str,
    pub access: Access,
}

/// How it is reached. Of variables and headers only the names are taken over: the values may be secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Start { command: String, args: Vec<String>, env: Vec<String>, pass_path: bool },
    Reach { url: String, headers: Vec<String> },
}

/// What was found, and what has to be said about it.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub servers: Vec<Found>,
    pub notes: Vec<String>,
}

/// Looks into every configuration. `path` is the user's own search path.
pub(super) fn survey(root: &Path, path: &str) -> Survey {
    let mut survey = Survey::default();
    for (file, key) in CONFIGURATIONS {
        match read(&root.join(file)) {
            Ok(None) => {}
            Ok(Some(value)) => {
                let servers = value.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
                servers.iter().for_each(|(name, server)| survey.add(file, name, server, path));
            }
            Err(why) => survey.notes.push(format!("`{file}` was not read: {why}")),
        }
    }
    survey
}

fn read(file: &Path) -> Result<Option<Value>, String> {
    match std::fs::metadata(file) {
        Ok(found) if !found.is_file() => return Err("it is not a file".to_owned()),
        Ok(found) if found.len() > MAX_BYTES as u64 => return Err("it is longer than 1 MiB".to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let value = parse(&bytes, &Limits { bytes: MAX_BYTES, ..Limits::default() });
    value.map(Some).map_err(|error| format!("{error} (comments are not JSON)"))
}

impl Survey {
    fn add(&mut self, source: &'static str, given: &str, server: &Value, path: &str) {
        let shown = vocab::shown::name(given);
        if self.servers.len() >= MAX_SERVERS {
            self.notes.push(format!("`{shown}` of `{source}` was left out: {MAX_SERVERS} servers are taken over"));
            return;
        }
        let access = match access(server, path) {
            Ok(access) => access,
            Err(why) => {
                self.notes.push(format!("`{shown}` of `{source}` was left out: {why}"));
                return;
            }
        };
        let base = canonical(given).unwrap_or_else(|| "server".to_owned());
        let candidates = std::iter::once(base.clone()).chain((2..=MAX_SERVERS + 1).map(|n| suffixed(&base, n)));
        for name in candidates {
            match self.servers.iter().find(|known| known.name == name) {
                // Several clients know the same server.
                Some(known) if known.access == access => return,
                Some(_) => {}
                None => {
                    self.notes.extend(remarks(&name, source, &access));
                    self.servers.push(Found { name, source, access });
                    return;
                }
            }
        }
    }
}

fn access(server: &Value, path: &str) -> Result<Access, &'static str> {
    let text = |key: &str| server.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let names = |key: &str, good: fn(&str) -> bool| -> Vec<String> {
        let all = server.get(key).and_then(Value::as_object).map(Map::keys).into_iter().flatten();
        all.filter(|name| good(name)).cloned().collect()
    };
    if let Some(command) = text("command") {
        let args = server.get("args").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let args: Option<Vec<String>> = args.iter().map(|arg| arg.as_str().map(str::to_owned)).collect();
        let args = args.ok_or("an argument is not a text")?;
        let is_ours = Path::new(command).file_name().is_some_and(|name| name == "mortise");
        if is_ours && args.first().is_some_and(|first| first == "proxy") {
            return Err("it goes through Mortise already");
        }
        let in_safe_path = command.contains('/') || crate::commands::doctor::in_path(command, SAFE_PATH).is_some();
        let pass_path = !in_safe_path && crate::commands::doctor::in_path(command, path).is_some();
        return Ok(Access::Start { command: command.to_owned(), args, env: names("env", is_variable), pass_path });
    }
    match (text("url"), text("type")) {
        (Some(_), Some("sse")) => Err("the SSE transport is not spoken; servers offer streamable HTTP by now"),
        (Some(url), _) if url.starts_with("http://") || url.starts_with("https://") => {
            Ok(Access::Reach { url: url.to_owned(), headers: names("headers", is_header) })
        }
        _ => Err("it has neither a command nor an HTTP URL"),
    }
}

/// What a person has to do before the server starts.
fn remarks(name: &str, source: &str, access: &Access) -> Vec<String> {
    let mut notes = Vec::new();
    let (texts, values): (Vec<&str>, bool) = match access {
        Access::Start { command, args, env, .. } => {
            (std::iter::once(command).chain(args).map(String::as_str).collect(), !env.is_empty())
        }
        Access::Reach { url, headers } => (vec![url.as_str()], !headers.is_empty()),
    };
    if values {
        notes.push(format!(
            "values of `{source}` were not copied: set the variables named in `mortise/tools/{name}.toml` for the gateway"
        ));
    }
    if texts.iter().any(|text| text.contains("${")) {
        notes.push(format!(
            "`mortise/tools/{name}.toml` has `${{...}}`, which Mortise does not expand: write the value"
        ));
    }
    notes
}

/// The canonical name nearest to a text; `None` when nothing of it is left.
pub(super) fn canonical(text: &str) -> Option<String> {
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(kept).collect();
    let name: String = name.trim_matches(['-', '_']).chars().take(MAX_NAME_BYTES).collect();
    is_canonical(&name).then_some(name)
}

fn suffixed(base: &str, number: usize) -> String {
    let suffix = format!("-{number}");
    let base: String = base.chars().take(MAX_NAME_BYTES - suffix.len()).collect();
    format!("{base}{suffix}")
}

fn is_variable(name: &str) -> bool {
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    begins && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn put(dir: &Path, file: &str, text: &str) {
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn names(survey: &Survey) -> Vec<&str> {
        survey.servers.iter().map(|server| server.name.as_str()).collect()
    }

    #[test]
    fn all_clients_are_read_and_a_shared_server_once() {
        let dir = tempfile::tempdir().unwrap();
        let one = json!({ "mcpServers": { "db": { "command": "db" } } }).to_string();
        put(dir.path(), ".mcp.json", &one);
        put(dir.path(), ".cursor/mcp.json", &one);
        put(dir.path(), ".vscode/mcp.json", &json!({ "servers": { "db": { "command": "other" } } }).to_string());
        assert_eq!(names(&survey(dir.path(), "")), ["db", "db-2"]);
    }

    #[test]
    fn what_cannot_be_taken_over_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let servers = json!({ "mcpServers": {
            "a": { "type": "sse", "url": "https://x.example/sse" },
            "b": { "command": "/usr/bin/mortise", "args": ["proxy", "--agent", "x"] },
            "c": {},
            "d": { "command": "x", "args": [1] },
            "e": { "command": "run", "args": ["${HOME}/x"], "env": { "K": "v" } },
        } });
        put(dir.path(), ".mcp.json", &servers.to_string());
        put(dir.path(), ".vscode/mcp.json", "{ // a comment\n }");
        let survey = survey(dir.path(), "");
        assert_eq!(names(&survey), ["e"]);
        assert_eq!(survey.notes.len(), 7, "{:#?}", survey.notes);
        assert!(survey.notes.iter().all(|note| !note.contains("\"v\"")));
    }

    #[test]
    fn size_and_number_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let servers: Map<String, Value> =
            (0..=MAX_SERVERS).map(|n| (format!("s{n}"), json!({ "command": format!("c{n}") }))).collect();
        put(dir.path(), ".mcp.json", &json!({ "mcpServers": servers }).to_string());
        let found = survey(dir.path(), "");
        assert_eq!((found.servers.len(), found.notes.len()), (MAX_SERVERS, 1));
        let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
        put(dir.path(), ".mcp.json", &padded(MAX_BYTES));
        assert!(survey(dir.path(), "").notes.is_empty());
        put(dir.path(), ".mcp.json", &padded(MAX_BYTES + 1));
        assert_eq!(survey(dir.path(), "").notes.len(), 1);
    }

    proptest! {
        #[test]
        fn names_are_canonical_or_none(text in any::<String>()) {
            if let Some(name) = canonical(&text) {
                prop_assert!(is_canonical(&name));
                prop_assert!(is_canonical(&suffixed(&name, 65)));
                prop_assert_eq!(canonical(&name), Some(name.trim_matches(['-', '_']).to_owned()));
            }
        }
    }
}

//! `mortise init`: a commented configuration for this repository.
//!
//! Takes over the tool servers that coding clients already know here; without any, the example desk stands in, so that
//! what is written works at once. Never overwrites a file, and never copies a value that might be a secret.

mod found;
mod templates;

use crate::args::{self, Global};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use found::{Found, Survey};
use govern::names::is_canonical;
use govern::project::SETTINGS;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use templates::Choices;
use vocab::Exit;

/// Looks at the repository and writes what is not there yet.
pub fn run(output: &Output, global: &Global, args: &args::Init) -> Outcome {
    if !is_canonical(&args.agent) {
        return Err(Failure::new(Exit::Usage, format!("`{}` is not an agent name", args.agent))
            .with_help("use lower-case letters, digits, `-` and `_`"));
    }
    let root = match &global.project {
        Some(chosen) => chosen.clone(),
        None => std::env::current_dir()?,
    };
    let root = std::fs::canonicalize(&root)
        .map_err(|error| Failure::new(Exit::Environment, format!("cannot open `{}`: {error}", root.display())))?;
    let user = std::env::var("USER").unwrap_or_default();
    let survey = found::survey(&root, &std::env::var("PATH").unwrap_or_default());
    let written = write(&root, &choices(&root, &args.agent, &user), &survey.servers)?;
    report(output, &root, &args.agent, &survey, &written);
    Ok(Exit::Ok)
}

fn choices(root: &Path, agent: &str, user: &str) -> Choices {
    let folder = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Choices {
        project: found::canonical(&folder).unwrap_or_else(|| "project".to_owned()),
        agent: agent.to_owned(),
        approver: found::canonical(user).unwrap_or_else(|| "me".to_owned()),
    }
}

/// What was written and what was there already, as paths relative to the project.
struct Written {
    new: Vec<String>,
    kept: Vec<String>,
}

fn write(root: &Path, choices: &Choices, servers: &[Found]) -> Result<Written, Failure> {
    let mut written = Written { new: Vec::new(), kept: Vec::new() };
    for (path, text) in templates::files(choices, servers) {
        let target = root.join(&path);
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Environment, format!("cannot write `{}`: {error}", target.display()))
        };
        std::fs::create_dir_all(target.parent().unwrap_or(root)).map_err(failed)?;
        match OpenOptions::new().write(true).create_new(true).open(&target) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).map_err(failed)?;
                written.new.push(path);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => written.kept.push(path),
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(written)
}

fn report(output: &Output, root: &Path, agent: &str, survey: &Survey, written: &Written) {
    let names: Vec<&str> = survey.servers.iter().map(|server| server.name.as_str()).collect();
    if output.is_human() {
        written.new.iter().for_each(|path| output.line(format!("wrote  {path}")));
        written.kept.iter().for_each(|path| output.line(format!("kept   {path}  (it was there; nothing was changed)")));
    } else {
        output.json(&json!({
            "written": written.new, "kept": written.kept, "servers": names, "notes": survey.notes,
        }));
    }
    for note in &survey.notes {
        output.message(format!("note: {note}"));
    }
    let above = root.ancestors().skip(1).find(|folder| folder.join(SETTINGS).is_file());
    if let Some(above) = above.map(Path::to_path_buf).map(PathBuf::into_os_string) {
        output.message(format!("note: `{}` is a project too; this one is apart from it", above.to_string_lossy()));
    }
    let steps = [
        ("mortise lock", "pin the tools that the servers offer; read what it writes"),
        ("edit mortise/tools", "say what each tool does (`effect`): what nobody declared is asked about at every call"),
        ("mortise approvals enroll me", "the secret with which you answer what is asked"),
        ("mortise check", "is everything valid?"),
        ("mortise test", "do the rules do what the cases say?"),
        ("mortise up", "serve the tools to an agent, recorded and guarded"),
    ];
    output.message("\nnext:");
    steps.iter().for_each(|(command, why)| output.message(format!("  {command:<27} {why}")));
    if names.is_empty() {
        output.message("no server of a client was found here, so the example desk stands in");
    } else {
        output.message(format!(
            "then put `mortise proxy --agent {agent} --` in front of each server's command in the client's configuration"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use enforce::Snapshot;
    use gateway::process::{Compiled, compile};
    use govern::lock::{Listing, Lock, pin};
    use govern::project::{Files, LOCK};
    use govern::protected::Protected;
    use serde_json::Value;
    use vocab::Severity;
    use vocab::id::ServerId;

    const DESK: &str = include_str!("../example_server/desk/tools.json");

    fn initialised(dir: &Path) -> (Survey, Written) {
        let survey = found::survey(dir, "");
        let written = write(dir, &choices(dir, "my-agent", "Ada Lovelace"), &survey.servers).unwrap();
        (survey, written)
    }

    /// Pins the tools as `mortise lock` would.
    fn lock(dir: &Path, servers: &[(&str, &str)]) {
        let pinned = servers.iter().map(|(server, tools)| {
            let listing = Listing {
                protocol_version: "2025-11-25".to_owned(),
                server_info: serde_json::json!({ "name": server }),
                tools: serde_json::from_str::<Vec<Value>>(tools).unwrap(),
            };
            (ServerId::new(*server), pin(&listing).unwrap())
        });
        std::fs::write(dir.join(LOCK), Lock { servers: pinned.collect() }.render()).unwrap();
    }

    /// What is written compiles without a complaint, and its cases pass.
    fn works(dir: &Path) {
        let files = Files::read(dir).unwrap();
        let Compiled { project, bundle, diagnostics } = compile(&files).unwrap();
        let complaints: Vec<_> = diagnostics.iter().filter(|one| one.severity > Severity::Info).collect();
        assert!(complaints.is_empty(), "{complaints:?}");
        let (suites, wrong) = lab::read_all(&project, &files);
        assert!(wrong.is_empty() && suites.len() == 1, "{wrong:?}");
        let missing = lab::missing_kinds(&project, &suites);
        assert!(missing.iter().all(|one| one.severity == Severity::Info), "{missing:?}");
        let snapshot = Snapshot::new(project, bundle, Protected::new("/p", "/s", None).unwrap(), false);
        let report = lab::run(&snapshot, lab::texts(&snapshot.project, &files), None).unwrap();
        assert_eq!(report.exit(true), Exit::Ok, "{}", lab::report::human(&report, &|_, text| text.to_owned()));
    }

    #[test]
    fn without_servers_the_example_works_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (survey, written) = initialised(dir.path());
        assert!(survey.servers.is_empty() && written.kept.is_empty());
        assert_eq!(written.new.len(), 6);
        compile(&Files::read(dir.path()).unwrap()).map_err(|error| error.to_string()).unwrap();
        lock(dir.path(), &[("desk", DESK)]);
        works(dir.path());
    }

    #[test]
    fn servers_of_clients_are_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let config = r#"{ "mcpServers": {
            "Notes DB": { "command": "npx", "args": ["-y", "notes \"x\"\n"], "env": { "NOTES_KEY": "sk-123", "no good": "x" } },
            "remote": { "type": "http", "url": "https://mcp.example.com/mcp", "headers": { "Authorization": "Bearer abc" } }
        } }"#;
        std::fs::write(dir.path().join(".mcp.json"), config).unwrap();
        let (survey, written) = initialised(dir.path());
        let names: Vec<&str> = survey.servers.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["notes-db", "remote"]);
        assert!(written.new.contains(&"mortise/tools/notes-db.toml".to_owned()));
        assert!(!written.new.iter().any(|path| path.contains("desk")));
        for path in &written.new {
            let text = std::fs::read_to_string(dir.path().join(path)).unwrap();
            assert!(!text.contains("sk-123") && !text.contains("abc"), "{path} holds a secret");
            assert!(!text.contains("{{"), "{path} has a gap");
        }
        let tool = r#"[{"name": "read", "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}}}]"#;
        lock(dir.path(), &[("notes-db", tool), ("remote", tool)]);
        works(dir.path());
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(SETTINGS), "# mine\n").unwrap();
        let (_, first) = initialised(dir.path());
        assert_eq!(first.kept, [SETTINGS]);
        assert_eq!(std::fs::read_to_string(dir.path().join(SETTINGS)).unwrap(), "# mine\n");
        let (_, again) = initialised(dir.path());
        assert!(again.new.is_empty() && again.kept.len() == 6);
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside.toml");
        std::os::unix::fs::symlink(&outside, dir.path().join(SETTINGS)).unwrap();
        let (_, written) = initialised(dir.path());
        assert!(written.kept.contains(&SETTINGS.to_owned()) && !outside.exists());
    }

    #[test]
    fn odd_names_become_names() {
        let made = choices(Path::new("/x/My Project (2)"), "a", "DOMAIN\\Ada");
        assert_eq!((made.project.as_str(), made.approver.as_str()), ("my-project--2", "domain-ada"));
        let made = choices(Path::new("/"), "a", "");
        assert_eq!((made.project.as_str(), made.approver.as_str()), ("project", "me"));
    }
}

//! What the project's files need from the machine.

use super::Check;
use super::machine::in_path;
use crate::failure::Failure;
use crate::output::counted;
use crate::place::Place;
use gateway::guardian::{OWN_BINARY, SAFE_PATH};
use gateway::process::{Compiled, ConfigurationError, compile};
use govern::identity::Credentials;
use govern::project::{Access, Project, Server, Start, Text};
use policy::RuleKind;
use std::net::TcpListener;
use std::path::Path;
use store::StateDir;
use vocab::{Severity, Verdict};

pub(super) fn checks(place: &Place) -> Vec<Check> {
    let mut checks = vec![state(place), outside(place), repository(&place.root)];
    let files = match govern::project::Files::read(&place.root) {
        Ok(files) => files,
        Err(error) => {
            checks.push(Check::fail("project", error.to_string(), "run `mortise check`"));
            return checks;
        }
    };
    match compile(&files) {
        Ok(compiled) => {
            let name = &compiled.project.settings.name;
            checks.push(
                match compiled.diagnostics.iter().filter(|found| found.severity == Severity::Warning).count() {
                    0 => Check::ok("project", format!("`{name}` is valid")),
                    warnings => Check::warn(
                        "project",
                        format!("`{name}`: {}", counted(warnings as u64, "warning")),
                        "run `mortise check`",
                    ),
                },
            );
            checks.push(approvers(place, &compiled));
            for server in compiled.project.servers.values() {
                checks.extend(command(place, server));
                checks.extend(variables(server, |name| std::env::var_os(name).is_some()));
            }
            checks.push(port(place, &compiled.project));
        }
        Err(ConfigurationError::Invalid(found)) => {
            let errors = found.iter().filter(|one| one.severity == Severity::Error).count();
            checks.push(Check::fail("project", counted(errors as u64, "error"), "run `mortise check`"));
        }
        Err(error) => checks.push(Check::fail("project", error.to_string(), "run `mortise check`")),
    }
    checks
}

/// There, private and writable; or where it will be, somebody may make it.
fn state(place: &Place) -> Check {
    let shown = place.state.display();
    let fix = "make it yours and private (`chmod 700`), or choose another with MORTISE_STATE_DIR";
    let is_there = match place.state.try_exists() {
        Ok(is_there) => is_there,
        Err(error) => return Check::fail("state", Failure::unreadable(&place.state, &error).message, fix),
    };
    if !is_there {
        let above = place.state.ancestors().find(|folder| folder.exists());
        let writable = above.is_some_and(|folder| rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok());
        return if writable {
            Check::ok("state", format!("{shown} will be made by the first gateway"))
        } else {
            Check::fail("state", format!("{shown} cannot be made"), fix)
        };
    }
    const PROBE: &str = "doctor.probe";
    let probed =
        StateDir::open(&place.state).and_then(|state| state.write(PROBE, b"").and_then(|()| state.remove(PROBE)));
    match probed {
        Ok(()) => Check::ok("state", format!("{shown} is private and writable")),
        Err(error) => Check::fail("state", error.to_string(), fix),
    }
}

/// State inside the project would be in reach of whoever edits the project.
fn outside(place: &Place) -> Check {
    if place.state.starts_with(&place.root) {
        let fix = "choose a directory outside the repository with MORTISE_STATE_DIR";
        return Check::fail("state-outside", "the state directory is inside the project, where agents work", fix);
    }
    Check::ok("state-outside", "the state directory is outside the project")
}

fn repository(root: &Path) -> Check {
    if root.ancestors().any(|folder| folder.join(".git").exists()) {
        return Check::ok("repository", "the project is in a git repository");
    }
    let fix = "run `git init`: who changed a policy should be known";
    Check::warn("repository", "the project is in no git repository", fix)
}

/// Asking makes sense only if somebody can answer.
fn approvers(place: &Place, compiled: &Compiled) -> Check {
    let asks = compiled.bundle.rules().any(|rule| !rule.shipped && rule.kind == RuleKind::Guard(Verdict::Ask));
    let named = &compiled.project.settings.approvers;
    if named.is_empty() {
        let found = "nobody may answer calls that wait, nor accept a loosening";
        let fix = "add `[approvers.NAME]` to `mortise.toml`, then `mortise approvals enroll NAME`";
        return Check::warn("approvers", found, fix);
    }
    // Only an existing directory is opened: looking makes none.
    let enrolled = place.state.exists().then(|| StateDir::open(&place.state).ok()).flatten();
    let enrolled = enrolled.and_then(|state| Credentials::load(&state).ok()).unwrap_or_default();
    let missing: Vec<&str> = named.keys().filter(|name| !enrolled.has(name)).map(vocab::id::UserId::as_str).collect();
    if missing.is_empty() {
        return Check::ok("approvers", format!("{} can answer", named.len()));
    }
    let found = format!("no secret is set for {}", missing.join(", "));
    let fix = format!("run `mortise approvals enroll {}`", missing.first().copied().unwrap_or("NAME"));
    let nobody = missing.len() == named.len();
    let also = if nobody && asks { "; calls that are asked about will be refused" } else { "" };
    Check::warn("approvers", format!("{found}{also}"), fix)
}

/// A program that only the shell's search path has is the commonest reason for a server that does not start.
fn command(place: &Place, server: &Server) -> Option<Check> {
    let Access::Start(start) = &server.access else { return None };
    if start.command == OWN_BINARY {
        return None;
    }
    let own = std::env::var("PATH").unwrap_or_default();
    Some(resolved(place, server.id.as_str(), start, &own))
}

fn resolved(place: &Place, server: &str, start: &Start, own_path: &str) -> Check {
    let program = &start.command;
    if program.contains('/') {
        let file = place.root.join(program);
        return if file.is_file() {
            Check::ok("server", format!("`{server}` starts {}", file.display()))
        } else {
            let fix = format!("correct `command` in `mortise/tools/{server}.toml`");
            Check::fail("server", format!("`{server}`: there is no `{}`", file.display()), fix)
        };
    }
    let path = if start.pass_env.contains("PATH") { own_path } else { SAFE_PATH };
    if let Some(file) = in_path(program, path) {
        return Check::ok("server", format!("`{server}` starts {}", file.display()));
    }
    let found = format!("`{server}`: `{program}` is not in its search path");
    let fix = if in_path(program, own_path).is_some() {
        format!(
            "add `pass_env = [\"PATH\"]` to `[start]` of `mortise/tools/{server}.toml`: your own search path has it"
        )
    } else {
        format!("install `{program}`, or correct `command` in `mortise/tools/{server}.toml`")
    };
    Check::fail("server", found, fix)
}

/// A server whose `env:NAME` values are not there does not start. The gateway has the environment it was started with.
fn variables(server: &Server, is_set: impl Fn(&str) -> bool) -> Option<Check> {
    let texts = match &server.access {
        Access::Start(start) => start.env.values(),
        Access::Reach(reach) => reach.headers.values(),
    };
    let named = texts.filter_map(|text| match text {
        Text::Variable(name) => Some(name.as_str()),
        Text::Literal(_) => None,
    });
    let missing: Vec<&str> = named.filter(|name| !is_set(name)).collect();
    (!missing.is_empty()).then(|| {
        let found = format!("`{}` needs variables that are not set here: {}", server.id, missing.join(", "));
        Check::warn("server", found, "set them where the gateway is started, then end a gateway that runs")
    })
}

/// Free, or taken by this project's gateway.
fn port(place: &Place, project: &Project) -> Check {
    let address = project.settings.gateway.listen;
    if super::running::listening(place).is_some_and(|url| url.contains(&address.to_string())) {
        return Check::ok("port", format!("{address} is served by this project's gateway"));
    }
    match TcpListener::bind(address) {
        Ok(_) => Check::ok("port", format!("{address} is free")),
        Err(error) => Check::warn(
            "port",
            format!("`mortise up` cannot listen on {address}: {error}"),
            "choose another address with `[gateway] listen`, or `mortise up --listen`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::os::unix::fs::PermissionsExt;

    fn place(dir: &Path) -> Place {
        Place { root: dir.join("project"), state: dir.join("state") }
    }

    #[test]
    fn state_must_be_private_and_outside() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        assert_eq!(state(&place).level, Level::Ok, "it will be made");
        StateDir::open(&place.state).unwrap();
        assert_eq!(state(&place).level, Level::Ok);
        assert!(std::fs::read_dir(&place.state).unwrap().next().is_none(), "the probe is gone");
        std::fs::set_permissions(&place.state, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(state(&place).level, Level::Fail);
        assert_eq!(outside(&place).level, Level::Ok);
        let inside = Place { state: place.root.join("state"), ..place };
        assert_eq!(outside(&inside).level, Level::Fail);
    }

    #[test]
    fn variables_of_servers_must_be_set() {
        let mut files = govern::project::Files { folder: "p".to_owned(), ..Default::default() };
        files.texts.insert("mortise.toml".to_owned(), String::new());
        let desk = "[start]\ncommand = \"x\"\n[start.env]\nA = \"env:A_KEY\"\nB = \"literal\"\n";
        files.texts.insert("mortise/tools/desk.toml".to_owned(), desk.to_owned());
        let project = Project::parse(&files).unwrap();
        let server = project.servers.values().next().unwrap();
        assert!(variables(server, |name| name == "A_KEY").is_none());
        let check = variables(server, |_| false).unwrap();
        assert!(check.level == Level::Warn && check.found.ends_with(": A_KEY"), "{}", check.found);
    }

    #[test]
    fn commands_are_looked_for_where_the_server_would() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let own = dir.path().join("bin");
        std::fs::create_dir(&own).unwrap();
        let tool = own.join("only-mine");
        std::fs::write(&tool, "").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut start = Start {
            command: "only-mine".to_owned(),
            args: Vec::new(),
            cwd: ".".to_owned(),
            pass_env: BTreeSet::new(),
            env: BTreeMap::new(),
        };
        let path = own.display().to_string();
        let without = resolved(&place, "s", &start, &path);
        assert!(without.level == Level::Fail && without.fix.unwrap().contains("pass_env"));
        start.pass_env.insert("PATH".to_owned());
        assert_eq!(resolved(&place, "s", &start, &path).level, Level::Ok);
        start.command = "nobody-has-this".to_owned();
        assert!(resolved(&place, "s", &start, &path).fix.unwrap().contains("install"));
        start.command = "bin/serve".to_owned();
        assert_eq!(resolved(&place, "s", &start, &path).level, Level::Fail);
        std::fs::create_dir_all(place.root.join("bin")).unwrap();
        std::fs::write(place.root.join("bin/serve"), "").unwrap();
        assert_eq!(resolved(&place, "s", &start, &path).level, Level::Ok);
    }
}

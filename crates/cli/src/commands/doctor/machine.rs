//! The machine, whatever the project.

use super::Check;
use std::path::{Path, PathBuf};

pub(super) fn checks() -> Vec<Check> {
    vec![subreaper(), children(), namespaces(), user(), git()]
}

/// Without it nothing a tool server leaves behind could be ended with it.
#[cfg(target_os = "linux")]
fn subreaper() -> Check {
    // It ends with this process, which has no children.
    match rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        Ok(()) => Check::ok("guardian", "commands run under a guardian (PR_SET_CHILD_SUBREAPER)"),
        Err(errno) => Check::fail(
            "guardian",
            format!("PR_SET_CHILD_SUBREAPER is refused: {errno}"),
            "allow prctl(2) in the seccomp profile of this container",
        ),
    }
}

#[cfg(not(target_os = "linux"))]
fn subreaper() -> Check {
    Check::fail(
        "guardian",
        "commands cannot be guarded on this system",
        "reach servers over HTTP (`[reach]`), or run the gateway on Linux",
    )
}

/// The quick way to list children; the slow one asks every process.
fn children() -> Check {
    match std::fs::read_to_string("/proc/thread-self/children") {
        Ok(_) => Check::ok("proc-children", "/proc/thread-self/children can be read"),
        Err(_) if Path::new("/proc/self/stat").exists() => Check::warn(
            "proc-children",
            "/proc/thread-self/children is missing: ending a server asks every process for its parent",
            "nothing has to be done; a kernel with CONFIG_PROC_CHILDREN is faster",
        ),
        Err(error) => Check::fail(
            "proc-children",
            format!("/proc cannot be read: {error}"),
            "mount /proc: guardians and the check for governed processes need it",
        ),
    }
}

/// Information only: nothing depends on namespaces yet.
fn namespaces() -> Check {
    let number = |path: &str| std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let most = number("/proc/sys/user/max_user_namespaces");
    let closed = number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0)
        || number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1);
    let found = match most {
        Some(1..) if !closed => "available to everybody",
        Some(_) => "not available without privileges",
        None => "not known on this system",
    };
    Check::ok("namespaces", format!("user namespaces: {found} (information; nothing needs them)"))
}

/// An agent that runs as the gateway's user can read what the gateway can.
fn user() -> Check {
    let fix = "run agents as another user, or in a container; docs/threat-model.md says what is at stake";
    if rustix::process::geteuid().is_root() {
        return Check::warn("user", "this is root: every agent started from here could undo everything", fix);
    }
    Check::warn("user", "agents started from here run as the same user as the gateway", fix)
}

fn git() -> Check {
    match in_path("git", &std::env::var("PATH").unwrap_or_default()) {
        Some(path) => Check::ok("git", path.display().to_string()),
        None => Check::warn(
            "git",
            "there is no `git`",
            "install it: policies and `mortise.lock` are reviewed as differences",
        ),
    }
}

/// The first executable file of a name in a search path.
pub(in crate::commands) fn in_path(program: &str, path: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_can_be_executed_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tool");
        let path = format!("/nowhere:{}", dir.path().display());
        assert_eq!(in_path("tool", &path), None);
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(in_path("tool", &path), None);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(in_path("tool", &path), Some(file));
    }
}

//! A project in a folder of its own, with state of its own.

use crate::{StdioClient, binary, wait_for, workspace};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long results are waited for: a hundred times what they may take to be durable.
const RESULTS_WAIT: Duration = Duration::from_millis(500);

/// A project with its state directory; both gone at the end, and its gateway with them.
pub struct Project {
    folder: tempfile::TempDir,
    root: PathBuf,
}

/// What a command said.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    /// An empty project folder.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("mrt").tempdir().expect("a temporary folder");
        let base = fs::canonicalize(folder.path()).expect("a canonical path");
        let root = base.join("project");
        fs::create_dir(&root).expect("a project folder");
        Self { folder, root }
    }

    /// A copy of one of the examples.
    pub fn example(name: &str) -> Self {
        let project = Self::empty();
        copy(&workspace().join("examples").join(name), &project.root);
        project
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What `MORTISE_STATE_DIR` is set to.
    pub fn state_base(&self) -> PathBuf {
        fs::canonicalize(self.folder.path()).expect("a canonical path").join("state")
    }

    /// The project's own state directory, once there is one.
    pub fn state(&self) -> PathBuf {
        wait_for("a state directory", || {
            let mut found = fs::read_dir(self.state_base()).ok()?.filter_map(Result::ok).map(|entry| entry.path());
            found.next()
        })
    }

    /// The log's directory.
    pub fn log(&self) -> PathBuf {
        self.state().join("log")
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a written file");
        self
    }

    /// Reads a file of the project.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).expect("a readable file")
    }

    /// Removes a file of the project.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).expect("a removable file");
    }

    /// A command of the built binary in this project.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = binary::command();
        command.args(args).current_dir(&self.root).env("MORTISE_STATE_DIR", self.state_base()).env("NO_COLOR", "1");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        finish(self.command(args).stdin(Stdio::null()))
    }

    /// Runs a command that must succeed, and gives its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.code, 0, "`mortise {}`: {output:#?}", args.join(" "));
        output.stdout
    }

    /// Runs a command with `--format json` that must succeed.
    pub fn json(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.extend(["--format", "json"]);
        serde_json::from_str(&self.ok(&args)).expect("a JSON document")
    }

    /// Every event of the log, as `trace tail`'s JSON would show it.
    ///
    /// An agent has its answer some milliseconds before the result is durable: results of what was dispatched are waited
    /// for, a little while, for a call that was cut off never has one.
    pub fn events(&self) -> Vec<Value> {
        let begin = Instant::now();
        loop {
            let text = self.ok(&["trace", "ls", "--events", "-n", "1000000", "--format", "ndjson"]);
            let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
            let calls = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
            if calls("tool.dispatch") <= calls("tool.result") || begin.elapsed() > RESULTS_WAIT {
                return events;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The events of one type.
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// Starts `mortise up` on a free port and waits until it is ready.
    pub fn up(&self, args: &[&str]) -> Gateway {
        self.up_with(args, &[])
    }

    /// The same with further variables.
    pub fn up_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Gateway {
        let mut all = vec!["up", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let child = self
            .command(&all)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a started gateway");
        let gateway = Gateway { child };
        wait_for("the gateway's socket", || self.socket().filter(|socket| socket.exists()));
        wait_for("an answering gateway", || {
            let output = self.run(&["doctor"]);
            (output.code >= 0).then_some(())
        });
        gateway
    }

    /// The gateway's socket, once there is a state directory.
    pub fn socket(&self) -> Option<PathBuf> {
        let mut found = fs::read_dir(self.state_base()).ok()?.filter_map(Result::ok).map(|entry| entry.path());
        Some(found.next()?.join("gateway.sock"))
    }

    /// The process id of the gateway that has the log open, if one has.
    pub fn gateway_pid(&self) -> Option<u32> {
        let status = self.control(&serde_json::json!("status"))?;
        u32::try_from(status["ok"]["pid"].as_u64()?).ok()
    }

    /// Says one control request to the running gateway; `None` when none runs.
    pub fn control(&self, request: &Value) -> Option<Value> {
        use std::io::{BufRead, BufReader, Write};
        let mut stream = std::os::unix::net::UnixStream::connect(self.socket()?).ok()?;
        stream.write_all(b"{\"control\":{\"protocol\":1}}\n").ok()?;
        stream.write_all(format!("{request}\n").as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// Starts `mortise proxy` and shakes hands.
    pub fn proxy(&self, agent: &str, server: &str) -> StdioClient {
        let mut client = self.proxy_raw(agent, server);
        client.initialize();
        client
    }

    /// Starts `mortise proxy` without a handshake.
    pub fn proxy_raw(&self, agent: &str, server: &str) -> StdioClient {
        StdioClient::start(&mut self.command(&["proxy", "--agent", agent, "--server", server]))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // A shim that is still ending may start another one; without its state that ends by itself.
        if let Some(pid) = self.gateway_pid() {
            kill(pid);
        }
    }
}

/// A `mortise up` in the background; ended with it.
pub struct Gateway {
    child: Child,
}

impl Gateway {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `kill -9`.
pub fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Output {
    let output = command.output().expect("a started command");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copied file");
        }
    }
}

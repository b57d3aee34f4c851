//! Somebody who takes what sinks send.

use harness::{part, workspace};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running `receiver.py`; ended with the test.
pub struct Receiver {
    process: Option<Child>,
    folder: PathBuf,
    pub port: u16,
    // Removes the folder.
    _kept: tempfile::TempDir,
}

impl Receiver {
    pub fn start() -> Self {
        let kept = tempfile::tempdir().expect("a folder");
        let mut receiver = Self { process: None, folder: kept.path().to_owned(), port: 0, _kept: kept };
        receiver.mode("ok");
        receiver.up();
        receiver
    }

    /// Starts it, where it was before.
    pub fn up(&mut self) {
        let mut command = Command::new(part("python/bin/python"));
        command.arg("-B").arg(workspace().join("tests/fixtures/receiver.py")).arg(&self.folder);
        let mut process =
            command.arg(self.port.to_string()).stdout(Stdio::piped()).spawn().expect("a started receiver");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("stdout")).read_line(&mut line).expect("a port");
        self.port = line.trim().parse().expect("a port");
        self.process = Some(process);
    }

    /// Ends it: nobody is there.
    pub fn down(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// What it does to senders from now on.
    pub fn mode(&self, word: &str) {
        fs::write(self.folder.join("mode"), word).expect("a mode");
    }

    /// Every request so far, whatever became of it.
    pub fn requests(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("received.ndjson")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The records of the requests that were acknowledged.
    pub fn taken(&self) -> Vec<Value> {
        let requests = self.requests().into_iter();
        let good = requests.filter(|request| matches!(request["mode"].as_str(), Some("ok" | "small")));
        let good = good.filter(|request| request["mode"] == "ok" || records(request).len() == 1);
        good.flat_map(|request| records(&request)).collect()
    }
}

fn records(request: &Value) -> Vec<Value> {
    request["records"].as_array().cloned().unwrap_or_default()
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.down();
    }
}

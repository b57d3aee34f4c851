//! A client over a process's standard input and output.

use crate::PATIENCE;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// An MCP client that speaks to a process, frame by frame.
pub struct StdioClient {
    child: Child,
    stdin: Option<ChildStdin>,
    frames: Receiver<String>,
    next: u64,
    /// Frames that were no answer to what was asked, in order.
    pub others: Vec<Value>,
}

impl StdioClient {
    /// Starts the process.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a started process");
        let stdout = child.stdout.take().expect("its output");
        let (sender, frames) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, frames, next: 1, others: Vec::new() }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends bytes as they are, and a newline.
    pub fn send_raw(&mut self, frame: &[u8]) {
        let stdin = self.stdin.as_mut().expect("an open input");
        let _ = stdin.write_all(frame);
        let _ = stdin.write_all(b"\n");
        let _ = stdin.flush();
    }

    /// Ends the input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// The next frame, as text; `None` when the output ended.
    pub fn next_frame(&mut self) -> Option<String> {
        match self.frames.recv_timeout(PATIENCE) {
            Ok(frame) => Some(frame),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("no frame came"),
        }
    }

    /// Sends a request and gives its id.
    pub fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        let frame = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send_raw(frame.to_string().as_bytes());
        id
    }

    /// The answer to a request, as text; other frames are kept aside.
    pub fn answer_text(&mut self, id: u64) -> String {
        loop {
            let frame = self.next_frame().expect("an answer before the end");
            let value: Value = serde_json::from_str(&frame).expect("a JSON frame");
            if value["id"] == id && value.get("method").is_none() {
                return frame;
            }
            self.others.push(value);
        }
    }

    /// The answer to a request.
    pub fn answer(&mut self, id: u64) -> Value {
        serde_json::from_str(&self.answer_text(id)).expect("a JSON frame")
    }

    /// Sends a request and waits for its answer.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        let frame = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.send_raw(frame.to_string().as_bytes());
    }

    /// Shakes hands, and gives the server's result.
    pub fn initialize(&mut self) -> Value {
        self.initialize_with("2025-11-25", json!({}))
    }

    /// Shakes hands under a protocol version with capabilities.
    pub fn initialize_with(&mut self, version: &str, capabilities: Value) -> Value {
        let info = json!({"name": "harness", "version": "0"});
        let params = json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": info});
        let answer = self.request("initialize", params);
        self.notify("notifications/initialized", json!({}));
        answer
    }

    /// Calls a tool and gives the whole answer.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Waits for the process to end, and gives its code.
    pub fn wait(&mut self) -> i32 {
        self.stdin = None;
        self.child.wait().expect("an end").code().unwrap_or(-1)
    }
}

impl Drop for StdioClient {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

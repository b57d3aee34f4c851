//! The least a gateway could do: HTTP in, the same bytes to a process's standard input, its answer back. No
//! identity, no schema, no policy, no log. What a measured gateway costs is what it costs beyond this.
//!
//! `raw-proxy COMMAND [ARGUMENT ...]` prints its URL and serves until it is killed. One child for all connections; a
//! request waits for the answer with its `id`, which has to be a number that no other open request has.

use serde::Deserialize;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

type Open = Arc<Mutex<HashMap<u64, TcpStream>>>;

#[derive(Deserialize)]
struct Envelope {
    id: Option<u64>,
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().expect("a command to start");
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let stdin = Arc::new(Mutex::new(child.stdin.take().expect("its input")));
    let stdout = child.stdout.take().expect("its output");
    let open = Open::default();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/mcp", listener.local_addr()?);
    let answered = Arc::clone(&open);
    std::thread::spawn(move || answer_all(BufReader::with_capacity(256 * 1024, stdout), &answered));
    for connection in listener.incoming() {
        let (connection, stdin, open) = (connection?, Arc::clone(&stdin), Arc::clone(&open));
        connection.set_nodelay(true)?;
        std::thread::spawn(move || serve(connection, &stdin, &open));
    }
    Ok(())
}

/// Hands every answer of the child to the connection that asked.
fn answer_all(mut stdout: impl BufRead, open: &Open) {
    let (mut line, mut reply) = (Vec::new(), Vec::new());
    while stdout.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        let id = serde_json::from_slice::<Envelope>(&line).ok().and_then(|envelope| envelope.id);
        let asked = id.and_then(|id| open.lock().expect("a table").remove(&id));
        if let Some(mut asked) = asked {
            reply.clear();
            let length = line.len();
            let head = "HTTP/1.1 200 OK\r\nmcp-session-id: raw\r\ncontent-type: application/json\r\ncontent-length:";
            let _ = write!(reply, "{head} {length}\r\n\r\n");
            reply.extend_from_slice(&line);
            let _ = asked.write_all(&reply);
        }
        line.clear();
    }
}

/// Passes on every request of a connection until it is closed or says something unexpected.
fn serve(connection: TcpStream, stdin: &Mutex<ChildStdin>, open: &Open) -> Option<()> {
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let (mut header, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            header.clear();
            if reader.read_line(&mut header).ok()? == 0 {
                return None;
            }
            let line = header.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        let id = serde_json::from_slice::<Envelope>(&body).ok()?.id;
        if let Some(id) = id {
            open.lock().ok()?.insert(id, connection.try_clone().ok()?);
        }
        body.push(b'\n');
        stdin.lock().ok()?.write_all(&body).ok()?;
        if id.is_none() {
            (&connection).write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").ok()?;
        }
    }
}

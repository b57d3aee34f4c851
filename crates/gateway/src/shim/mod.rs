//! The thin process in place of a stdio server: frames from standard input to the gateway, answers back.
//!
//! Decides nothing and keeps no state but what a gateway that came back has to be told: the handshake. What was under
//! way when the gateway died is answered as unknown; it is never sent again.

use crate::control::protocol::{Hello, PROTOCOL, Response};
use canon::json::{Limits, scan};
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Times a gateway that died is replaced within one shim's life.
const MAX_RETURNS: u32 = 20;

/// Times a gateway that goes while it is greeted is tried again, and the pause before it.
const MAX_ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// Requests under way that are remembered.
const MAX_OPEN: usize = 4_096;

/// Longest frame a shim passes on, bytes; the gateway has its own, lower limit and says so.
const MAX_FRAME: u64 = 64 * 1024 * 1024;

/// Why the shim cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// No gateway could be started or reached.
    #[error("no gateway: {0}")]
    NoGateway(String),
    /// The gateway refuses this shim.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// Standard input or output broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Whom the shim stands for, and in front of what.
#[derive(Clone, Debug, Default)]
pub struct Introduction {
    /// Agent, by `--agent`.
    pub agent: Option<String>,
    /// Run token, from the environment.
    pub run_token: Option<String>,
    /// Server, by `--server`.
    pub server: Option<String>,
    /// Its command, as in the client's configuration.
    pub command: Vec<String>,
}

/// What both directions share.
#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    /// Told when a gateway is back: what the client sends meanwhile waits.
    back: Condvar,
}

/// What both directions know.
#[derive(Default)]
struct Known {
    /// Requests of the client that have no answer yet: raw ids.
    open: BTreeSet<Vec<u8>>,
    /// The client's `initialize` frame.
    handshake: Option<Vec<u8>>,
    /// Its id, while a returned gateway repeats the handshake: that answer is swallowed.
    swallow: Option<Vec<u8>>,
    to_gateway: Option<UnixStream>,
    input_ended: bool,
}

/// Runs the shim until the client or its server is gone. `reach` starts a gateway where none runs.
///
/// # Errors
/// There is no gateway, or it refuses.
pub fn run(
    socket: &Path,
    introduction: &Introduction,
    reach: &mut dyn FnMut() -> Result<(), String>,
) -> Result<(), ShimError> {
    let shared = Arc::new(Shared::default());
    let first = connect(socket, introduction, reach)?;
    shared.lock().to_gateway = Some(first.get_ref().try_clone()?);
    let reading = Arc::clone(&shared);
    std::thread::spawn(move || from_client(&reading));
    let mut from_gateway = first;
    for _ in 0..MAX_RETURNS {
        let orderly = to_client(&mut from_gateway, &shared)?;
        if orderly || shared.lock().input_ended {
            return Ok(());
        }
        lose(&shared)?;
        from_gateway = connect(socket, introduction, reach)?;
        resume(&shared, from_gateway.get_ref())?;
    }
    Err(ShimError::NoGateway("it keeps ending".to_owned()))
}

/// Reaches a gateway that takes this shim. One that is ending may still be reached and then be gone: it is tried again.
fn connect(
    socket: &Path,
    introduction: &Introduction,
    reach: &mut dyn FnMut() -> Result<(), String>,
) -> Result<BufReader<UnixStream>, ShimError> {
    let path = crate::control::short_path(socket)?;
    let mut why = String::new();
    for _ in 0..MAX_ATTEMPTS {
        let stream = match UnixStream::connect(&path) {
            Ok(stream) => Ok(stream),
            Err(_) => {
                reach().map_err(ShimError::NoGateway)?;
                UnixStream::connect(&path)
            }
        };
        match stream.and_then(|stream| introduce(stream, introduction)) {
            Ok((reader, Response::Ok(_))) => return Ok(reader),
            Ok((_, Response::Refused { message, help, .. })) => return Err(ShimError::Refused { message, help }),
            Err(error) => why = format!("it ended during the handshake ({error})"),
        }
        std::thread::sleep(PAUSE);
    }
    Err(ShimError::NoGateway(why))
}

fn introduce(mut stream: UnixStream, who: &Introduction) -> io::Result<(BufReader<UnixStream>, Response)> {
    let Introduction { agent, run_token, server, command } = who.clone();
    let hello = Hello::Proxy { protocol: PROTOCOL, agent, run_token, server, command };
    let mut line = serde_json::to_vec(&hello)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reader = BufReader::new(stream);
    let mut answer = String::new();
    reader.by_ref().take(1024 * 1024).read_line(&mut answer)?;
    Ok((reader, serde_json::from_str(&answer)?))
}

/// Client to gateway, until the client ends its side.
fn from_client(shared: &Shared) {
    let mut input = io::stdin().lock();
    loop {
        let mut frame = Vec::new();
        let read = input.by_ref().take(MAX_FRAME).read_until(b'\n', &mut frame);
        if !matches!(read, Ok(count) if count > 0) {
            break;
        }
        let mut known = shared.wait_for_a_gateway();
        remember(&mut known, &frame);
        if let Some(gateway) = &mut known.to_gateway {
            // A gateway that is gone shows on the other side, where it is replaced.
            let _ = gateway.write_all(&frame);
        }
    }
    let mut known = shared.lock();
    known.input_ended = true;
    if let Some(gateway) = &known.to_gateway {
        let _ = gateway.shutdown(std::net::Shutdown::Write);
    }
}

fn remember(known: &mut Known, frame: &[u8]) {
    let limits = Limits { bytes: usize::try_from(MAX_FRAME).unwrap_or(usize::MAX), ..Limits::default() };
    let Ok(scanned) = scan(frame, &limits) else { return };
    let (Some(id), Some(method)) = (scanned.member("id"), scanned.member("method")) else { return };
    if known.open.len() < MAX_OPEN {
        known.open.insert(id.to_vec());
    }
    if method == b"\"initialize\"" {
        known.handshake = Some(frame.to_vec());
    }
}

/// Gateway to client. Says whether the end was an orderly one: nothing was open.
fn to_client(gateway: &mut BufReader<UnixStream>, shared: &Shared) -> Result<bool, ShimError> {
    loop {
        let mut frame = Vec::new();
        let read = gateway.by_ref().take(MAX_FRAME).read_until(b'\n', &mut frame);
        if !matches!(read, Ok(count) if count > 0) || frame.last() != Some(&b'\n') {
            return Ok(false);
        }
        if forget(&mut shared.lock(), &frame) {
            continue;
        }
        let mut output = io::stdout().lock();
        output.write_all(&frame)?;
        output.flush()?;
    }
}

/// Notes an answer. Says whether it is one the client must not see.
fn forget(known: &mut Known, frame: &[u8]) -> bool {
    let limits = Limits { bytes: usize::try_from(MAX_FRAME).unwrap_or(usize::MAX), ..Limits::default() };
    let Ok(scanned) = scan(frame, &limits) else { return false };
    let (Some(id), None) = (scanned.member("id"), scanned.member("method")) else { return false };
    known.open.remove(id);
    if known.swallow.as_deref() == Some(id) {
        known.swallow = None;
        return true;
    }
    false
}

/// The gateway is gone: what was under way may have run.
fn lose(shared: &Shared) -> Result<(), ShimError> {
    let mut known = shared.lock();
    known.to_gateway = None;
    let mut output = io::stdout().lock();
    for id in std::mem::take(&mut known.open) {
        let text = "Mortise: the gateway ended; the call may have run: look before you repeat it";
        let error = crate::jsonrpc::ErrorObject::encode(crate::intercept::mcp::FAILED, text, None);
        let head = b"{\"jsonrpc\":\"2.0\",\"id\":".as_slice();
        output.write_all(&[head, &id, b",\"error\":", &error, b"}\n"].concat())?;
    }
    output.flush()?;
    Ok(())
}

/// A gateway is back: it is told the handshake, and the client does not see the answer again.
fn resume(shared: &Shared, gateway: &UnixStream) -> Result<(), ShimError> {
    let mut known = shared.lock();
    let mut gateway = gateway.try_clone()?;
    if let Some(handshake) = known.handshake.clone() {
        // One that is gone again shows on the other side.
        let _ = gateway.write_all(&handshake);
        let limits = Limits::default();
        if let Ok(scanned) = scan(&handshake, &limits) {
            known.swallow = scanned.member("id").map(<[u8]>::to_vec);
        }
    }
    if known.input_ended {
        let _ = gateway.shutdown(std::net::Shutdown::Write);
    }
    known.to_gateway = Some(gateway);
    drop(known);
    shared.back.notify_all();
    Ok(())
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client sends while no gateway is there is neither lost nor answered as under way: it is held.
    fn wait_for_a_gateway(&self) -> MutexGuard<'_, Known> {
        let missing = |known: &mut Known| known.to_gateway.is_none();
        self.back.wait_while(self.lock(), missing).unwrap_or_else(PoisonError::into_inner)
    }
}

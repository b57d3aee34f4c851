//! Reaching the project's gateway, starting it where none runs.

use crate::failure::Failure;
use crate::place::Place;
use gateway::control::protocol::Request;
use gateway::control::{Client, ClientError};
use serde_json::Value;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vocab::Exit;

/// How long a gateway may take until it answers: it checks the whole log first.
const START_WAIT: Duration = Duration::from_secs(60);

/// The gateway that runs, or one started for this.
pub fn client(place: &Place) -> Result<Client, Failure> {
    match Client::connect(&place.socket()) {
        Ok(client) => Ok(client),
        Err(_) => {
            start(place).map_err(|text| Failure::new(Exit::Environment, text))?;
            Client::connect(&place.socket()).map_err(failure)
        }
    }
}

/// Asks one thing.
pub fn ask(place: &Place, request: &Request) -> Result<Value, Failure> {
    client(place)?.ask(request).map_err(failure)
}

/// What a refused or broken request is on the command line.
pub fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Refused { code, message, help } => {
            let exit = match code.as_str() {
                "control/governed" | "approver/secret" | "keys/under-way" | "retention/held" => Exit::Denied,
                "approval/answer" | "approval/unknown" | "approval/ambiguous" | "retention/hold" => Exit::Nothing,
                "access/reason" | "keys/reason" | "keys/overlap" | "retention/reason" => Exit::Usage,
                "keys/rotate" | "retention/failed" | "log/write" => Exit::Environment,
                _ => Exit::Configuration,
            };
            Failure { help, code: Some(code), ..Failure::new(exit, message) }
        }
        other => Failure::new(Exit::Environment, other.to_string())
            .with_help("run `mortise doctor`; the gateway writes to `gateway.err` in the state directory"),
    }
}

/// Starts a gateway in the background and waits until one answers. What was started ends at once where another one was
/// quicker.
pub fn start(place: &Place) -> Result<Child, String> {
    store::StateDir::open(&place.state).map_err(|error| error.to_string())?;
    let errors = place.state.join("gateway.err");
    let until = Instant::now() + START_WAIT;
    let mut child = spawn(place, &errors)?;
    loop {
        if answers(place) {
            return Ok(child);
        }
        if let Ok(Some(_)) = child.try_wait() {
            // Another one may have been quicker.
            if answers(place) {
                return Ok(child);
            }
            // Or the one before had not ended yet: it took connections, and answered none.
            let said = std::fs::read_to_string(&errors).unwrap_or_default();
            if !said.trim().is_empty() || Instant::now() >= until {
                return Err(format!("the gateway did not start:\n{}", said.trim_end()));
            }
            child = spawn(place, &errors)?;
        }
        if Instant::now() >= until {
            return Err("the gateway did not answer in time".to_owned());
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}

fn spawn(place: &Place, errors: &Path) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let log = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(errors);
    let log = log.map_err(|error| error.to_string())?;
    Command::new(program)
        .args(["__gateway", "--on-demand", "--root"])
        .arg(&place.root)
        // The same state, wherever this process took it from.
        .env("MORTISE_STATE_DIR", place.state.parent().unwrap_or(&place.state))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // A group of its own: a Ctrl-C meant for the agent does not end the gateway of all others.
        .process_group(0)
        .spawn()
        .map_err(|error| error.to_string())
}

/// Whether a gateway answers. One that is just ending takes connections, too.
fn answers(place: &Place) -> bool {
    let asked = Client::connect(&place.socket()).map(|mut client| client.ask(&Request::Status));
    asked.is_ok_and(|answer| !matches!(answer, Err(ClientError::Broken(_))))
}

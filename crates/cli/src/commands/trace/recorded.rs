//! That something leaves the log, said in the log before it is there.

use crate::failure::Failure;
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::{Exported, Request};
use gateway::control::{Client, ClientError};

/// Has the gateway say in the log that there is an export; whether it did. Where none runs, or the log is not this project's
/// (no `place`), nobody can: that is said, and is no failure, because the log can be read without us as well.
///
/// # Errors
/// The gateway refuses, or the log takes no record.
pub fn record(output: &Output, place: Option<&Place>, exported: Exported) -> Result<bool, Failure> {
    let unrecorded = |why: &str| {
        output.message(format!("this export is not recorded in the log: {why}"));
        Ok(false)
    };
    let Some(place) = place else {
        return unrecorded("it is not the log of this project");
    };
    let asked = Client::connect(&place.socket()).and_then(|mut client| client.ask(&Request::Exported(exported)));
    match asked {
        Ok(_) => Ok(true),
        Err(ClientError::NoGateway) => unrecorded("no gateway runs for this project"),
        Err(error) => Err(reach::failure(error)),
    }
}

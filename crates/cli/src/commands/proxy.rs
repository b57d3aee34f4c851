//! `mortise proxy`: stands in for one stdio server.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::reach;
use gateway::shim::{self, Introduction, ShimError};
use vocab::Exit;

/// Runs the shim.
pub fn run(place: &Place, args: &args::Proxy) -> Outcome {
    let introduction = Introduction {
        agent: args.agent.clone(),
        run_token: std::env::var("MORTISE_RUN_TOKEN").ok().filter(|token| !token.is_empty()),
        server: args.server.clone(),
        command: args.command.clone(),
    };
    let mut start = || reach::start(place).map(drop);
    match shim::run(&place.socket(), &introduction, &mut start) {
        Ok(()) => Ok(Exit::Ok),
        Err(ShimError::Refused { message, help }) => Err(Failure { help, ..Failure::new(Exit::Denied, message) }),
        Err(error) => Err(Failure::new(Exit::Environment, error.to_string())
            .with_help("nothing runs without the gateway; `mortise doctor` says what is missing")),
    }
}

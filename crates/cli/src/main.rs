//! `mortise`: security built into AI agents.

mod args;
mod commands;
mod demo;
mod example_server;
mod failure;
mod output;
mod place;
mod reach;
mod timeline;

use clap::Parser;
use std::process::ExitCode;
use vocab::Exit;

fn main() -> ExitCode {
    // INVARIANT: first thing, single-threaded: a guardian lists its descendants per thread.
    if let Some(code) = gateway::guardian::guardian_main(std::env::args_os()) {
        return code;
    }
    let cli = match args::Cli::try_parse_from(args::with_negations(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Ok.code() });
        }
    };
    let output = output::Output::new(&cli.global);
    let code = match commands::run(&output, &cli) {
        Ok(exit) => exit.code(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    };
    ExitCode::from(code)
}

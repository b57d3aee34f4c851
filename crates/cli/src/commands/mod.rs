//! One file per verb.

mod agents;
mod approvals;
mod check;
mod doctor;
mod explain;
mod init;
mod keys;
mod lock;
mod migrate;
mod policy;
mod proxy;
mod replay;
mod retention;
mod run;
mod test;
mod trace;
mod up;
mod witness;

use crate::args::{Cli, Command, Format, Trace};
use crate::demo;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use clap::CommandFactory;
use vocab::Exit;

/// Runs a command.
pub fn run(output: &Output, cli: &Cli) -> Outcome {
    check_format(&cli.command, cli.global.format)?;
    let place = || Place::find(&cli.global);
    match &cli.command {
        Command::Demo(args) => demo::run(output, args),
        Command::Init(args) => init::run(output, &cli.global, args),
        Command::Check => check::run(output, &place()?),
        Command::Lock(args) => lock::run(output, &place()?, args),
        Command::Up(args) => up::run(output, &place()?, args),
        Command::Proxy(args) => proxy::run(&place()?, args),
        Command::Run(args) => run::run(&place()?, args),
        Command::Test(args) => test::run(output, &place()?.root, args),
        Command::Replay(args) => replay::run(output, &place()?, args),
        Command::Policy(args) => policy::run(output, &place()?, args),
        Command::Trace(args) => trace::run(output, &cli.global, args),
        Command::Retention(args) => retention::run(output, &place()?, args),
        Command::Witness(args) => witness::run(output, args),
        Command::Keys(args) => keys::run(output, &cli.global, args),
        Command::Approvals(args) => approvals::run(output, &place()?, args),
        Command::Agents(args) => agents::run(output, &place()?, args),
        Command::Kill => Err(Failure::new(Exit::Usage, "`kill` is not wired yet")
            .with_help("end the gateway's process: nothing runs without it, and the log stays whole")),
        Command::Migrate(args) => migrate::run(output, &place()?, args),
        Command::Doctor => doctor::run(output, &cli.global),
        Command::Explain { code } => explain::run(output, code),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "mortise", &mut text);
            output.raw(String::from_utf8_lossy(&text));
            Ok(Exit::Ok)
        }
        Command::ExampleServer { world } => {
            let here = std::env::current_dir()?;
            let (stdin, stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
            crate::example_server::run(world, stdin, stdout, &here)?;
            Ok(Exit::Ok)
        }
        Command::Gateway(args) => up::gateway(output, args),
        Command::DemoAgent => demo::agent(),
    }
}

/// A format that a command does not write is an error: whoever asks for one reads it with a program.
fn check_format(command: &Command, format: Format) -> Result<(), Failure> {
    let (word, help) = match (format, command) {
        (Format::Human, _) | (Format::Junit, Command::Test(_)) => return Ok(()),
        (Format::Junit, _) => ("junit", "`junit` is for `mortise test`; others write `human`, `json` or `ndjson`"),
        (Format::Json | Format::Ndjson, command) if !is_for_people(command) => return Ok(()),
        (Format::Json, _) => ("json", "leave `--format` out"),
        (Format::Ndjson, _) => ("ndjson", "leave `--format` out"),
    };
    Err(Failure::new(Exit::Usage, format!("this command does not write `{word}`")).with_help(help))
}

/// Whether a command writes the same whatever format is asked for.
const fn is_for_people(command: &Command) -> bool {
    matches!(
        command,
        Command::Demo(_)
            | Command::Up(_)
            | Command::Proxy(_)
            | Command::Run(_)
            | Command::Witness(_)
            | Command::Completions { .. }
            | Command::Trace(Trace::Prove { .. })
    )
}

/// Verifies the log of a demo, and says what was found; whether it is as it should be.
pub fn trace_verify(output: &Output, log: &std::path::Path) -> Result<bool, Failure> {
    trace::verify(output, log)
}

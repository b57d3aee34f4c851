//! Development tasks: `cargo xtask TASK`. Run without a task, it lists them.
//!
//! Contains nothing of the product and imports none of its crates, so that it builds in seconds on a fresh clone.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a development task talks to its terminal")]

mod bench;
mod check;
mod fixture;
mod run;
mod setup;
mod test;
mod workspace;

use anyhow::Result;
use std::process::ExitCode;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask TASK

  setup                 install what the tests need, below target/xtask
  test [--full] [-- ..] set up, then run all tests; --full adds the long ones and writes docs/full-test.md;
                        what follows `--` goes to the test runner
  ci                    the checks: formatting, lints, layers, budgets, generated files, dependencies
  layers                crates import only from lower layers
  budgets               sizes of source files and of the binary
  generated [--check]   rewrite the generated files, or say which are stale
  exit-codes            print docs/spec/exit-codes.md
  log-fixture vN        write tests/fixtures/logs/vN with the present code, once for each version of the log
  bench                 run the benchmarks and the load driver
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some(task) = task(&words) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match Workspace::read().and_then(|workspace| task(&workspace)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            // The product's exit codes, as far as they apply: 30 environment, 1 everything else.
            ExitCode::from(if error.is::<setup::Missing>() { 30 } else { 1 })
        }
    }
}

type Task<'a> = Box<dyn Fn(&Workspace) -> Result<()> + 'a>;

/// The task that a command line asks for.
fn task<'a>(words: &'a [&'a str]) -> Option<Task<'a>> {
    Some(match words {
        ["setup"] => Box::new(setup::run),
        ["test"] => Box::new(|workspace| test::run(workspace, &[])),
        ["test", "--", rest @ ..] => Box::new(|workspace| test::run(workspace, rest)),
        ["test", "--full"] => Box::new(test::full),
        ["ci"] => Box::new(check::all),
        ["layers"] => Box::new(check::layers),
        ["budgets"] => Box::new(check::budgets),
        ["generated"] => Box::new(check::generate),
        ["generated", "--check"] => Box::new(check::generated),
        ["exit-codes"] => Box::new(check::print_exit_codes),
        ["log-fixture", version] => Box::new(move |workspace| fixture::write(workspace, version)),
        ["bench"] => Box::new(bench::run_all),
        _ => return None,
    })
}

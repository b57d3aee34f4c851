//! Which commands make up the tests, and what they are told.

use super::doc;
use crate::run::{cargo, works};
use crate::setup;
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::Command;

/// One cargo command of the tests.
pub struct Step {
    pub says: String,
    arguments: Vec<String>,
    environment: &'static [(&'static str, &'static str)],
}

/// The long rest: what it shows, its environment, and the cargo command.
type Long = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const LONG: &[Long] = &[
    (
        "algebra: 20,000 cases for each property",
        &[("PROPTEST_CASES", "20000")],
        &[
            "test",
            "--release",
            "--lib",
            "-p",
            "mortise-canon",
            "-p",
            "mortise-detect",
            "-p",
            "mortise-flow",
            "-p",
            "mortise-proof",
        ],
    ),
    (
        "policy: 2,000 cases for each property",
        &[("PROPTEST_CASES", "2000")],
        &["test", "--release", "-p", "mortise-policy", "--tests"],
    ),
    (
        "store: 2,000 cases for each property",
        &[("PROPTEST_CASES", "2000")],
        &["test", "--release", "-p", "mortise-store", "--lib"],
    ),
    (
        "Parquet, and what PyArrow reads of it",
        &[],
        &["test", "-p", "mortise-store", "--features", "parquet", "--lib", "formats", "--", "--include-ignored"],
    ),
    ("permits: what the compiler says", &[], &["test", "-p", "mortise-enforce", "--test", "permit", "--", "--ignored"]),
    (
        "end to end: the Rust client",
        &[],
        &["test", "-p", "mortise-tests", "--features", "rust-client", "--test", "real_servers", "--", "rust_client"],
    ),
    ("the release build", &[], &["build", "--release", "-p", "mortise"]),
    ("budgets", &[], &["xtask", "budgets"]),
];

/// The ordinary tests.
pub fn ordinary(workspace: &Workspace, runner_arguments: &[&str]) -> Result<Vec<Step>> {
    let mut runner = runner();
    runner.arguments.extend(runner_arguments.iter().map(ToString::to_string));
    // End-to-end tests drive the built binary, which no test target of another package makes cargo build.
    let mut steps = vec![step("build", &["build", "--workspace", "--bins"], &[]), runner];
    let documented = doc::packages_with_examples(workspace)?;
    if documented.is_empty() {
        println!("documentation examples: none to run");
    } else if runner_arguments.is_empty() {
        // The whole workspace, so that the features are those of the tests and nothing is built twice.
        steps.push(step("documentation examples", &["test", "--doc", "--workspace"], &[]));
    }
    Ok(steps)
}

/// The ordinary tests and the long ones.
pub fn everything(workspace: &Workspace) -> Result<Vec<Step>> {
    let mut steps = ordinary(workspace, &[])?;
    steps.extend(LONG.iter().map(|(says, environment, arguments)| step(says, arguments, environment)));
    Ok(steps)
}

impl Step {
    /// The command, told where the parts and the binary are.
    pub fn command(&self, workspace: &Workspace) -> Command {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut command = cargo(&arguments);
        let binary = workspace.target.join("debug").join(format!("mortise{}", std::env::consts::EXE_SUFFIX));
        command.current_dir(&workspace.root).envs(self.environment.iter().copied());
        command.env("MORTISE_TEST_PARTS", setup::folder(workspace)).env("MORTISE_BIN", binary);
        command
    }

    /// Whether it runs tests, so that running none is a failure.
    pub fn is_test(&self) -> bool {
        self.arguments.first().is_some_and(|word| word == "test" || word == "nextest")
    }

    /// The command as a person would type it.
    pub fn line(&self) -> String {
        let environment = self.environment.iter().map(|(name, value)| format!("{name}={value} "));
        format!("{}cargo {}", environment.collect::<String>(), self.arguments.join(" "))
    }
}

fn runner() -> Step {
    if works(&mut cargo(&["nextest", "--version"])) {
        return step("tests", &["nextest", "run", "--workspace"], &[]);
    }
    println!("cargo-nextest is not installed, so `cargo test` runs the tests: the same tests, without time limits and");
    println!("with many tests in one process (`cargo install --locked cargo-nextest`)");
    step("tests", &["test", "--workspace", "--tests"], &[])
}

fn step(says: &str, arguments: &[&str], environment: &'static [(&'static str, &'static str)]) -> Step {
    let arguments = arguments.iter().map(ToString::to_string).collect();
    Step { says: says.to_owned(), arguments, environment }
}

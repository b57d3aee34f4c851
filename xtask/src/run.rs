//! Running other programs, and saying so.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A cargo command: the cargo that started this task, so that a toolchain override holds.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Whether a program can be started at all with these arguments and ends well.
pub fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Runs a command to its end with our terminal; an error unless it ends well.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// Runs a command and returns its standard output; an error unless it ends well and prints UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", line(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} did not print UTF-8", line(command)))
}

/// How a watched command went.
pub struct Watched {
    pub passed: bool,
    /// The runner's own closing lines, in the order printed.
    pub closing: Vec<String>,
}

/// Runs a command, passing its output on while picking out the lines in which a test runner sums up.
pub fn watch(command: &mut Command) -> Result<Watched> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|error| anyhow::anyhow!("cannot start {}: {error}", line(command)))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let closing = std::thread::scope(|scope| {
        let reader = scope.spawn(|| stdout.map(|pipe| pass_on(BufReader::new(pipe), std::io::stdout())));
        let mut closing = stderr.map(|pipe| pass_on(BufReader::new(pipe), std::io::stderr())).unwrap_or_default();
        closing.extend(reader.join().ok().flatten().unwrap_or_default());
        closing
    });
    Ok(Watched { passed: child.wait()?.success(), closing })
}

/// Says what comes, does it, says how long it took.
pub fn stage<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {name}");
    let start = Instant::now();
    let result = work().with_context(|| format!("stage `{name}` failed"));
    let verdict = if result.is_ok() { "ok" } else { "FAILED" };
    println!("<== {name}: {verdict}, {:.1} s", start.elapsed().as_secs_f64());
    result
}

fn pass_on(from: impl BufRead, mut to: impl Write) -> Vec<String> {
    let mut closing = Vec::new();
    for text in from.lines().map_while(Result::ok) {
        // A closed terminal is no reason to stop the tests.
        let _ = writeln!(to, "{text}");
        if text.trim_start().starts_with("Summary [") || text.starts_with("test result:") {
            closing.push(text.trim().to_owned());
        }
    }
    closing
}

fn line(command: &Command) -> String {
    // The name is enough; where a toolchain lives is nobody's business.
    let program = std::path::Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    let mut words = vec![program.to_string_lossy()];
    words.extend(command.get_args().map(std::ffi::OsStr::to_string_lossy));
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_found_and_everything_is_passed_on() {
        let text = "  PASS a\n     Summary [   0.1s] 3 tests run: 3 passed\ntest result: ok. 1 passed\n";
        let mut passed_on = Vec::new();
        let closing = pass_on(text.as_bytes(), &mut passed_on);
        assert_eq!(closing, ["Summary [   0.1s] 3 tests run: 3 passed", "test result: ok. 1 passed"]);
        assert_eq!(passed_on, text.as_bytes());
    }
}

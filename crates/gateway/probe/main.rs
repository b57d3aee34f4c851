//! Stands in for the product in tests: becomes a guardian, starts one, or is a server to be guarded.

#![expect(clippy::unwrap_used, reason = "only tests run it")]

mod script;

use gateway::guardian::{Command, Guardian, guardian_main};
use script::{Script, Step};
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if let Some(code) = guardian_main(std::env::args_os()) {
        return Ok(code);
    }
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("parent") => parent(args.collect()),
        Some("script") => serve(),
        other => Err(format!("unknown probe `{}`", other.unwrap_or_default()).into()),
    }
}

/// Starts `sh -c SCRIPT` under guard, repeats its first output, and lives until it is killed.
fn parent(args: Vec<String>) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let command = Command {
            label: "probe".to_owned(),
            program: "sh".into(),
            args: ["-c".to_owned()].into_iter().chain(args).map(Into::into).collect(),
            env: std::iter::empty().collect(),
            cwd: None,
        };
        let mut guarded = Guardian::new()?.spawn(&command)?;
        let mut out = io::stdout();
        let mut chunk = [0; 4096];
        loop {
            let length = tokio::io::AsyncReadExt::read(&mut guarded.stdout, &mut chunk).await?;
            out.write_all(chunk.get(..length).unwrap_or_default())?;
            out.flush()?;
            if length == 0 {
                tokio::time::sleep(Duration::from_secs(600)).await;
            }
        }
    })
}

/// Is the scripted server over stdin and stdout.
fn serve() -> Result<ExitCode, Box<dyn Error>> {
    let mut script = Script::default();
    for line in io::stdin().lock().lines() {
        for step in script.take(line?.as_bytes()) {
            match step {
                Step::Send { of, text, last } => {
                    debug_assert!(of > 0 || last, "only the handshake has number 0");
                    writeln!(io::stdout(), "{text}")?;
                }
                Step::Die => return Ok(ExitCode::from(9)),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

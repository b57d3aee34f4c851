//! `mortise demo`: the support-desk example with a scripted agent, told by the log.
//!
//! Everything is real: a gateway process, tool servers under guard, an agent under `mortise run` that speaks MCP over
//! HTTP, approvals over the control socket. Only the agent's lines and the person's answers come from [`script`]; what
//! became of each call is read from the log.

mod agent;
mod example;
mod person;
pub mod script;

pub use agent::run as agent;

use crate::args;
use crate::commands::trace_verify;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use crate::timeline::Timeline;
use anstyle::AnsiColor;
use gateway::control::protocol::Request;
use person::People;
use script::{AGENT, CHAPTERS, STORY, Step};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use store::LogReader;
use vocab::event::Kind;
use vocab::{Event, Exit};

/// How long the story may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Tells the story.
pub fn run(output: &Output, args: &args::Demo) -> Outcome {
    let folder = Folder::make(args.keep)?;
    let root = match &args.example {
        Some(copy) => copy.clone(),
        None => example::write(&folder.path)?,
    };
    let place = place(&root, &folder.path)?;
    output.line(output.bold("Mortise demo: a support agent with production permissions"));
    output
        .line(output.dim("real tool servers, a real gateway, a scripted agent; every line below is read from the log"));
    output.line("");
    let mut gateway = reach::start(&place).map_err(|text| Failure::new(Exit::Environment, text))?;
    let story = tell(output, &place);
    let ended = reach::ask(&place, &Request::Shutdown);
    story?;
    ended?;
    wait_for_the_end(&mut gateway)?;
    output.line("");
    let is_good = trace_verify(output, &place.log())?;
    next(output, &place, args.keep);
    Ok(if is_good { Exit::Ok } else { Exit::Verification })
}

/// Runs the agent and prints each call once the log knows its end.
fn tell(output: &Output, place: &Place) -> Result<(), Failure> {
    let people = People::enroll(place)?;
    let program = std::env::current_exe()?;
    let mut agent = Command::new(&program)
        .args(["run", "--agent", AGENT, "--project"])
        .arg(&place.root)
        .arg("--")
        .arg(&program)
        .arg("__demo-agent")
        .env("MORTISE_STATE_DIR", place.state.parent().unwrap_or(&place.state))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let reader = LogReader::open(&place.log()).map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
    let mut records = reader.iter_from(0);
    let mut timeline = Timeline::default();
    let (mut told, mut agent_ended) = (0, None);
    let until = Instant::now() + PATIENCE;
    loop {
        for record in records.by_ref() {
            let record = record.map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
            let Ok(event) = Event::from_bytes(&record.bytes) else { continue };
            timeline.read(record.index, &event);
            if event.kind == Kind::ApprovalRequested {
                answer(&people, place, &timeline, &event)?;
            }
        }
        while let Some(row) = timeline.rows().get(told).filter(|row| row.outcome.is_some() || agent_ended.is_some()) {
            head(output, told);
            if let Some(step) = STORY.get(told) {
                output.line(format!("  {} {}", output.dim("agent:"), step.say));
            }
            output.line(format!("  {}", row.render(output).replace('\n', "\n  ")));
            told += 1;
        }
        if let Some(ended) = agent_ended {
            // One more look after the agent's end has been made by now.
            return if ended { Ok(()) } else { Err(agent_failed(agent)) };
        }
        if Instant::now() >= until {
            let _ = agent.kill();
            return Err(Failure::new(Exit::Internal, "the story did not come to its end in time"));
        }
        agent_ended = agent.try_wait()?.map(|status| status.success());
        if agent_ended.is_none() {
            std::thread::sleep(LOOK);
        } else {
            std::thread::sleep(Duration::from_millis(150));
        }
    }
}

/// The person of the story answers what is asked.
fn answer(people: &People, place: &Place, timeline: &Timeline, event: &Event) -> Result<(), Failure> {
    let at = timeline.rows().iter().position(|row| Some(row.call.as_str()) == event.call.as_deref());
    let step: Option<&Step> = at.and_then(|at| STORY.get(at));
    let approval = event.approval.clone().unwrap_or_default();
    people.answer(place, &approval, step)
}

fn head(output: &Output, told: usize) {
    if let Some((_, title)) = CHAPTERS.iter().find(|(first, _)| *first == told) {
        if told > 0 {
            output.line("");
        }
        output.line(output.paint(title, AnsiColor::Magenta.on_default().bold()));
    }
}

fn agent_failed(mut agent: std::process::Child) -> Failure {
    let mut said = String::new();
    if let Some(mut stderr) = agent.stderr.take() {
        let _ = std::io::Read::read_to_string(&mut stderr, &mut said);
    }
    Failure::new(Exit::Internal, format!("the scripted agent failed: {}", said.trim_end()))
}

/// A log is sealed to its end when its gateway has ended.
fn wait_for_the_end(gateway: &mut Child) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    while gateway.try_wait()?.is_none() {
        if Instant::now() >= until {
            return Err(Failure::new(Exit::Internal, "the gateway did not end in time"));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn next(output: &Output, place: &Place, kept: bool) {
    output.line("");
    output.line(output.bold("What to do next"));
    output.line("  mortise init                 write a configuration for a repository of yours");
    output.line("  mortise lock && mortise check   pin its tools, validate everything");
    output.line("  mortise test                 run its policy cases");
    output.line("  mortise up                   serve its tools, guarded, to any MCP client");
    if kept {
        output.line(format!("  the demo's project stays in  {}", place.root.display()));
        let base = place.state.parent().unwrap_or(&place.state);
        output.line(format!(
            "  its log: MORTISE_STATE_DIR={} mortise --project {} trace ls",
            base.display(),
            place.root.display()
        ));
    } else {
        output.line("  mortise demo --keep          keep this demo's project and log to look around in");
    }
}

/// A project with its state below the demo's folder.
fn place(root: &Path, folder: &Path) -> Result<Place, Failure> {
    let root = std::fs::canonicalize(root)?;
    let base = folder.join("state");
    let env = store::StateEnv { mortise_state_dir: Some(base.as_os_str()), ..store::StateEnv::default() };
    let state =
        store::state::resolve(&env, &root).map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
    Ok(Place { root, state })
}

/// The demo's folder; gone at the end unless it is kept.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(keep: bool) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("mortise-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        // A temporary folder may be reached by a link; the project's name is its canonical path.
        Ok(Self { path: std::fs::canonicalize(path)?, keep })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

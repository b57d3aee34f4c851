//! A log as a gateway writes it: intent, decision, dispatch and result of calls of 20 agents with 40 tools, of which a
//! twentieth is denied and a twentieth asked about. Four events of each call, whatever was decided: what matters here is how
//! many there are.

use super::measured::Failure;
use proof::{KeyName, Signer};
use std::path::Path;
use store::{Log, LogOptions};
use vocab::{
    Authn, Confidentiality, Effect, Event, Integrity, Mode, Reason, Tier, Verdict,
    event::{Kind, Outcome, SessionLabels},
    id::RuleId,
};

pub const ORIGIN: &str = "bench.mortise/log";
pub const KINDS: [Kind; 4] = [Kind::ToolIntent, Kind::PolicyDecision, Kind::ToolDispatch, Kind::ToolResult];
/// When the first event was, and how far they are apart: 10 million are 116 days.
pub const BEGIN: i64 = 1_785_000_000_000_000;
pub const STEP: i64 = 1_000_000;
/// Records of one append.
const BATCH: u64 = 512;
const DIGEST: &str = "sha256:4322363ab5574436a325220b4e33fb6079449afcd7ac6c9f734f6f466dd187c4";

pub fn signer() -> Result<Signer, Failure> {
    Ok(Signer::from_seed(KeyName::parse(ORIGIN)?, &[1; 32]))
}

/// A log that is written to.
pub struct Writer {
    log: Log,
    runtime: tokio::runtime::Runtime,
}

impl Writer {
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        let (log, _) = Log::open(dir, &LogOptions::new(ORIGIN), signer()?, &mut |_, _| {})?;
        Ok(Self { log, runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()? })
    }

    /// Appends the records with the numbers from one on; gives their bytes.
    pub fn write(
        &self,
        from: u64,
        count: u64,
        mut record: impl FnMut(u64) -> Result<Vec<u8>, Failure>,
    ) -> Result<u64, Failure> {
        let (mut at, mut bytes) = (from, 0);
        while at < from + count {
            let end = (at + BATCH).min(from + count);
            let records = (at..end).map(&mut record).collect::<Result<Vec<_>, _>>()?;
            bytes += records.iter().map(|record| record.len() as u64).sum::<u64>();
            self.runtime.block_on(self.log.append(records))?;
            at = end;
        }
        Ok(bytes)
    }

    pub fn close(&self) -> Result<(), Failure> {
        Ok(self.log.close()?)
    }
}

/// The record with a number.
pub fn record(number: u64) -> Result<Vec<u8>, Failure> {
    Ok(event(number)?.to_bytes()?)
}

/// One of the four events of a call, with every column that a gateway fills.
pub fn event(number: u64) -> Result<Event<'static>, Failure> {
    let (call, step) = (number / KINDS.len() as u64, number % KINDS.len() as u64);
    // Neighbours have little to do with each other (the multiplier is that of Knuth's MMIX generator).
    let mixed = call.wrapping_mul(6_364_136_223_846_793_005).rotate_left(31);
    let (agent, tool, dice) = (mixed % 20, mixed / 20 % 40, mixed / 800 % 20);
    let kind = KINDS.get(usize::try_from(step)?).copied().unwrap_or(Kind::ToolIntent);
    let time = BEGIN + i64::try_from(number)? * STEP;
    let mut event = Event::new(kind, format!("01a2043c-f5db-7b12-a5de-{number:012x}"), time, "default");
    event.agent = Some(format!("agent-{agent:02}").into());
    event.args_hash = Some(format!("hmac-sha256:{number:064x}").into());
    event.authn = Some(Authn::Local);
    event.call = Some(format!("01a2043c-0000-7b12-a5de-{call:012x}").into());
    event.config_revision = Some(DIGEST.into());
    event.definition = Some(DIGEST.into());
    event.effect = Some(Effect::ReversibleWrite);
    event.mode = Some(Mode::Enforce);
    event.policy_bundle = Some(DIGEST.into());
    event.server = Some(format!("server-{}", tool % 5).into());
    event.session = Some(format!("01a2043c-0001-7b12-a5de-{:012x}", call / 50).into());
    event.tier = Some(Tier::High);
    event.tool_name = Some(format!("tool_{tool:02}").into());
    match kind {
        Kind::PolicyDecision => decided(&mut event, agent, tool, dice),
        Kind::ToolDispatch => {
            event.effective_hash.clone_from(&event.args_hash);
            event.confinement = Some("none".into());
        }
        Kind::ToolResult => {
            event.outcome = Some(Outcome::Ok);
            event.result_bytes = Some(212);
            event.result_hash = Some(format!("hmac-sha256:{number:064x}").into());
            event.labels = Some(SessionLabels {
                confidentiality: vec![Confidentiality::Private],
                integrity: Integrity::ThirdParty,
            });
        }
        _ => {}
    }
    Ok(event)
}

fn decided(event: &mut Event<'_>, agent: u64, tool: u64, dice: u64) {
    let verdict = match dice {
        0 => Verdict::Deny,
        1 => Verdict::Ask,
        _ => Verdict::Allow,
    };
    event.decision = Some(verdict);
    event.latency_us = Some(41);
    if verdict == Verdict::Allow {
        event.permits = vec![RuleId::new(format!("roles/role-{}", tool % 10))].into();
        return;
    }
    let rule = if agent.is_multiple_of(2) { "guards/even".to_owned() } else { format!("guards/odd-{}", tool % 30) };
    let text = Some("refunds above the limit wait for somebody of the desk".into());
    event.reasons = vec![Reason { rule: RuleId::new(rule), verdict, text, place: None, discharged_by: None }].into();
}

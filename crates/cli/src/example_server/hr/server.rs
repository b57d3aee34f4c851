//! The hiring tools over their records.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::super::argument::parse;
use super::super::data;
use super::super::world::{Answer, Resource, World, definitions};
use super::record::{Candidate, Event, List, Read, Summary};

/// Summaries and events kept before more are refused, so that a session's memory is bounded.
const KEPT_AT_MOST: usize = 900;

/// The hiring system's state.
pub(crate) struct Hr {
    tools: Vec<Value>,
    candidates: Vec<Candidate>,
    summaries: Vec<Summary>,
    events: Vec<Event>,
}

impl Hr {
    /// The system over `<directory>/hr.json`, or over the built-in candidates.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        Ok(Self {
            tools: definitions(include_str!("tools.json"))?,
            candidates: data::load(directory, "hr.json", include_str!("hr.json"))?,
            summaries: Vec::new(),
            events: Vec::new(),
        })
    }

    fn list(&self, list: &List) -> Answer {
        let matching = self.candidates.iter().filter(|candidate| candidate.role == list.role);
        let found: Vec<Value> = matching
            .take(50) // as many as the output schema promises at most
            .map(|one| json!({"candidate_id": one.candidate_id, "role": one.role, "stage": one.stage}))
            .collect();
        Answer::Done { text: format!("{} candidates", found.len()), data: json!({"candidates": found}) }
    }

    fn read(&self, read: &Read) -> Answer {
        match self.candidates.iter().find(|candidate| candidate.candidate_id == read.candidate_id) {
            Some(found) => Answer::Done { text: format!("file of {}", found.candidate_id.0), data: json!(found) },
            None => Answer::Refused(format!("no candidate `{}`", read.candidate_id.0)),
        }
    }

    fn post(&mut self, summary: Summary) -> Answer {
        if !self.candidates.iter().any(|candidate| candidate.candidate_id == summary.candidate_id) {
            return Answer::Refused(format!("no candidate `{}`", summary.candidate_id.0));
        }
        keep(&mut self.summaries, summary, 'S', "message_id")
    }
}

/// Keeps one more and answers with its number.
fn keep<T>(kept: &mut Vec<T>, one: T, letter: char, member: &str) -> Answer {
    if kept.len() >= KEPT_AT_MOST {
        return Answer::Refused("nothing more is accepted in this session".to_owned());
    }
    kept.push(one);
    let id = format!("{letter}-{:03}", kept.len());
    Answer::Done { text: format!("accepted as {id}"), data: json!({member: id}) }
}

impl World for Hr {
    fn name(&self) -> &'static str {
        "hr"
    }

    fn instructions(&self) -> &'static str {
        "Candidates' files, the hiring chat and the event log."
    }

    fn tools(&self) -> &[Value] {
        &self.tools
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Option<Answer> {
        let answer = match tool {
            "list_candidates" => parse(arguments).map(|list| self.list(&list)),
            "read_candidate" => parse(arguments).map(|read| self.read(&read)),
            "post_summary" => parse(arguments).map(|summary| self.post(summary)),
            "log_event" => parse(arguments).map(|event| keep(&mut self.events, event, 'E', "event_id")),
            _ => return None,
        };
        Some(answer.unwrap_or_else(|refusal| refusal))
    }

    fn resources(&self) -> Vec<Resource> {
        let json = "application/json";
        vec![
            Resource {
                uri: "hr://summaries",
                name: "Every summary posted so far",
                mime_type: json,
                text: json!(self.summaries).to_string(),
            },
            Resource {
                uri: "hr://events",
                name: "Every event the logging system has seen",
                mime_type: json,
                text: json!(self.events).to_string(),
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::conformance::{Conforming as _, refused};
    use super::*;

    fn hr() -> Hr {
        Hr::open(Path::new("there is no such directory")).unwrap()
    }

    #[test]
    fn listing_shows_numbers_and_reading_shows_the_file() {
        let mut hr = hr();
        let list = hr.done("list_candidates", json!({"role": "backend-engineer"}));
        assert_eq!(list["candidates"].as_array().unwrap().len(), 2);
        assert!(!list.to_string().contains("Amara"));
        assert_eq!(hr.done("read_candidate", json!({"candidate_id": "C-101"}))["name"], "Amara Okafor");
        refused(&mut hr, "read_candidate", json!({"candidate_id": "C-999"}), "no candidate `C-999`");
    }

    #[test]
    fn what_was_posted_and_logged_can_be_read_back() {
        let mut hr = hr();
        let summary = json!({"channel": "hiring-panel", "candidate_id": "C-101", "text": "Strong."});
        assert_eq!(hr.done("post_summary", summary.clone())["message_id"], "S-001");
        let event =
            json!({"message": "candidate_read", "fields": {"candidate_id": "C-101", "email": "a@mail.example"}});
        assert_eq!(hr.done("log_event", event.clone())["event_id"], "E-001");
        let read: Vec<Value> = hr.resources().iter().map(|r| serde_json::from_str(&r.text).unwrap()).collect();
        assert_eq!(read, [json!([summary]), json!([event])]);
    }

    #[test]
    fn arguments_outside_the_schema_are_refused() {
        for (tool, arguments, why) in [
            ("list_candidates", json!({"role": "any"}), "unknown variant `any`"),
            ("list_candidates", json!({}), "missing field `role`"),
            ("read_candidate", json!({"candidate_id": "101"}), "not a candidate id"),
            ("read_candidate", json!({"candidate_id": "C-101", "all": true}), "unknown field `all`"),
            ("post_summary", json!({"channel": "press", "candidate_id": "C-101", "text": "x"}), "unknown variant"),
            ("post_summary", json!({"channel": "all-hands", "candidate_id": "C-999", "text": "x"}), "no candidate"),
            ("log_event", json!({"message": "note", "fields": {"candidate_id": "C-101"}}), "unknown variant `note`"),
            ("log_event", json!({"message": "candidate_read", "fields": {}}), "missing field `candidate_id`"),
            (
                "log_event",
                json!({"message": "candidate_read", "fields": {"candidate_id": "C-101", "iban": "x"}}),
                "unknown field `iban`",
            ),
        ] {
            refused(&mut hr(), tool, arguments, why);
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut kept = vec![(); KEPT_AT_MOST - 1];
        assert!(matches!(keep(&mut kept, (), 'S', "message_id"), Answer::Done { .. }));
        assert!(matches!(keep(&mut kept, (), 'S', "message_id"), Answer::Refused(_)));
    }
}

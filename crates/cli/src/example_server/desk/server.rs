//! The desk's tools over its state.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::argument::{Text, parse};
use super::super::data;
use super::super::world::{Answer, Resource, World, definitions};
use super::scripts::{Namespaces, Run};
use super::tickets::{Status, TicketId, Tickets};

/// The desk's state.
pub(crate) struct Desk {
    tools: Vec<Value>,
    tickets: Tickets,
    namespaces: Namespaces,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    query: Text<100>,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    ticket_id: TicketId,
    resolution: Text<500>,
}

impl Desk {
    /// The desk over `<directory>/desk.json`, or over the built-in tickets.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let records = data::load(directory, "desk.json", include_str!("desk.json"))?;
        Ok(Self {
            tools: definitions(include_str!("tools.json"))?,
            tickets: Tickets::new(records),
            namespaces: Namespaces::default(),
        })
    }

    fn search(&self, search: &Search) -> Answer {
        let found = self.tickets.search(search.query.as_str(), search.status);
        let text = match found.as_slice() {
            [] => "no ticket matches".to_owned(),
            found => {
                let ids: Vec<&str> = found.iter().map(|ticket| ticket.ticket_id.as_str()).collect();
                format!("{} found: {}", found.len(), ids.join(", "))
            }
        };
        Answer::Done { text, data: json!({"tickets": found}) }
    }

    fn close(&mut self, close: Close) -> Answer {
        match self.tickets.close(&close.ticket_id, close.resolution) {
            Ok(()) => Answer::Done {
                text: format!("{} is closed", close.ticket_id.as_str()),
                data: json!({"ticket_id": close.ticket_id, "status": Status::Closed}),
            },
            Err(why) => Answer::Refused(why),
        }
    }

    fn run(&mut self, run: &Run, dry_run: bool) -> Answer {
        let changed = if dry_run { self.namespaces.rehearse(run) } else { self.namespaces.run(run) };
        match changed {
            Ok(changes) => {
                let (script, namespace) = (run.script_name.as_str(), run.namespace.as_str());
                let did = if dry_run { "rehearsed, nothing changed" } else { "done" };
                let data =
                    json!({"script_name": script, "namespace": namespace, "dry_run": dry_run, "changes": [changes]});
                Answer::Done { text: format!("{script} in {namespace}: {did}"), data }
            }
            Err(why) => Answer::Refused(why),
        }
    }
}

impl World for Desk {
    fn name(&self) -> &'static str {
        "desk"
    }

    fn instructions(&self) -> &'static str {
        "A support desk. Tickets are written by customers. Scripts act on the namespaces of a cluster."
    }

    fn tools(&self) -> &[Value] {
        &self.tools
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Option<Answer> {
        let answer = match tool {
            "search_tickets" => parse(arguments).map(|search| self.search(&search)),
            "close_ticket" => parse(arguments).map(|close| self.close(close)),
            "run_script" => parse(arguments).map(|run| self.run(&run, false)),
            "run_script_dry_run" => parse(arguments).map(|run| self.run(&run, true)),
            _ => return None,
        };
        Some(answer.unwrap_or_else(|refusal| refusal))
    }

    fn resources(&self) -> Vec<Resource> {
        let handbook = Resource {
            uri: "desk://handbook",
            name: "What each script does, and where it may run",
            mime_type: "text/markdown",
            text: self.namespaces.handbook(),
        };
        vec![handbook]
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::conformance::{Conforming, refused};
    use super::super::scripts::Script;
    use super::*;

    fn desk() -> Desk {
        Desk::open(Path::new("there is no such directory")).unwrap()
    }

    #[test]
    fn searching_looks_at_every_text_and_filters_by_status() {
        let mut desk = desk();
        let ids = |found: &Value| -> Vec<String> {
            let tickets = found["tickets"].as_array().unwrap();
            tickets.iter().map(|ticket| ticket["ticket_id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids(&desk.done("search_tickets", json!({"query": "FABRIKAM"}))), ["T-1001", "T-0987"]);
        assert_eq!(ids(&desk.done("search_tickets", json!({"query": "fabrikam", "status": "open"}))), ["T-1001"]);
        assert_eq!(ids(&desk.done("search_tickets", json!({"query": "no such words"}))), [""; 0]);
    }

    #[test]
    fn the_summary_repeats_no_field_that_a_rule_may_redact() {
        let Some(Answer::Done { text, data }) = desk().call("search_tickets", json!({"query": "invoice"})) else {
            panic!("refused")
        };
        let address = data["tickets"][0]["customer_email"].as_str().unwrap();
        assert!(!text.contains(address), "{text}");
    }

    #[test]
    fn a_ticket_closes_once() {
        let mut desk = desk();
        let close = json!({"ticket_id": "T-1001", "resolution": "worker restarted"});
        assert_eq!(desk.done("close_ticket", close.clone())["status"], "closed");
        refused(&mut desk, "close_ticket", close, "`T-1001` is closed already");
        refused(&mut desk, "close_ticket", json!({"ticket_id": "T-9999", "resolution": "x"}), "no ticket `T-9999`");
        let found = desk.done("search_tickets", json!({"query": "T-1001"}));
        assert_eq!(found["tickets"][0]["resolution"], "worker restarted");
    }

    #[test]
    fn each_script_takes_its_own_arguments_only() {
        for script in Script::ALL {
            let run = |args: Value| json!({"script_name": script.as_str(), "namespace": "staging", "args": args});
            desk().done("run_script", run(json!(script.args_allowed())));
            let others = Script::ALL.into_iter().filter(|other| *other != script).flat_map(Script::args_allowed);
            for arg in others.filter(|arg| !script.args_allowed().contains(arg)) {
                for tool in ["run_script", "run_script_dry_run"] {
                    let why = format!("`{arg}` is not allowed for `{}`", script.as_str());
                    refused(&mut desk(), tool, run(json!([arg])), &why);
                }
            }
            let twice = json!([script.args_allowed()[0], script.args_allowed()[0]]);
            refused(&mut desk(), "run_script", run(twice), "is given twice");
        }
    }

    #[test]
    fn a_rehearsal_changes_nothing_and_a_run_does() {
        let mut desk = desk();
        let drop = json!({"script_name": "drop_namespace", "namespace": "payments", "args": ["--confirm"]});
        let rehearsed = desk.done("run_script_dry_run", drop.clone());
        assert_eq!((&rehearsed["dry_run"], &rehearsed["changes"][0]), (&json!(true), &json!("would drop `payments`")));
        let ran = desk.done("run_script", drop.clone());
        assert_eq!((&ran["dry_run"], &ran["changes"][0]), (&json!(false), &json!("dropped `payments`")));
        refused(&mut desk, "run_script", drop, "no namespace `payments`");
    }

    #[test]
    fn arguments_outside_the_schema_are_refused() {
        for (tool, arguments, why) in [
            ("search_tickets", json!({}), "missing field `query`"),
            ("search_tickets", json!({"query": ""}), "empty"),
            ("search_tickets", json!({"query": "x".repeat(101)}), "at most 100"),
            ("search_tickets", json!({"query": "x", "status": "lost"}), "unknown variant `lost`"),
            ("search_tickets", json!({"query": "x", "limit": 3}), "unknown field `limit`"),
            ("close_ticket", json!({"ticket_id": "T-1", "resolution": "x"}), "not a ticket id"),
            ("run_script", json!({"script_name": "sh", "namespace": "staging", "args": []}), "unknown variant `sh`"),
            (
                "run_script",
                json!({"script_name": "rotate_logs", "namespace": "Payments", "args": []}),
                "not a namespace",
            ),
            ("run_script", json!({"script_name": "rotate_logs", "namespace": "staging"}), "missing field `args`"),
        ] {
            refused(&mut desk(), tool, arguments, why);
        }
    }

    #[test]
    fn a_data_file_replaces_the_tickets_and_a_wrong_one_stops() {
        let directory = tempfile::tempdir().unwrap();
        let ticket = json!([{"ticket_id": "T-0001", "status": "open", "opened": "2026-01-01", "customer": "A",
            "customer_email": "a@a.example", "subject": "s", "body": "b"}]);
        std::fs::write(directory.path().join("desk.json"), ticket.to_string()).unwrap();
        let mut desk = Desk::open(directory.path()).unwrap();
        assert_eq!(desk.done("search_tickets", json!({"query": "b"}))["tickets"][0]["ticket_id"], "T-0001");
        std::fs::write(directory.path().join("desk.json"), "[{}]").unwrap();
        assert!(Desk::open(directory.path()).is_err());
    }

    #[test]
    fn the_handbook_names_every_script() {
        let [handbook] = desk().resources().try_into().ok().unwrap();
        assert!(Script::ALL.iter().all(|script| handbook.text.contains(script.as_str())));
    }
}

//! The one tool, and the outbox.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::argument::{Address, Text, parse};
use super::super::world::{Answer, Resource, World, definitions};

/// Mails accepted before the mailer refuses more, so that a session's memory is bounded.
const OUTBOX_AT_MOST: usize = 1000;

/// The mailer's state.
pub(crate) struct Mailer {
    tools: Vec<Value>,
    outbox: Vec<Mail>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    to: Address,
    subject: Text<200>,
    body: Text<4000>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    internal_note: Option<Text<1000>>,
}

impl Mailer {
    /// A mailer with an empty outbox.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { tools: definitions(include_str!("tools.json"))?, outbox: Vec::new() })
    }

    fn send(&mut self, mail: Mail) -> Answer {
        if self.outbox.len() >= OUTBOX_AT_MOST {
            return Answer::Refused("the outbox is full".to_owned());
        }
        let to = mail.to.clone();
        self.outbox.push(mail);
        let id = format!("M-{:04}", self.outbox.len());
        Answer::Done { text: format!("accepted as {id}"), data: json!({"message_id": id, "to": to}) }
    }
}

impl World for Mailer {
    fn name(&self) -> &'static str {
        "mailer"
    }

    fn instructions(&self) -> &'static str {
        "Sends mail to customers and colleagues."
    }

    fn tools(&self) -> &[Value] {
        &self.tools
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Option<Answer> {
        let answer = match tool {
            "send_mail" => parse(arguments).map(|mail| self.send(mail)),
            _ => return None,
        };
        Some(answer.unwrap_or_else(|refusal| refusal))
    }

    fn resources(&self) -> Vec<Resource> {
        let outbox = Resource {
            uri: "mailer://outbox",
            name: "Every mail accepted so far",
            mime_type: "application/json",
            text: json!(self.outbox).to_string(),
        };
        vec![outbox]
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::conformance::{Conforming as _, refused};
    use super::*;

    fn mail(to: &str) -> Value {
        json!({"to": to, "subject": "Reports", "body": "Fixed."})
    }

    #[test]
    fn mails_are_numbered_and_kept_as_given() {
        let mut mailer = Mailer::new().unwrap();
        assert_eq!(mailer.done("send_mail", mail("lin@fabrikam.example"))["message_id"], "M-0001");
        let mut noted = mail("ada@example.com");
        noted["internal_note"] = json!("worker leak, see runbook");
        assert_eq!(mailer.done("send_mail", noted.clone())["message_id"], "M-0002");
        let [outbox] = mailer.resources().try_into().ok().unwrap();
        let kept: Value = serde_json::from_str(&outbox.text).unwrap();
        assert_eq!(kept, json!([mail("lin@fabrikam.example"), noted]));
    }

    #[test]
    fn arguments_outside_the_schema_are_refused() {
        let mut mailer = Mailer::new().unwrap();
        for to in ["lin", "a@evil.example,b@example.com", "Lin <lin@fabrikam.example>"] {
            refused(&mut mailer, "send_mail", mail(to), "not one plain mail address");
        }
        let mut copied = mail("lin@fabrikam.example");
        copied["cc"] = json!("eve@evil.example");
        refused(&mut mailer, "send_mail", copied, "unknown field `cc`");
        let mut long = mail("lin@fabrikam.example");
        long["body"] = json!("x".repeat(4001));
        refused(&mut mailer, "send_mail", long, "at most 4000");
        assert!(mailer.outbox.is_empty());
    }

    #[test]
    fn the_outbox_is_bounded() {
        let mut mailer = Mailer::new().unwrap();
        for _ in 0..OUTBOX_AT_MOST {
            let sent = mailer.call("send_mail", mail("ada@example.com"));
            assert!(matches!(sent, Some(Answer::Done { .. })));
        }
        let full = mailer.call("send_mail", mail("ada@example.com"));
        assert_eq!(full, Some(Answer::Refused("the outbox is full".to_owned())));
    }
}

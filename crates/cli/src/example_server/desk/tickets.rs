//! Tickets, in the order they were filed: newest first.

use serde::{Deserialize, Serialize};

use super::super::argument::Text;

/// `T-` and four digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct TicketId(String);

impl TicketId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TicketId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("T-").unwrap_or_default();
        let sound = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if sound { Ok(Self(text)) } else { Err("not a ticket id such as T-1001".to_owned()) }
    }
}

/// Whether somebody still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Open,
    Closed,
}

/// What a customer wrote, and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ticket {
    pub(super) ticket_id: TicketId,
    status: Status,
    opened: Text<10>,
    customer: Text<100>,
    customer_email: Text<254>,
    subject: Text<200>,
    body: Text<4000>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolution: Option<Text<500>>,
}

/// All tickets.
pub(super) struct Tickets(Vec<Ticket>);

/// As many as the output schema promises at most.
const FOUND_AT_MOST: usize = 20;

impl Tickets {
    pub(super) const fn new(tickets: Vec<Ticket>) -> Self {
        Self(tickets)
    }

    /// The tickets one of whose texts contains the words as given, in whatever case.
    pub(super) fn search(&self, query: &str, status: Option<Status>) -> Vec<&Ticket> {
        let query = query.to_lowercase();
        let wanted = |ticket: &&Ticket| status.is_none_or(|status| ticket.status == status);
        let matching = |ticket: &&Ticket| {
            let id = ticket.ticket_id.as_str();
            let texts = [
                id,
                ticket.customer.as_str(),
                ticket.customer_email.as_str(),
                ticket.subject.as_str(),
                ticket.body.as_str(),
            ];
            texts.iter().any(|text| text.to_lowercase().contains(&query))
        };
        self.0.iter().filter(wanted).filter(matching).take(FOUND_AT_MOST).collect()
    }

    /// Closes an open ticket.
    pub(super) fn close(&mut self, id: &TicketId, resolution: Text<500>) -> Result<(), String> {
        let ticket = self.0.iter_mut().find(|ticket| ticket.ticket_id == *id);
        let ticket = ticket.ok_or_else(|| format!("no ticket `{}`", id.as_str()))?;
        if ticket.status == Status::Closed {
            return Err(format!("`{}` is closed already", id.as_str()));
        }
        ticket.status = Status::Closed;
        ticket.resolution = Some(resolution);
        Ok(())
    }
}

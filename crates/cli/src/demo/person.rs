//! The people of the story: enrolled with secrets that only this run knows, answering over the control socket.

use super::script::{PERSON, Person, Step};
use crate::failure::Failure;
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use serde_json::Value;
use vocab::Exit;

/// Who may answer in the example.
const NAMES: [&str; 2] = [PERSON, "grace"];

/// The enrolled people.
pub struct People {
    secret: String,
}

impl People {
    /// Enrolls everybody with one fresh secret.
    pub fn enroll(place: &Place) -> Result<Self, Failure> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|error| Failure::new(Exit::Environment, error.to_string()))?;
        let secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        for name in NAMES {
            let request = Request::Enroll { approver: name.to_owned(), secret: secret.clone(), present: None };
            reach::ask(place, &request)?;
        }
        Ok(Self { secret })
    }

    /// Answers as the story says; a question the story does not foresee is refused.
    pub fn answer(&self, place: &Place, approval: &str, step: Option<&Step>) -> Result<(), Failure> {
        let (approve, reason) = match step.map(|step| step.person) {
            Some(Person::Approve(reason)) => (true, reason),
            Some(Person::Refuse(reason)) => (false, reason),
            None => (false, "I know nothing about this"),
        };
        for name in NAMES {
            let request = Request::ApprovalAnswer {
                id: approval.to_owned(),
                approver: name.to_owned(),
                secret: self.secret.clone(),
                approve,
                reason: reason.to_owned(),
            };
            let said = reach::ask(place, &request)?;
            if said.get("complete").and_then(Value::as_bool).unwrap_or(true) {
                break;
            }
        }
        Ok(())
    }
}

//! The closed table of methods: what is decided, what passes as plumbing, what is refused.
//!
//! A method that is not in the table is unknown and answered like a refused one ([`super::code::METHOD_NOT_FOUND`]),
//! unless the project says `unknown_methods = "pass"`; a *refused* one is refused even then.

use super::version::ProtocolVersion;

/// What happens to a message of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Treatment {
    /// Becomes a call and goes through the pipeline.
    Decided,
    /// Answered or passed on without a decision; never an effect.
    Plumbing,
    /// Answered with "method not found", or dropped if it is a notification.
    Refused,
}

/// Who sends a message to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the agent's side.
    ClientToServer,
    /// From the tool's side.
    ServerToClient,
}

/// Whether an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Yes.
    Request,
    /// No.
    Notification,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// As it stands in the `method` member.
    pub name: &'static str,
    /// Who sends it.
    pub direction: Direction,
    /// Whether it wants an answer.
    pub form: Form,
    /// Under 2025-06-18 and all before it.
    pub v2025_06_18: Treatment,
    /// Under 2025-11-25.
    pub v2025_11_25: Treatment,
    /// What it is for, and why it is treated so.
    pub doc: &'static str,
}

impl Method {
    /// What happens to it under a version.
    #[must_use]
    pub const fn treatment(&self, version: ProtocolVersion) -> Treatment {
        match version {
            ProtocolVersion::V2024_11_05 | ProtocolVersion::V2025_03_26 | ProtocolVersion::V2025_06_18 => {
                self.v2025_06_18
            }
            ProtocolVersion::V2025_11_25 => self.v2025_11_25,
        }
    }
}

/// Finds a method. `None` is an unknown one.
#[must_use]
pub fn find(direction: Direction, form: Form, name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.direction == direction && method.form == form && method.name == name)
}

/// What happens to a message; an unknown method is refused.
#[must_use]
pub fn treatment(version: ProtocolVersion, direction: Direction, form: Form, name: &str) -> Treatment {
    find(direction, form, name).map_or(Treatment::Refused, |method| method.treatment(version))
}

use Direction::{ClientToServer as Up, ServerToClient as Down};
use Form::{Notification as Note, Request as Ask};
use Treatment::{Decided, Plumbing, Refused};

const fn row(
    name: &'static str,
    direction: Direction,
    form: Form,
    v2025_06_18: Treatment,
    v2025_11_25: Treatment,
    doc: &'static str,
) -> Method {
    Method { name, direction, form, v2025_06_18, v2025_11_25, doc }
}

/// Every method Mortise has an opinion on.
#[rustfmt::skip]
pub static METHODS: &[Method] = &[
    //  name                              who   form  06-18     11-25     what for
    row("initialize",                     Up,   Ask,  Plumbing, Plumbing, "the handshake; who the client says it is proves nothing"),
    row("ping",                           Up,   Ask,  Plumbing, Plumbing, "liveness; answered by the gateway"),
    row("tools/list",                     Up,   Ask,  Plumbing, Plumbing, "answered from pinned definitions, as far as the agent may see them"),
    row("tools/call",                     Up,   Ask,  Decided,  Decided,  "uses a tool"),
    row("resources/list",                 Up,   Ask,  Plumbing, Plumbing, "names only; reading is decided"),
    row("resources/templates/list",       Up,   Ask,  Plumbing, Plumbing, "names only; reading is decided"),
    row("resources/read",                 Up,   Ask,  Decided,  Decided,  "brings foreign content in; may be an egress read"),
    row("resources/subscribe",            Up,   Ask,  Plumbing, Plumbing, "announces changes by name; reading is decided"),
    row("resources/unsubscribe",          Up,   Ask,  Plumbing, Plumbing, "ends a subscription"),
    row("prompts/list",                   Up,   Ask,  Plumbing, Plumbing, "names only; getting is decided"),
    row("prompts/get",                    Up,   Ask,  Decided,  Decided,  "brings foreign instructions in"),
    row("completion/complete",            Up,   Ask,  Plumbing, Plumbing, "suggestions for an argument of a prompt or template"),
    row("logging/setLevel",               Up,   Ask,  Plumbing, Plumbing, "how much the server logs to the client"),
    row("tasks/get",                      Up,   Ask,  Refused,  Refused,  "experimental; a result would arrive outside its call"),
    row("tasks/result",                   Up,   Ask,  Refused,  Refused,  "experimental; a result would arrive outside its call"),
    row("tasks/list",                     Up,   Ask,  Refused,  Refused,  "experimental; would show tasks of other calls"),
    row("tasks/cancel",                   Up,   Ask,  Refused,  Refused,  "experimental"),
    row("server/discover",                Up,   Ask,  Refused,  Refused,  "2026-07-28: refusing it makes the client fall back to `initialize`"),
    row("subscriptions/listen",           Up,   Ask,  Refused,  Refused,  "2026-07-28"),
    row("notifications/initialized",      Up,   Note, Plumbing, Plumbing, "ends the handshake; the gateway sends its own"),
    row("notifications/cancelled",        Up,   Note, Plumbing, Plumbing, "the caller is gone; its id is mapped"),
    row("notifications/progress",         Up,   Note, Plumbing, Plumbing, "progress of a server's request"),
    row("notifications/roots/list_changed", Up, Note, Plumbing, Plumbing, "a hint without content; asking for the roots is decided"),
    row("notifications/tasks/status",     Up,   Note, Refused,  Refused,  "experimental"),
    row("ping",                           Down, Ask,  Plumbing, Plumbing, "liveness; answered by the gateway"),
    row("sampling/createMessage",         Down, Ask,  Decided,  Decided,  "the server asks the client's model"),
    row("elicitation/create",             Down, Ask,  Decided,  Decided,  "the server asks the client's user"),
    row("roots/list",                     Down, Ask,  Decided,  Decided,  "the server asks where it may work"),
    row("tasks/get",                      Down, Ask,  Refused,  Refused,  "experimental"),
    row("tasks/result",                   Down, Ask,  Refused,  Refused,  "experimental"),
    row("tasks/list",                     Down, Ask,  Refused,  Refused,  "experimental"),
    row("tasks/cancel",                   Down, Ask,  Refused,  Refused,  "experimental"),
    row("notifications/cancelled",        Down, Note, Plumbing, Plumbing, "the server no longer wants an answer"),
    row("notifications/progress",         Down, Note, Plumbing, Plumbing, "goes to the call whose token it carries; its text is inspected"),
    row("notifications/message",          Down, Note, Plumbing, Plumbing, "a log line; inspected, and the first to be dropped"),
    row("notifications/resources/list_changed", Down, Note, Plumbing, Plumbing, "a hint without content"),
    row("notifications/resources/updated", Down, Note, Plumbing, Plumbing, "names a resource"),
    row("notifications/tools/list_changed", Down, Note, Plumbing, Plumbing, "makes the gateway list again and compare with the pins"),
    row("notifications/prompts/list_changed", Down, Note, Plumbing, Plumbing, "a hint without content"),
    row("notifications/elicitation/complete", Down, Note, Refused, Plumbing, "the user is done at a URL; names an elicitation"),
    row("notifications/tasks/status",     Down, Note, Refused,  Refused,  "experimental"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::V2025_06_18, ProtocolVersion::V2025_11_25];

    #[test]
    fn rows_are_unique_documented_and_well_named() {
        let mut seen = HashSet::new();
        for method in METHODS {
            assert!(seen.insert((method.name, method.direction, method.form)), "{} twice", method.name);
            assert!(!method.doc.is_empty(), "{}", method.name);
            assert_eq!(method.name.starts_with("notifications/"), method.form == Form::Notification, "{}", method.name);
        }
    }

    #[test]
    fn exactly_six_methods_are_decided() {
        for version in VERSIONS {
            let decided = |direction| -> Vec<_> {
                METHODS
                    .iter()
                    .filter(|m| m.direction == direction && m.treatment(version) == Treatment::Decided)
                    .map(|m| m.name)
                    .collect()
            };
            assert_eq!(decided(Direction::ClientToServer), ["tools/call", "resources/read", "prompts/get"]);
            assert_eq!(
                decided(Direction::ServerToClient),
                ["sampling/createMessage", "elicitation/create", "roots/list"]
            );
        }
    }

    #[test]
    fn unknown_is_refused_and_so_is_the_wrong_direction_or_form() {
        for version in VERSIONS {
            for (direction, form, name) in [
                (Direction::ClientToServer, Form::Request, "tools/destroy"),
                (Direction::ClientToServer, Form::Request, "Tools/call"),
                (Direction::ClientToServer, Form::Request, "tasks/get"),
                (Direction::ServerToClient, Form::Request, "tools/call"),
                (Direction::ClientToServer, Form::Notification, "tools/call"),
                (Direction::ClientToServer, Form::Request, "sampling/createMessage"),
            ] {
                assert_eq!(treatment(version, direction, form, name), Treatment::Refused, "{name}");
            }
        }
    }

    #[test]
    fn a_method_may_depend_on_the_version() {
        let of = |version| {
            treatment(version, Direction::ServerToClient, Form::Notification, "notifications/elicitation/complete")
        };
        assert_eq!(of(ProtocolVersion::V2024_11_05), Treatment::Refused);
        assert_eq!(of(ProtocolVersion::V2025_06_18), Treatment::Refused);
        assert_eq!(of(ProtocolVersion::V2025_11_25), Treatment::Plumbing);
    }
}

//! What the gateway answers when it refuses a request of the command line or a shim.

use super::Entry;

pub(super) const CODES: &[Entry] = &[
    (
        "agent/key",
        r#"No key was made: there is no such agent in the configuration that is in force, or it has as many
keys as it may have.

Agents are files in `mortise/agents/`; a new one waits for `mortise policy accept`."#,
    ),
    (
        "approval/unknown",
        r#"No call with this id waits, or it has been removed after its time.

See `mortise approvals ls --all`."#,
    ),
    (
        "approval/ambiguous",
        r#"Several approvals begin with the text given as an id.

Give more of it; `mortise approvals ls` shows the ids."#,
    ),
    (
        "approval/answer",
        r#"The answer does not count: the call is answered already, its time is over, you are not among
those who may answer, or you asked for it yourself.

See `mortise approvals show ID`."#,
    ),
    (
        "approver/unknown",
        r#"The name is not an approver of this project.

Add `[approvers.NAME]` to `mortise.toml`; that loosens, so somebody who is one already has to
accept it."#,
    ),
    (
        "approver/secret",
        r#"The name or the secret is wrong, or too many wrong ones were typed and a minute has to pass. One
answer for all of these, so that nobody learns names by trying.

Set a secret once with `mortise approvals enroll NAME`."#,
    ),
    (
        "approver/enroll",
        r#"The secret was not set: it is too short or too long, or one is set already and the present one
was not given.

Use eight characters or more, and give the present secret when there is one."#,
    ),
    (
        "caller/nobody",
        r#"Nobody was named for whom the calls are made, or the credential is not good. Unknown callers
have no rights.

Start the shim with `--agent NAME`, start the agent with `mortise run --agent NAME -- CMD`, or
send a key from `mortise agents key NAME`."#,
    ),
    (
        "config/read",
        r#"The project's files cannot be read, so what was in force stays in force.

Run `mortise check`; it says which file and why."#,
    ),
    (
        "control/governed",
        r#"The request came from a process that an agent was started from, or that an agent started. Such a
process may not answer for a person, accept a configuration or end the gateway; the attempt is
in the log.

Answer from a terminal that no agent was started from."#,
    ),
    (
        "control/peer",
        r#"The request came from another user of this machine than the one the gateway runs as.

Run the command as that user."#,
    ),
    (
        "control/request",
        r#"The gateway does not understand the request; it is probably of another version than the command.

End the gateway; the next command starts one of its own version."#,
    ),
    (
        "control/version",
        r#"The gateway that runs is of another version than the command or shim. They do not guess what the
other means.

End the gateway, or wait until it ends by itself; the next command starts another."#,
    ),
    (
        "listen/address",
        r#"The text is not an address with a port.

Write it like `127.0.0.1:7410`."#,
    ),
    (
        "listen/bind",
        r#"The gateway cannot listen there: the port is taken, or the address is not one of this machine.

Choose another with `--listen`, or in `[gateway] listen`; `mortise doctor` says who has it."#,
    ),
    (
        "log/write",
        r#"The log took no record, so nothing is decided any more: what cannot be recorded is not done.

Make room on the disk or repair it, then end the gateway; `mortise trace verify` says whether
the log is whole."#,
    ),
    (
        "run/refused",
        r#"The agent was not started: it is not in the inventory in force, or the agent that asked may not
start it.

`parents` in an agent's file lists who may."#,
    ),
    (
        "server/undeclared",
        r#"A shim stands in front of a command that no server of the project is started with. Only declared
servers are started, and only with exactly the declared command.

Declare it in `mortise/tools/NAME.toml` with this command, then run `mortise lock`."#,
    ),
];

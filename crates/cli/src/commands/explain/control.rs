//! What the gateway answers when it refuses a request of the command line or a shim.

use super::Entry;

pub(super) const CODES: &[Entry] = &[
    (
        "access/reason",
        r#"Reading what is kept of calls needs a reason, which is recorded with who read it.

Say why with `--reason`."#,
    ),
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
        "export/unknown",
        r#"The gateway does not know the format that an export was said to be in; it is probably of another
version than the command.

End the gateway; the next command starts one of its own version."#,
    ),
    (
        "keys/overlap",
        r#"Both keys of a rotation would sign for longer than a year, or for more than 10^12 events.

Give less with `--overlap-s` and `--overlap-entries`."#,
    ),
    (
        "keys/reason",
        r#"A rotation of the log's signing key needs a reason, which the log keeps with it.

Say why with `--why`."#,
    ),
    (
        "keys/rotate",
        r#"The signing key was not changed, or not to the end: the log or the keys could not be written.

Run `mortise trace verify` and `mortise keys ls`: the log says which key signs what. What was
begun is ended by the next start of the gateway."#,
    ),
    (
        "keys/under-way",
        r#"A rotation is under way: until its overlap is over both keys sign, and there is no third.

`mortise keys ls` says until when; the next rotation can begin then."#,
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
        "retention/failed",
        r#"Nothing was removed, or not all of it: the list of legal holds, the log or the state directory
cannot be read or written as it has to be.

The message says what failed. `mortise retention show` and `mortise trace verify` say how things
stand; what an erasure has begun is ended by the next start of the gateway."#,
    ),
    (
        "retention/held",
        r#"A legal hold stands, so nothing is removed or erased, by whoever asks for it.

`mortise retention show` lists the holds with who placed them and why; `mortise retention release`
ends one."#,
    ),
    (
        "retention/hold",
        r#"There is no legal hold of this name, or there is one already, or there are as many as there may
be.

`mortise retention show` lists them."#,
    ),
    (
        "retention/reason",
        r#"Placing or releasing a legal hold and erasing what is kept of a person need a reason, which the
log keeps.

Say why with `--reason`."#,
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

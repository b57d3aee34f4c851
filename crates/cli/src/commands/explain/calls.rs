//! Rules of Mortise itself that an answer to a call names as its reason.

use super::Entry;

pub(super) const CODES: &[Entry] = &[
    (
        "inventory/AGENT",
        r#"The agent's file does not list what was called. The inventory is the outer bound: it is asked
before any policy, and what does not exist gets the same answer as what is not declared.

Add it to `tools` (or `resources`, `prompts`, `client_requests`) of `mortise/agents/AGENT.toml`.
That loosens, so it waits for `mortise policy accept`."#,
    ),
    (
        "schema/SERVER/TOOL",
        r#"The arguments do not match the tool's input schema as pinned in `mortise.lock`. The call was not
decided at all.

The refusal says where they differ; `mortise.lock` has the schema."#,
    ),
    (
        "pin/SERVER/TOOL",
        r#"The tool's definition is not the one that was pinned: the server describes it differently than
when it was reviewed. It is quarantined until somebody looks.

Run `mortise lock --check` to see the difference, and `mortise lock` to accept it."#,
    ),
    (
        "result/SERVER/TOOL",
        r#"The tool ran, but its result was kept back: it does not match the tool's output schema, or could
not be redacted as a guard demands.

`mortise trace show` has the call; the effect of the call, if any, has happened."#,
    ),
    (
        "builtin/protected-files",
        r#"An argument points at Mortise's own files: policies, settings, lock, state or log. No tool may
reach them, whatever the policies say.

Let a person edit them outside of the agent."#,
    ),
    (
        "default/no-permit",
        r#"No permit rule is satisfied. Nothing runs without one.

`mortise policy explain SERVER/TOOL` shows which roles reach the tool; add one in
`mortise/policies/roles/`, which waits for `mortise policy accept`."#,
    ),
    (
        "default/no-policy",
        r#"The policies do not load, so everything is denied. A set with a mistake in it is not used in
part.

Run `mortise check`."#,
    ),
    (
        "default/undecidable",
        r#"The call could not be put to the policies, for instance because a value has no place in the
schema. What cannot be decided is denied.

`mortise check` says what policies cannot see of a tool."#,
    ),
    (
        "default/deny",
        r#"The call is denied and no single rule stands out as the reason.

`mortise trace show` has all reasons of the call."#,
    ),
    (
        "shipped/agent-rate",
        r#"The agent has made as many calls within a minute as `[limits] calls_per_minute` of its file
allows.

Wait, or raise the limit; that loosens."#,
    ),
    (
        "shipped/tool-rate",
        r#"The tool was called as often within a minute as its limit in the agent's or the server's file
allows.

Wait, or raise the limit; that loosens."#,
    ),
    (
        "shipped/uncertain",
        r#"The agent counts as uncertain: it stated little confidence, or its call failed validation twice.
Such calls are asked about, and denied when they cannot be taken back.

`[uncertain] below` sets the limit; `@uncertain` on a guard says otherwise for what it guards."#,
    ),
    (
        "shipped/unrepresentable-ask",
        r#"The call has a value that no policy can look at, such as a number that is too large. A person
looks instead.

`mortise check` says what policies cannot see of a tool."#,
    ),
    (
        "shipped/unrepresentable",
        r#"The call has a value that no policy can look at, and the tool's effect cannot be taken back, so
it is denied.

Send values that fit; `mortise check` says what policies cannot see of a tool."#,
    ),
    (
        "sanitize/failed",
        r#"A redaction could not be carried out on this call, so it was not sent: better no call than one
with what should have been taken out.

See the guard's `@redact`, and the arguments with `mortise trace show`."#,
    ),
    (
        "sanitize/schema",
        r#"After redaction the arguments no longer match the tool's schema, so the call was not sent.

Choose another way to redact, one that leaves a value the schema accepts, or make the argument
optional."#,
    ),
    (
        "sanitize/not-converging",
        r#"The redacted call was decided again, and a guard asks for still another redaction. It is denied,
because it might never end.

Let one guard redact everything at once."#,
    ),
    (
        "sandbox/twin",
        r#"A sandboxed call goes to the tool's dry-run twin, which is missing, has changed, or does not
accept these arguments.

See `dry_run` in `mortise/tools/SERVER.toml`, and run `mortise lock --check`."#,
    ),
    (
        "fault/deadline",
        r#"Deciding took longer than it may, so the call is denied. The gateway goes on.

Try again; if it stays, look for very large arguments, and report it."#,
    ),
    (
        "fault/log",
        r#"The log could not be written, so the call was not forwarded: what cannot be recorded is not
done.

Make room on the disk or repair it; `mortise doctor` says more."#,
    ),
    (
        "limits/sessions",
        r#"There are more sessions than the gateway keeps at once.

End agents that are not needed; idle sessions end by themselves after `[session] idle_minutes`."#,
    ),
    (
        "approval/definition",
        r#"The tool's definition changed after a person had approved the call. What was approved is not
what would run.

Run `mortise lock --check`, then let the agent ask again."#,
    ),
    (
        "approval/refused-before",
        r#"A person has refused this call in this session. Asking again until somebody gives in does not
work.

Start a new session if circumstances have changed."#,
    ),
    (
        "approval/too-many-open",
        r#"As many calls of this session wait for a person as may.

Answer those that wait: `mortise approvals ls`."#,
    ),
    (
        "approval/too-many",
        r#"The agent has asked as often within the hour as it may. People who are asked too much press yes.

Wait, or write a rule for what is asked so often; `[ask] max_per_hour` is the limit."#,
    ),
    (
        "approval/not-kept",
        r#"The call could not be kept until a person answers: it is too long, or the disk refuses. What
cannot be kept is not asked.

Send less in one call; `mortise doctor` looks at the disk."#,
    ),
];

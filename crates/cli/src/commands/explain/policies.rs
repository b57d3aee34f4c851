//! What is wrong with policies and the schema they are checked against.

use super::Entry;

pub(super) const CODES: &[Entry] = &[
    (
        "policy/syntax",
        r#"The file is not Cedar. The place is where reading stopped; look for a missing `;`, `)` or quote
before it.

A policy is `permit (principal, action, resource) when { ... };` or the same with `forbid`.
`mortise policy schema` prints what can be named."#,
    ),
    (
        "policy/template",
        r#"The policy has a slot (`?principal` or `?resource`). Slots are filled in elsewhere, so that
nobody reading the file could say what it does, and it cannot be compared with what is in force.

Write one policy per principal or resource."#,
    ),
    (
        "policy/no-id",
        r#"The rule has no `@id`. Reasons, approvals, events and tests name rules, so each needs a name
that stays.

Add `@id("guards/some-name")` in front of it."#,
    ),
    (
        "policy/duplicate-id",
        r#"Two rules have the same `@id`. A reason or an approval that names it would mean either.

Give one of them another id; the complaint says where the other is."#,
    ),
    (
        "policy/no-reason",
        r#"A guard that does not simply deny gives no `@reason`. The agent and the person who is asked see
the reason; without one they only see an id.

Add `@reason("...")`: one sentence that does not depend on the call."#,
    ),
    (
        "policy/unknown-annotation",
        r#"The annotation is not one of those Mortise knows. The list is closed, because a misspelt
`@decision` would turn an ask into something else without anybody noticing.

Known are `@id`, `@decision`, `@reason`, `@redact`, `@sandbox`, `@fallback`, `@uncertain`,
`@approvers`, `@quorum`, `@ttl`, `@severity`, `@owner` and `@mode`."#,
    ),
    (
        "policy/annotation",
        r#"The annotation does not belong on this rule: `@decision` and everything that obliges belong on a
`forbid`, and some need another beside them (`@quorum` and `@approvers` need
`@decision("ask")`).

The complaint says which it is."#,
    ),
    (
        "policy/annotation-value",
        r#"The annotation's value cannot be used. `@decision` takes `sandbox`, `sanitize` or `ask`; a
`forbid` without it denies.

The complaint says what would be right, and names approvers and groups that exist."#,
    ),
    (
        "policy/unknown-name",
        r#"The rule names an agent, team, class, server, zone, tool or person that the project does not
have. It would never match, and a guard that never matches protects nothing.

Correct the spelling. Tools are known once they are pinned: run `mortise lock`."#,
    ),
    (
        "policy/invalid",
        r#"Cedar's strict validation refuses the rule: an attribute that does not exist, a comparison of
different types, or an optional attribute that is used without asking for it. A rule with an
error in it would be skipped or fail while deciding.

For optional values write `context.args has name && context.args.name == "x"`. `mortise policy
schema` prints every attribute. For a waiting configuration, `mortise check` shows the place."#,
    ),
    (
        "policy/impossible",
        r#"The rule can never match: its scope and conditions contradict each other by type alone, for
example a tool's argument on another tool, or an agent where a server belongs.

Correct it, or delete it; a rule that never speaks only looks like protection."#,
    ),
    (
        "policy/inapplicable",
        r#"The action of the rule's scope does not go with its principal or resource, so it never applies.
Tools are called by an `Agent` on a `Server`.

Correct the scope; often the server named is not the tool's own."#,
    ),
    (
        "policy/suspicious-text",
        r#"Cedar's validator warns about the rule's text, usually characters from several scripts or
invisible ones in a name or string. Two names that look the same need not be the same.

Write the text plainly, or make sure it is what is meant."#,
    ),
    (
        "policy/arithmetic",
        r#"The rule calculates with numbers. An overflow is an error inside a rule, and an agent that can
choose the numbers could cause one.

Compare with a constant instead; counting and limits are declared in agent and tool files."#,
    ),
    (
        "policy/redact",
        r#"A `@redact` term names an argument that no tool in the guard's scope has, a field that their
pinned output schemas have no room for, or an argument that must not be changed. Taking something
out of a target, an object, a critical value, SQL, a path or a command line would make it another
call.

Redact `content` and `free` text arguments (`args.body:mask`) or results
(`result.items[].email:pseudonymise`); for others use `@decision("ask")`."#,
    ),
    (
        "policy/canary",
        r#"A self-test of the compiled policies failed: a guard on a group of tools would not have matched
the tools in it. Nothing is wrong with your files; the set is not used.

Please report it together with the output of `mortise check`."#,
    ),
    (
        "policy/internal",
        r#"The policies did not compile and nothing says why. This is a defect of Mortise; the set is not
used, and what was in force stays.

Please report it together with the output of `mortise check`."#,
    ),
    (
        "policy/accept",
        r#"The configuration was not accepted: something else waits by now than what was shown, or nothing
does.

Look again with `mortise policy diff`, then accept what it shows."#,
    ),
    (
        "policy/reason",
        r#"A configuration that loosens something was to be accepted without saying why. The reason is
recorded in the log.

Give it with `--reason "..."`."#,
    ),
    (
        "schema/duplicate",
        r#"The same agent, server or tool is declared twice, so that a policy naming it could mean either.

Keep one of them."#,
    ),
    (
        "schema/unknown-server",
        r#"A tool is pinned or described for a server that is not declared.

Declare the server in `mortise/tools/NAME.toml`, or run `mortise lock` to take the tool out."#,
    ),
    (
        "schema/internal",
        r#"The Cedar schema that Mortise generates from your tools is not accepted by Cedar. This is a
defect of Mortise; the policies are not used.

Please report it with the tool's input schema from `mortise.lock`."#,
    ),
];

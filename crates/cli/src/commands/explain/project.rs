//! What is wrong with `mortise.toml`, `mortise.lock`, agents and servers.

use super::Entry;

pub(super) const CODES: &[Entry] = &[
    (
        "project/no-settings",
        r#"There is no `mortise.toml` where a project was expected. Every project has one, even an empty
one: it marks the folder whose `mortise/` counts.

Run `mortise init` to write a commented one, or name the project's folder with `--project DIR`."#,
    ),
    (
        "project/no-agents",
        r#"There is no file in `mortise/agents/`. Whoever calls has to be an agent of the inventory, so
without one every caller is refused.

Write `mortise/agents/NAME.toml` with `owner`, `purpose`, `tier` and `tools`; `mortise init`
writes one to start from."#,
    ),
    (
        "project/no-policies",
        r#"There is no `.cedar` file in `mortise/policies/`. Nothing runs without a permit rule that allows
it, so without policies every call is denied.

Write a role: `permit (principal == Agent::"NAME", action in Action::"tools/call", resource);`
and then guards for what should not go through unseen."#,
    ),
    (
        "project/unknown-file",
        r#"A file stands where Mortise looks, but is none it reads: a misspelt folder, or another ending.
It has no effect, and somebody probably thinks that it has.

Agents are `mortise/agents/NAME.toml`, servers `mortise/tools/NAME.toml`, policies end in
`.cedar` and suites in `.yaml`. Move it, rename it or take it out."#,
    ),
    (
        "config/syntax",
        r#"The file is not TOML. The place is where reading stopped, which may be after the mistake: look
for a quote or bracket that is not closed on the lines before.

A file is accepted whole or not at all; what was in force stays in force."#,
    ),
    (
        "config/unknown-key",
        r#"The file has a key that means nothing there. Unknown keys are errors because a misspelt limit or
guard would otherwise silently not apply.

Correct the spelling, or take the key out."#,
    ),
    (
        "config/unknown-word",
        r#"The value is a word from a fixed list, and this one is not in it. The complaint says which words
there are.

Words are lower-case and written with `_`, such as `irreversible_write` and `third_party`."#,
    ),
    (
        "config/missing-key",
        r#"A key that has no default is missing. Owner, purpose and tier of an agent, for example, have
none: somebody has to answer for it, and nobody can guess how much there is to lose.

Add the key."#,
    ),
    (
        "config/duplicate-key",
        r#"The same key or table stands twice in one file, so it could be read in two ways. TOML forbids
it.

Keep one of them; for lists, put all entries into one."#,
    ),
    (
        "config/wrong-type",
        r#"The value is of another type than the key takes, such as a text where a number or a list
belongs.

Numbers and `true`/`false` stand without quotes, texts with them, lists in square brackets."#,
    ),
    (
        "config/value",
        r#"The value has the right type but cannot be used: empty, out of its range, or not of the form
that is needed. The complaint says what would be right.

Limits have a smallest and a largest value; no limit is said by leaving the key out."#,
    ),
    (
        "config/sink-path",
        r#"A sink of kind `file` may not write there: among Mortise's own files (`mortise.toml`,
`mortise.lock`, `mortise/`, the state directories of all projects), into a repository's `.git`, or
to the file of another sink.

Choose a file elsewhere, and one for each sink. Links are followed before it is judged."#,
    ),
    (
        "config/name",
        r#"The name has characters that are not allowed. Names of projects, approvers and groups have one
spelling each, so that two that look alike cannot be two different things.

Use lower-case letters, digits, `-` and `_`, beginning with a letter or digit."#,
    ),
    (
        "config/reference",
        r#"The text names nothing that can be declared. A tool is named `server/tool`, a prompt
`server/prompt`, what a server may ask of the client `server#sampling`, `server#elicitation` or
`server#roots`.

A `*` stands only for all tools of one server, `server/*`, and only in tier low."#,
    ),
    (
        "config/remote-listener",
        r#"`[gateway] listen` is not a loopback address, so other machines could reach the gateway. Agent
keys would travel without encryption.

Listen on `127.0.0.1`, with a TLS proxy in front where others must reach it; or say
`allow_remote = true` if the network itself is trusted."#,
    ),
    (
        "agent/name",
        r#"An agent's name is the name of its file, and this one is not a name.

Name the file with lower-case letters, digits, `-` and `_`: `mortise/agents/support-bot.toml` is
the agent `support-bot`."#,
    ),
    (
        "agent/unknown-server",
        r#"An agent's file names a server that no file in `mortise/tools/` declares. It could never be
reached.

Correct the spelling, or declare the server in `mortise/tools/NAME.toml`."#,
    ),
    (
        "agent/unknown-tool",
        r#"An agent's file names a tool that its server does not have, going by what is pinned in
`mortise.lock`.

Correct the spelling. If the server has the tool by now, run `mortise lock` and review the
difference."#,
    ),
    (
        "agent/unknown-parent",
        r#"`parents` names an agent that does not exist. It lists the agents that may start this one.

Correct the spelling, or take it out."#,
    ),
    (
        "agent/wildcard",
        r#"`server/*` gives an agent every tool a server has, those of tomorrow included. That is accepted
in tier low only, where there is little to lose.

List the tools one by one; `mortise.lock` has their names."#,
    ),
    (
        "server/name",
        r#"A server's name is the name of its file, and this one is not a name.

Name the file with lower-case letters, digits, `-` and `_`: `mortise/tools/desk.toml` is the
server `desk`."#,
    ),
    (
        "server/start-or-reach",
        r#"A server is either started as a command (`[start]` with `command`) or reached at a URL
(`[reach]` with `url`): its file needs exactly one of the two.

Keep the one that is meant."#,
    ),
    (
        "server/tool-name",
        r#"A table below `[tools]` has a name that no tool can have: empty, too long, or with spaces or
control characters.

Write it as the server lists it; `mortise.lock` has the names."#,
    ),
    (
        "tool/unknown",
        r#"A server's file describes a tool that is not pinned for it. What is said there (effect, label,
argument classes) applies to nothing.

Correct the spelling; if the server has gained the tool, run `mortise lock`."#,
    ),
    (
        "tool/unknown-argument",
        r#"A server's file describes an argument that the pinned schema of the tool does not have. The real
argument stays undeclared, which means `critical`.

Correct the spelling; `mortise.lock` has the schema."#,
    ),
    (
        "tool/dry-run",
        r#"`dry_run` names the twin that runs in place of a sandboxed call: another tool of the same server
that takes the same arguments and changes nothing. This one does not exist, or is the tool
itself.

Name a pinned tool of the same server, or leave the key out; sandboxed calls then follow the
guard's `@fallback`."#,
    ),
    (
        "lock/missing",
        r#"A server's tools are not pinned in `mortise.lock`. Only pinned tools can be called: a definition
that nobody has reviewed is an instruction to the model by whoever runs the server.

Run `mortise lock`, read what it writes, and commit it."#,
    ),
    (
        "lock/unused",
        r#"`mortise.lock` pins tools of a server that is no longer declared. They can not be called.

Run `mortise lock` to take them out."#,
    ),
    (
        "lock/invalid",
        r#"`mortise.lock` cannot be read, or a digest in it is not that of the definition beside it: it was
edited by hand or merged badly.

Run `mortise lock` to write it anew, then review the difference; never edit a digest."#,
    ),
];

//! What is wrong with suites of cases.

use super::Entry;

pub(super) const CODES: &[Entry] = &[
    (
        "tests/syntax",
        r#"The suite is not YAML, is empty, or ends too early.

Indent with spaces, two per level, and put texts with `:`, `#` or quotes into quotes."#,
    ),
    (
        "tests/documents",
        r#"The file has more than one YAML document (`---`). Only one would be read.

Put the other suite into a file of its own."#,
    ),
    (
        "tests/aliases",
        r#"The suite uses YAML aliases (`*name`) without their anchor, or so many that they unfold to more
than a suite may hold.

Write the value out, or define the anchor before it is used."#,
    ),
    (
        "tests/merge-key",
        r#"The suite uses a YAML merge key (`<<`). It is not read, because what a case says should stand in
the case.

Write the keys out."#,
    ),
    (
        "tests/tag",
        r#"A value has a YAML tag (`!something`). Tags mean nothing here and could change how a value is
read.

Leave the tag out; put text that looks like a number into quotes."#,
    ),
    (
        "tests/unknown-key",
        r#"The suite has a key that means nothing there. A misspelt `rule` or `facts` would make a case
pass for the wrong reason.

Correct the spelling, or take the key out."#,
    ),
    (
        "tests/unknown-word",
        r#"The value is a word from a fixed list, and this one is not in it. The complaint says which words
there are.

Kinds are `safety`, `correctness` and `privacy`; verdicts `allow`, `sandbox`, `sanitize`, `ask`
and `deny`."#,
    ),
    (
        "tests/missing-key",
        r#"A key that every suite or case needs is missing. A suite has `suite`, `agent` and `cases`; a
case has `name`, `kind`, `call` and `expect`.

Add the key."#,
    ),
    (
        "tests/duplicate-key",
        r#"The same key stands twice in one place, so it could be read in two ways.

Keep one of them."#,
    ),
    (
        "tests/duplicate-name",
        r#"Two cases of one suite have the same name, so that a failure could mean either.

Give one of them another name; the complaint says where the other is."#,
    ),
    (
        "tests/wrong-type",
        r#"The value is of another type than the key takes. In YAML, `yes`, `1.0` and `2026-01-01` may not
be the text they look like.

Put texts into quotes where in doubt."#,
    ),
    (
        "tests/empty",
        r#"A name is empty. Names are what a report shows.

Say in a few words what the suite or case is about."#,
    ),
    (
        "tests/agent",
        r#"`agent` is not an agent's name.

Write the name of a file in `mortise/agents/` without its ending."#,
    ),
    (
        "tests/call",
        r#"`call` names nothing that can be called.

Write `server/tool`, or `server#resources/read`, `#prompts/get`, `#sampling`, `#elicitation` or
`#roots` after a server's name."#,
    ),
    (
        "tests/confidence",
        r#"A stated confidence is not a whole number from 0 to 100.

Write a percentage without the sign."#,
    ),
    (
        "tests/redact",
        r#"A term of `redact` cannot be read.

Write `args.PATH:HOW` or `result.PATH:HOW`, for example `args.body:mask`."#,
    ),
    (
        "tests/too-long",
        r#"The file is longer than a suite may be.

Divide it into several files; all of `mortise/tests/` is read."#,
    ),
    (
        "tests/too-deep",
        r#"Values are nested deeper than any tool's arguments should be.

Flatten the arguments; what a tool needs so deep is probably a mistake."#,
    ),
    (
        "tests/too-many-cases",
        r#"The suite has more cases than one suite may have.

Divide it into several files."#,
    ),
    (
        "tests/too-much",
        r#"The suite holds more values than a suite may.

Divide it into several files, and shorten large arguments."#,
    ),
    (
        "tests/unknown-agent",
        r#"The suite is about an agent that the project does not have. All its calls would be denied, and
cases that expect a denial would pass for the wrong reason.

Correct the spelling, or write `mortise/agents/NAME.toml`."#,
    ),
    (
        "tests/unknown-server",
        r#"A case calls a server that is not declared. It would be denied whatever the policies say.

Correct the spelling; for a case about exactly this, add `rule: inventory/AGENT`."#,
    ),
    (
        "tests/unknown-tool",
        r#"A case calls a tool that its server does not have, going by `mortise.lock`. It would be denied
whatever the policies say.

Correct the spelling, or run `mortise lock`; for a case about exactly this, add `rule:
inventory/AGENT`."#,
    ),
    (
        "tests/unknown-rule",
        r#"A case names a rule that does not exist, so it could not fail or pass for the reason it gives.

A rule is named by its `@id`; the ids of Mortise's own answers, such as `inventory/AGENT`, count
too."#,
    ),
    (
        "tests/not-pinned",
        r#"A case calls a tool of a server whose tools are not pinned. Nothing of it can be called yet.

Run `mortise lock`, read what it writes, and commit it."#,
    ),
    (
        "tests/denied-by-schema",
        r#"A case that expects a denial is denied because its arguments do not match the tool's schema,
before any rule is asked. It would pass even without policies.

Correct the arguments, or name the schema's rule if that is what is tested."#,
    ),
    (
        "tests/missing-kind",
        r#"An agent has no safety, no correctness or no privacy case. In tiers critical and high `mortise
check` fails over it: what such an agent may do has to be said in a form that can fail.

Add cases to `mortise/tests/`: what it must be able to do (correctness), what it must never do
(safety), what it must not reveal (privacy)."#,
    ),
];

//! Conditions at random, as text: every operator, over everything that policies see and some that they do not, mostly of
//! the right types.

/// The types an expression is asked to have.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Long,
    Text,
    Entity,
    Set,
    Record,
}

const KINDS: [Kind; 6] = [Kind::Bool, Kind::Long, Kind::Text, Kind::Entity, Kind::Set, Kind::Record];

const BOOLS: [&str; 8] = [
    "true",
    "false",
    "context.args.flag",
    "context.call.request_attested",
    "context.call.unrepresentable",
    "context.args.rec.open",
    "principal.eval_passed",
    "resource.pinned",
];
const LONGS: [&str; 18] = [
    "1",
    "0",
    "(-1)",
    "2",
    "9223372036854775807",
    "(-9223372036854775808)",
    "context.session.calls",
    "context.session.agent_limit_1m",
    "context.session.denials",
    "context.args.number",
    "context.args.rec.n",
    "context.call.now",
    "context.call.chain_depth",
    "context.call.confidence",
    "context.derived.text.bytes",
    "context.derived[\"note\"].bytes",
    "resource.trust",
    "context.session.nothing",
];
const TEXTS: [&str; 15] = [
    "\"a\"",
    "\"\"",
    "\"b\"",
    "\"a*b\"",
    "\"\\u{e9}\"",
    "context.args.text",
    "context.args.note",
    "context.args.rec.from",
    "context.call.purpose",
    "context.call.destination",
    "context.session.mode",
    "principal.owner",
    "principal.model",
    "resource.transport",
    "principal.nothing",
];
const ENTITIES: [&str; 30] = [
    "principal",
    "action",
    "resource",
    "Agent::\"bot\"",
    "Agent::\"other\"",
    "Agent::\"ghost\"",
    "Team::\"t\"",
    "AgentClass::\"c\"",
    "Action::\"desk/tool\"",
    "Action::\"tools/call\"",
    "Action::\"risk/reversible_write\"",
    "Server::\"desk\"",
    "Zone::\"z\"",
    "User::\"ada\"",
    "User::\"bot\"",
    "Space::Origin::\"own\"",
    "Origin::\"own\"",
    "Origin::\"request\"",
    "Origin::\"nowhere\"",
    "Confidentiality::\"secret\"",
    "Integrity::\"own\"",
    "Tier::\"high\"",
    "Effect::\"reversible_write\"",
    "context.call.effect",
    "context.call.on_behalf_of",
    "context.labels.integrity",
    "context.findings.worst",
    "principal.tier",
    "principal.authn",
    "principal.env",
];
const SETS: [&str; 21] = [
    "[]",
    "[1]",
    "[\"a\", \"b\", \"a\"]",
    "[[1, 2], [2, 1, 1]]",
    "[{from: \"a\"}, {from: \"b\", n: 1}]",
    "[Origin::\"own\", Origin::\"request\"]",
    "[Confidentiality::\"private\", Confidentiality::\"secret\"]",
    "[1, \"a\", true, User::\"ada\"]",
    "context.args.list",
    "context.args.numbers",
    "context.args.lists",
    "context.args.recs",
    "context.labels.confidentiality",
    "context.labels.sources",
    "context.origin.target",
    "context.origin.content",
    "context.arg_origin.text",
    "context.arg_origin.price",
    "context.targets.hosts",
    "context.findings.kinds",
    "[Team::\"t\", Zone::\"z\", Action::\"tools/call\"]",
];
const RECORDS: [&str; 16] = [
    "{}",
    "context",
    "context.args",
    "context.args.rec",
    "context.derived",
    "context.derived.text",
    "context.arg_origin",
    "context.targets",
    "context.call",
    "context.session",
    "context.labels",
    "context.origin",
    "context.findings",
    "{from: \"a\"}",
    "{n: 1, from: \"b\"}",
    "{a: {b: {a: 1}}, \"from\": [1]}",
];
const NAMES: [&str; 24] = [
    "a",
    "b",
    "from",
    "n",
    "open",
    "text",
    "number",
    "flag",
    "note",
    "list",
    "rec",
    "price",
    "args",
    "call",
    "session",
    "calls",
    "bytes",
    "derived",
    "purpose",
    "confidence",
    "target",
    "tier",
    "trust",
    "nothing",
];
const PATTERNS: [&str; 10] = ["*", "", "a", "a*", "*a", "*b*", "a*b", "a\\*b", "*\\**", "*a*b*\\u{e9}"];
const TYPES: [&str; 8] = ["Agent", "Action", "Server", "User", "Origin", "Effect", "Tier", "Space::Origin"];
const BETWEEN: [&str; 10] = ["==", "!=", "<", "<=", ">", ">=", "in", "&&", "||", "=="];

/// Writes the condition that a tape of choices stands for. A tape that is at its end chooses what comes first, so that a
/// shorter tape is a smaller condition.
pub(super) fn condition(tape: &[u8]) -> String {
    Writer { tape }.write(Kind::Bool, 5)
}

struct Writer<'a> {
    tape: &'a [u8],
}

impl Writer<'_> {
    fn choose(&mut self, among: usize) -> usize {
        let Some((&first, rest)) = self.tape.split_first() else {
            return 0;
        };
        self.tape = rest;
        usize::from(first) % among
    }

    fn one_of(&mut self, list: &[&'static str]) -> &'static str {
        list[self.choose(list.len())]
    }

    fn any(&mut self, depth: usize) -> String {
        let kind = KINDS[self.choose(KINDS.len())];
        self.write(kind, depth)
    }

    /// One in thirty-two is of any type.
    fn write(&mut self, kind: Kind, depth: usize) -> String {
        let kind = if self.choose(32) == 31 { KINDS[self.choose(KINDS.len())] } else { kind };
        if depth == 0 || self.choose(5) == 0 {
            return self.leaf(kind);
        }
        let depth = depth - 1;
        match (kind, self.choose(8)) {
            (_, 0) => {
                let (test, yes, no) = (self.write(Kind::Bool, depth), self.write(kind, depth), self.write(kind, depth));
                format!("(if {test} then {yes} else {no})")
            }
            (Kind::Bool, _) => self.bool(depth),
            (Kind::Long, 1..=4) => {
                let operator = self.one_of(&["+", "-", "*"]);
                format!("({} {operator} {})", self.write(kind, depth), self.write(kind, depth))
            }
            (Kind::Long, 5) => format!("(-({}))", self.write(kind, depth)),
            (Kind::Set, 1..=5) => {
                let number = self.choose(4);
                let items: Vec<String> = (0..number).map(|_| self.any(depth)).collect();
                format!("[{}]", items.join(", "))
            }
            (Kind::Record, 1..=4) => {
                let number = self.choose(NAMES.len());
                let fields = [NAMES[number], NAMES[(number + 1) % NAMES.len()]];
                let fields: Vec<String> = fields.iter().map(|name| format!("{name}: {}", self.any(depth))).collect();
                format!("{{{}}}", fields.join(", "))
            }
            (_, 6) => {
                let of = if self.choose(4) == 0 { Kind::Entity } else { Kind::Record };
                format!("({})[\"{}\"]", self.write(of, depth), self.one_of(&NAMES))
            }
            (_, 7) => {
                let name = self.one_of(&NAMES);
                format!("({{{name}: {}}}).{name}", self.write(kind, depth))
            }
            _ => self.leaf(kind),
        }
    }

    fn leaf(&mut self, kind: Kind) -> String {
        let list: &[&'static str] = match kind {
            Kind::Bool => &BOOLS,
            Kind::Long => &LONGS,
            Kind::Text => &TEXTS,
            Kind::Entity => &ENTITIES,
            Kind::Set => &SETS,
            Kind::Record => &RECORDS,
        };
        self.one_of(list).to_owned()
    }

    fn bool(&mut self, depth: usize) -> String {
        match self.choose(13) {
            0 => format!("(!({}))", self.write(Kind::Bool, depth)),
            1 | 2 => {
                let operator = self.one_of(&["&&", "||"]);
                format!("({} {operator} {})", self.write(Kind::Bool, depth), self.write(Kind::Bool, depth))
            }
            3 => {
                let kind = KINDS[self.choose(KINDS.len())];
                let operator = self.one_of(&["==", "!="]);
                format!("({} {operator} {})", self.write(kind, depth), self.write(kind, depth))
            }
            4 => {
                let operator = self.one_of(&["<", "<=", ">", ">="]);
                format!("({} {operator} {})", self.write(Kind::Long, depth), self.write(Kind::Long, depth))
            }
            5 => format!("({}).contains({})", self.write(Kind::Set, depth), self.any(depth)),
            6 => {
                let method = self.one_of(&["containsAll", "containsAny"]);
                format!("({}).{method}({})", self.write(Kind::Set, depth), self.write(Kind::Set, depth))
            }
            7 => format!("({}).isEmpty()", self.write(Kind::Set, depth)),
            8 => {
                let of = if self.choose(4) == 0 { Kind::Entity } else { Kind::Record };
                let length = 1 + self.choose(3);
                let of = self.write(of, depth);
                let path: Vec<&str> = (0..length).map(|_| self.one_of(&NAMES)).collect();
                format!("(({of}) has {})", path.join("."))
            }
            9 => format!("(({}) like \"{}\")", self.write(Kind::Text, depth), self.one_of(&PATTERNS)),
            10 => format!("(({}) is {})", self.write(Kind::Entity, depth), self.one_of(&TYPES)),
            11 => {
                let others = if self.choose(2) == 0 { Kind::Entity } else { Kind::Set };
                format!("({} in {})", self.write(Kind::Entity, depth), self.write(others, depth))
            }
            _ => format!("({} {} {})", self.any(depth), self.one_of(&BETWEEN), self.any(depth)),
        }
    }
}

//! The fixed part of the schema as values, for `assembled`: the same that `text` says, which a test there holds together.

/// An entity type that is not an enum.
pub(super) struct Entity {
    pub(super) name: &'static str,
    /// The types that can be in it.
    pub(super) members: &'static [&'static str],
    pub(super) attributes: &'static [Member],
}

/// An attribute.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) is: Is,
    pub(super) required: bool,
}

/// What a fixed attribute is.
pub(super) enum Is {
    Bool,
    Long,
    Text,
    /// A set of texts.
    Texts,
    /// One entity of a type.
    One(&'static str),
    /// A set of them.
    Set(&'static str),
}

/// The entity types.
pub(super) const ENTITIES: &[Entity] = &[
    Entity { name: "Team", members: &["Agent"], attributes: &[] },
    Entity { name: "AgentClass", members: &["Agent"], attributes: &[] },
    Entity { name: "Zone", members: &["Server"], attributes: &[] },
    Entity { name: "User", members: &[], attributes: &[] },
    Entity {
        name: "Agent",
        members: &[],
        attributes: &[
            must("authn", Is::One("Authn")),
            must("env", Is::One("Env")),
            must("eval_passed", Is::Bool),
            must("model", Is::Text),
            must("model_version", Is::Text),
            must("owner", Is::Text),
            must("tier", Is::One("Tier")),
        ],
    },
    Entity {
        name: "Server",
        members: &[],
        attributes: &[
            must("confinement", Is::Text),
            must("pinned", Is::Bool),
            must("transport", Is::Text),
            must("trust", Is::Long),
        ],
    },
];

/// Those parts of the context that are the same for all actions.
pub(super) const CONTEXT: &[(&str, &[Member])] = &[
    ("targets", TARGETS),
    ("call", CALL),
    ("session", SESSION),
    ("labels", LABELS),
    ("origin", ORIGIN),
    ("findings", FINDINGS),
];

/// What is derived from a text argument.
pub(super) const DERIVED: &[Member] = &[must("bytes", Is::Long)];

/// Where an argument comes from.
pub(super) const ORIGINS: Is = Is::Set("Origin");

const TARGETS: &[Member] =
    &[must("commands", Is::Texts), must("hosts", Is::Texts), must("paths", Is::Texts), must("sql_classes", Is::Texts)];

const CALL: &[Member] = &[
    must("chain_depth", Is::Long),
    may("confidence", Is::Long),
    may("destination", Is::Text),
    must("effect", Is::One("Effect")),
    must("now", Is::Long),
    may("on_behalf_of", Is::One("User")),
    may("purpose", Is::Text),
    must("request_attested", Is::Bool),
    must("unrepresentable", Is::Bool),
];

const SESSION: &[Member] = &[
    must("agent_limit_1m", Is::Long),
    must("calls", Is::Long),
    must("calls_1m", Is::Long),
    must("cost_microusd", Is::Long),
    must("denials", Is::Long),
    must("in_flight", Is::Long),
    must("mode", Is::Text),
    must("tool_calls_1m", Is::Long),
    must("tool_limit_1m", Is::Long),
];

const LABELS: &[Member] = &[
    must("confidentiality", Is::Set("Confidentiality")),
    must("integrity", Is::One("Integrity")),
    must("sources", Is::Texts),
];

const ORIGIN: &[Member] = &[
    must("content", ORIGINS),
    must("critical", ORIGINS),
    must("free", ORIGINS),
    must("object", ORIGINS),
    must("target", ORIGINS),
];

const FINDINGS: &[Member] = &[must("kinds", Is::Set("FindingKind")), must("worst", Is::One("Severity"))];

const fn must(name: &'static str, is: Is) -> Member {
    Member { name, is, required: true }
}

const fn may(name: &'static str, is: Is) -> Member {
    Member { name, is, required: false }
}

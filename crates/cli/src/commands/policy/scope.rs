//! Whom and what a rule's scope reaches: the part before `when` and `unless`.
//!
//! For reading only. Deciding has its own index; where the two could differ, this one says that a rule reaches.

use cedar_policy::{ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint};
use govern::project::{Agent, Project, Server};
use policy::Rule;

/// The scope of one rule. `None`: its text is not in the project, and it may reach anything.
pub(super) struct Scope(Option<Policy>);

/// Something that can be called.
pub(super) struct Action<'a> {
    /// `desk/close_ticket`, `desk#resources/read`.
    pub id: &'a str,
    /// The groups it is in: `tools/call`, `risk/exec`.
    pub groups: Vec<&'a str>,
    /// Where it lives.
    pub server: &'a Server,
}

impl Scope {
    /// The scope of a rule of a project.
    pub(super) fn of(rule: &Rule, project: &Project) -> Self {
        Self(text(rule, project).and_then(|text| Policy::parse(None, text).ok()))
    }

    /// Whether the rule can speak about calls of an agent.
    pub(super) fn reaches_agent(&self, agent: &Agent) -> bool {
        let is_it = |uid: &EntityUid| is(uid, "Agent", agent.id.as_str());
        let holds = |uid: &EntityUid| {
            is_it(uid)
                || agent.team.as_deref().is_some_and(|team| is(uid, "Team", team))
                || agent.classes.iter().any(|class| is(uid, "AgentClass", class))
        };
        let of_type = |name: &EntityTypeName| name.to_string() == "Agent";
        match self.0.as_ref().map(Policy::principal_constraint) {
            None | Some(PrincipalConstraint::Any) => true,
            Some(PrincipalConstraint::Eq(uid)) => is_it(&uid),
            Some(PrincipalConstraint::In(uid)) => holds(&uid),
            Some(PrincipalConstraint::Is(name)) => of_type(&name),
            Some(PrincipalConstraint::IsIn(name, uid)) => of_type(&name) && holds(&uid),
        }
    }

    /// Whether the rule can speak about calls of an action.
    pub(super) fn reaches_action(&self, action: &Action<'_>) -> bool {
        let holds = |uid: &EntityUid| {
            is(uid, "Action", action.id) || action.groups.iter().any(|group| is(uid, "Action", group))
        };
        let by_action = match self.0.as_ref().map(Policy::action_constraint) {
            None | Some(ActionConstraint::Any) => true,
            Some(ActionConstraint::Eq(uid)) => is(&uid, "Action", action.id),
            Some(ActionConstraint::In(uids)) => uids.iter().any(holds),
        };
        by_action && self.reaches_server(action.server)
    }

    fn reaches_server(&self, server: &Server) -> bool {
        let is_it = |uid: &EntityUid| is(uid, "Server", server.id.as_str());
        let holds = |uid: &EntityUid| is_it(uid) || server.zone.as_deref().is_some_and(|zone| is(uid, "Zone", zone));
        let of_type = |name: &EntityTypeName| name.to_string() == "Server";
        match self.0.as_ref().map(Policy::resource_constraint) {
            None | Some(ResourceConstraint::Any) => true,
            Some(ResourceConstraint::Eq(uid)) => is_it(&uid),
            Some(ResourceConstraint::In(uid)) => holds(&uid),
            Some(ResourceConstraint::Is(name)) => of_type(&name),
            Some(ResourceConstraint::IsIn(name, uid)) => of_type(&name) && holds(&uid),
        }
    }
}

/// The rule as it is written, when it stands in a file of the project.
pub(super) fn text<'a>(rule: &Rule, project: &'a Project) -> Option<&'a str> {
    let place = rule.place.as_ref()?;
    let source = project.policies.iter().find(|source| source.file == place.file)?;
    source.text.get(rule.span.0..rule.span.1)
}

fn is(uid: &EntityUid, kind: &str, id: &str) -> bool {
    uid.type_name().to_string() == kind && uid.id().unescaped() == id
}

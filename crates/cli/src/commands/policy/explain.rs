//! `mortise policy explain`: who may use a tool, and which guards stand before it; or what one rule is.

use super::scope::{Action, Scope, text};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use gateway::process::Compiled;
use govern::inventory::Inventory;
use govern::names::nearest;
use govern::project::Project;
use policy::{Bundle, Rule, RuleKind, RuleMode};
use serde::Serialize;
use std::cmp::Reverse;
use vocab::id::{AgentId, ServerId};
use vocab::shown::{line, name};
use vocab::{Effect, Exit, Operation, Target, Verdict};

/// Explains a tool or a rule.
pub(super) fn run(output: &Output, compiled: &Compiled, subject: &str) -> Outcome {
    let (project, bundle) = (&*compiled.project, &*compiled.bundle);
    let callables = callables(project);
    if let Some(callable) = callables.iter().find(|callable| callable.id == subject) {
        let explained = explain_callable(project, bundle, callable);
        if output.is_human() {
            print_callable(output, &explained)
        } else {
            output.json(&explained)
        }
        return Ok(Exit::Ok);
    }
    if let Some(rule) = bundle.rules().find(|rule| rule.id.as_str() == subject) {
        let explained = explain_rule(project, rule, &callables);
        if output.is_human() {
            print_rule(output, &explained)
        } else {
            output.json(&explained)
        }
        return Ok(Exit::Ok);
    }
    let known =
        callables.iter().map(|callable| callable.id.as_str()).chain(bundle.rules().map(|rule| rule.id.as_str()));
    let near: Vec<String> = nearest(subject, known).iter().map(|name| format!("`{name}`")).collect();
    let help = match near.as_slice() {
        [] => "name a tool as `server/tool`, or a rule by its `@id`; tools are known once they are pinned".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Err(Failure::new(Exit::Nothing, format!("neither a pinned tool nor a rule is called `{subject}`")).with_help(help))
}

/// Something of a server that can be called, whether or not anybody may.
struct Callable {
    id: String,
    target: Target,
    effect: Option<Effect>,
}

fn callables(project: &Project) -> Vec<Callable> {
    let tools = project.tools().into_iter().map(|tool| Callable {
        id: tool.action(),
        target: Target { server: tool.server.clone(), operation: Operation::Tool(tool.name.clone()) },
        effect: Some(tool.effect),
    });
    let others = project.servers.keys().flat_map(|server| {
        Operation::FIXED.iter().map(|operation| {
            let target = Target { server: server.clone(), operation: operation.clone() };
            Callable { id: target.action(), target, effect: None }
        })
    });
    tools.chain(others).collect()
}

impl Callable {
    fn action<'a>(&'a self, project: &'a Project) -> Option<Action<'a>> {
        let server = project.servers.get(&self.target.server)?;
        let groups = match (self.effect, &self.target.operation) {
            (Some(effect), _) => vec!["tools/call", effect.group()],
            (None, operation) => {
                // As the generated schema files them.
                let effect = if *operation == Operation::GetPrompt { Effect::Read } else { Effect::EgressRead };
                vec![operation.suffix().trim_start_matches('#'), effect.group()]
            }
        };
        Some(Action { id: &self.id, groups, server })
    }
}

#[derive(Serialize)]
struct ExplainedCallable {
    action: String,
    server: ServerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'static str>,
    agents: Vec<AgentStanding>,
    /// Strictest first; the strictest that matches wins.
    guards: Vec<Shown>,
    /// Guards that come with Mortise; they speak about every tool.
    shipped: Vec<Shown>,
}

/// How an agent stands towards a tool.
#[derive(Serialize)]
struct AgentStanding {
    agent: AgentId,
    /// Its file lists the tool.
    declared: bool,
    /// Permit rules whose scope reaches it.
    permits: Vec<Shown>,
    /// Declared and reached by a permit rule that binds: allowed unless a condition or guard says otherwise.
    may: bool,
}

/// A rule in short.
#[derive(Clone, Serialize)]
struct Shown {
    id: String,
    decision: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shadow: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// Only for these agents; empty when it is for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only: Vec<AgentId>,
    #[serde(skip)]
    strictness: Verdict,
}

fn explain_callable(project: &Project, bundle: &Bundle, callable: &Callable) -> ExplainedCallable {
    let action = callable.action(project);
    let inventory = Inventory::of(project);
    let reaching: Vec<(&Rule, Scope)> = bundle
        .rules()
        .map(|rule| (rule, Scope::of(rule, project)))
        .filter(|(_, scope)| action.as_ref().is_some_and(|action| scope.reaches_action(action)))
        .collect();
    let permits = || reaching.iter().filter(|(rule, _)| rule.kind == RuleKind::Permit);
    let agents = project.agents.values().filter_map(|agent| {
        let declared = inventory.allows(&agent.id, &callable.target).is_ok();
        let rules: Vec<&Rule> =
            permits().filter(|(_, scope)| scope.reaches_agent(agent)).map(|(rule, _)| *rule).collect();
        let may = declared && rules.iter().any(|rule| rule.mode == RuleMode::Enforce);
        let permits: Vec<Shown> = rules.into_iter().map(|rule| Shown::of(rule, Vec::new())).collect();
        (declared || !permits.is_empty()).then(|| AgentStanding { agent: agent.id.clone(), declared, permits, may })
    });
    let mut guards: Vec<(bool, Shown)> = reaching
        .iter()
        .filter(|(rule, _)| rule.kind != RuleKind::Permit)
        .map(|(rule, scope)| {
            let reached: Vec<AgentId> = project
                .agents
                .values()
                .filter(|agent| scope.reaches_agent(agent))
                .map(|agent| agent.id.clone())
                .collect();
            let only = if reached.len() == project.agents.len() { Vec::new() } else { reached };
            (rule.shipped, Shown::of(rule, only))
        })
        .collect();
    guards.sort_by(|(_, a), (_, b)| (Reverse(a.strictness), &a.id).cmp(&(Reverse(b.strictness), &b.id)));
    let part = |shipped: bool| guards.iter().filter(|one| one.0 == shipped).map(|one| one.1.clone()).collect();
    ExplainedCallable {
        action: callable.id.clone(),
        server: callable.target.server.clone(),
        effect: callable.effect.map(Effect::as_str),
        agents: agents.collect(),
        guards: part(false),
        shipped: part(true),
    }
}

impl Shown {
    fn of(rule: &Rule, only: Vec<AgentId>) -> Self {
        Self {
            id: rule.id.to_string(),
            decision: rule.verdict().as_str(),
            shadow: rule.mode == RuleMode::Shadow,
            reason: rule.reason.as_deref().map(str::to_owned),
            place: rule.place.as_ref().map(|place| format!("{}:{}", place.file, place.line)),
            only,
            strictness: rule.verdict(),
        }
    }
}

fn print_callable(output: &Output, explained: &ExplainedCallable) {
    let effect = explained.effect.map(|effect| format!("  effect {effect}")).unwrap_or_default();
    output.line(format!("{}{effect}", output.bold(&name(&explained.action))));
    output.line("");
    output.line("who may use it");
    if explained.agents.is_empty() {
        output.line("  nobody: no agent declares it");
    }
    for standing in &explained.agents {
        let said = match (standing.declared, standing.permits.is_empty(), standing.may) {
            (false, ..) => "no: its file does not declare it, whatever the rules permit",
            (true, true, _) => "no: it declares it, but no permit rule reaches it",
            (true, false, false) => "no: the permit rules that reach it are in shadow",
            (true, false, true) => "yes, as far as these rules' conditions and the guards below allow",
        };
        output.line(format!("  {}  {said}", output.bold(standing.agent.as_str())));
        for permit in &standing.permits {
            output.line(format!("    {}{}", name(&permit.id), tail(output, permit)));
        }
    }
    output.line("");
    output.line("which guards stand before it, strictest first (the strictest that matches wins)");
    if explained.guards.is_empty() {
        output.line("  none of this project");
    }
    for guard in &explained.guards {
        print_guard(output, guard);
    }
    if !explained.shipped.is_empty() {
        output.line("");
        output.line("guards that come with Mortise");
        for guard in &explained.shipped {
            print_guard(output, guard);
        }
    }
}

fn print_guard(output: &Output, guard: &Shown) {
    output.line(format!("  {} {}{}", output.verdict(guard.strictness), name(&guard.id), tail(output, guard)));
    if let Some(reason) = &guard.reason {
        output.line(format!("           {}", line(reason)));
    }
    if !guard.only.is_empty() {
        let agents: Vec<&str> = guard.only.iter().map(AgentId::as_str).collect();
        output.line(format!("           only for {}", agents.join(", ")));
    }
}

fn tail(output: &Output, rule: &Shown) -> String {
    let shadow = if rule.shadow { "  (shadow: recorded, does not bind)" } else { "" };
    let place = rule.place.as_ref().map(|place| format!("  {}", output.dim(&line(place)))).unwrap_or_default();
    format!("{place}{shadow}")
}

#[derive(Serialize)]
struct ExplainedRule {
    #[serde(flatten)]
    rule: Shown,
    /// The rule as written; empty for one that comes with Mortise.
    text: String,
    obligations: vocab::Obligations,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncertain: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    agents: Vec<AgentId>,
    actions: Vec<String>,
}

fn explain_rule(project: &Project, rule: &Rule, callables: &[Callable]) -> ExplainedRule {
    let scope = Scope::of(rule, project);
    let reached = |callable: &&Callable| callable.action(project).is_some_and(|action| scope.reaches_action(&action));
    let agents = project.agents.values().filter(|agent| scope.reaches_agent(agent));
    ExplainedRule {
        rule: Shown::of(rule, Vec::new()),
        text: text(rule, project).unwrap_or_default().to_owned(),
        obligations: rule.obligations.clone(),
        uncertain: rule.uncertain.map(Verdict::as_str),
        owner: rule.owner.as_deref().map(str::to_owned),
        severity: rule.severity,
        agents: agents.map(|agent| agent.id.clone()).collect(),
        actions: callables.iter().filter(reached).map(|callable| callable.id.clone()).collect(),
    }
}

fn print_rule(output: &Output, explained: &ExplainedRule) {
    let rule = &explained.rule;
    output.line(format!("{} {}{}", output.verdict(rule.strictness), output.bold(&name(&rule.id)), tail(output, rule)));
    let agents: Vec<&str> = explained.agents.iter().map(AgentId::as_str).collect();
    let list = |items: &[&str]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let actions: Vec<&str> = explained.actions.iter().map(String::as_str).collect();
    let obligations = &explained.obligations;
    let words = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    let some = |text: String| (!text.is_empty()).then_some(text);
    let facts = [
        ("reason", rule.reason.clone()),
        ("approvers", some(words(&obligations.approvers))),
        ("quorum", obligations.quorum.map(|quorum| quorum.to_string())),
        ("redacts", some(words(&obligations.redact))),
        (
            "sandbox leaves",
            obligations
                .sandbox
                .as_ref()
                .map(words)
                .map(|left| if left.is_empty() { "nothing".to_owned() } else { left }),
        ),
        ("else", obligations.fallback.map(|verdict| verdict.as_str().to_owned())),
        ("if uncertain", explained.uncertain.map(str::to_owned)),
        ("severity", explained.severity.map(str::to_owned)),
        ("owner", explained.owner.clone()),
        ("agents", Some(list(&agents))),
        ("reaches", Some(list(&actions))),
    ];
    for (label, value) in facts {
        if let Some(value) = value {
            output.line(format!("  {label:<15} {}", line(&value)));
        }
    }
    if !explained.text.is_empty() {
        output.line("");
        explained.text.lines().for_each(|line| output.line(format!("  {line}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway::process::compile;
    use govern::project::Files;
    use std::path::Path;

    fn support_desk(change: impl FnOnce(&mut Files)) -> Compiled {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-desk");
        let mut files = Files::read(&root).unwrap();
        change(&mut files);
        compile(&files).unwrap()
    }

    fn explained(compiled: &Compiled, id: &str) -> ExplainedCallable {
        let callables = callables(&compiled.project);
        let callable = callables.iter().find(|callable| callable.id == id).unwrap();
        explain_callable(&compiled.project, &compiled.bundle, callable)
    }

    fn ids(shown: &[Shown]) -> Vec<&str> {
        shown.iter().map(|rule| rule.id.as_str()).collect()
    }

    #[test]
    fn guards_come_strictest_first_and_only_those_in_scope() {
        let compiled = support_desk(|_| {});
        let script = explained(&compiled, "desk/run_script");
        assert_eq!(
            ids(&script.guards),
            [
                "guards/pace",
                "guards/protected-namespaces",
                "guards/destructive-scripts",
                "guards/production-needs-a-person",
                "guards/rehearse-cache-purge",
            ]
        );
        assert_eq!(ids(&explained(&compiled, "desk/search_tickets").guards), ["guards/pace", "guards/closed-tickets"]);
        assert!(!script.shipped.is_empty());
        let [standing] = script.agents.as_slice() else { panic!() };
        assert!(standing.may && standing.declared);
        assert_eq!(ids(&standing.permits), ["roles/support/scripts"]);
    }

    #[test]
    fn resources_have_their_own_permit() {
        let read = explained(&support_desk(|_| {}), "desk#resources/read");
        assert_eq!(ids(&read.agents[0].permits), ["roles/support/handbook"]);
        assert!(read.guards.is_empty(), "tool guards do not reach it");
    }

    #[test]
    fn declared_is_not_permitted_nor_the_other_way_round() {
        let agent = "owner = \"o@example.com\"\npurpose = \"p\"\ntier = \"low\"\n";
        let compiled = support_desk(|files| {
            let declares = format!("{agent}tools = [\"desk/run_script\"]\n");
            files.texts.insert("mortise/agents/declares.toml".to_owned(), declares);
            files.texts.insert("mortise/agents/permitted.toml".to_owned(), format!("{agent}classes = [\"support\"]\n"));
            let own = "@id(\"own\")\nforbid (principal == Agent::\"declares\", action, resource);\n";
            files.texts.insert("mortise/policies/own.cedar".to_owned(), own.to_owned());
        });
        let script = explained(&compiled, "desk/run_script");
        let standing = |name: &str| script.agents.iter().find(|one| one.agent.as_str() == name).unwrap();
        assert!(standing("declares").declared && !standing("declares").may && standing("declares").permits.is_empty());
        assert!(!standing("permitted").declared && !standing("permitted").may);
        assert!(!standing("permitted").permits.is_empty());
        let own = script.guards.iter().find(|guard| guard.id == "own").unwrap();
        assert_eq!(own.only, [AgentId::new("declares")]);
    }

    #[test]
    fn a_shadow_permit_permits_nothing() {
        let compiled = support_desk(|files| {
            let roles = files.texts.get_mut("mortise/policies/roles/support.cedar").unwrap();
            *roles = roles.replace("@id(\"roles/support/mail\")", "@id(\"roles/support/mail\")\n@mode(\"shadow\")");
        });
        let mail = explained(&compiled, "mailer/send_mail");
        assert!(mail.agents[0].permits[0].shadow && !mail.agents[0].may);
    }

    #[test]
    fn a_rule_says_what_it_reaches() {
        let compiled = support_desk(|_| {});
        let find = |id: &str| compiled.bundle.rules().find(|rule| rule.id.as_str() == id).unwrap();
        let callables = callables(&compiled.project);
        let rule = explain_rule(&compiled.project, find("guards/destructive-scripts"), &callables);
        assert_eq!(rule.actions, ["desk/run_script"]);
        assert_eq!((rule.rule.decision, rule.uncertain, rule.obligations.quorum), ("ask", Some("deny"), Some(2)));
        assert!(rule.text.contains("drop_namespace") && rule.rule.place.unwrap().ends_with(".cedar:2"));
        assert!(find("shipped/agent-rate").shipped);
    }
}

//! A suite's names against the project: what only the project can know.
//!
//! A case whose names are wrong could pass for the wrong reason - an unknown tool is always refused, a rule that does
//! not exist never speaks - so they are errors.

use super::case::{Case, Located, Suite};
use enforce::Snapshot;
use enforce::preview::BuiltIn;
use govern::names::nearest;
use vocab::id::RuleId;
use vocab::{Diagnostic, Operation, Target};

/// Everything in a suite that names what the project does not have.
#[must_use]
pub fn check(suite: &Suite, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let mut checking = Checking { suite, snapshot, rules: rule_ids(snapshot), found: Vec::new() };
    checking.agent();
    for case in &suite.cases {
        checking.call(case);
        for rule in case.rule.iter().chain(&case.not_rule) {
            checking.rule(case, rule);
        }
    }
    checking.found
}

/// The ids of all rules that are written somewhere.
fn rule_ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.bundle.rules().map(|rule| rule.id.as_str()).collect()
}

struct Checking<'a> {
    suite: &'a Suite,
    snapshot: &'a Snapshot,
    rules: Vec<&'a str>,
    found: Vec<Diagnostic>,
}

impl Checking<'_> {
    fn agent(&mut self) {
        let agent = &self.suite.agent;
        if !self.snapshot.knows_agent(&agent.value) {
            let known = self.snapshot.project.agents.keys().map(vocab::id::AgentId::as_str);
            let near = nearest(agent.value.as_str(), known);
            let message = format!("there is no agent `{}`", agent.value);
            self.complain(agent, "tests/unknown-agent", message, "agents are files in `mortise/agents/`", near);
        }
    }

    /// The server and the tool exist, unless the case is about their absence and says so.
    fn call(&mut self, case: &Case) {
        let absence = BuiltIn::Inventory.id(&self.suite.agent.value, &case.target.value);
        if case.rule.as_ref().is_some_and(|rule| rule.value == absence) {
            return;
        }
        let Target { server, operation } = &case.target.value;
        let project = &self.snapshot.project;
        let meant = format!("for a case about what is not declared, add `rule: {absence}`");
        if !project.servers.contains_key(server) {
            let near = nearest(server.as_str(), project.servers.keys().map(vocab::id::ServerId::as_str));
            self.complain(&case.target, "tests/unknown-server", format!("there is no server `{server}`"), meant, near);
        } else if !matches!(operation, Operation::Tool(_)) {
        } else if !project.lock.servers.contains_key(server) {
            let message = format!("the tools of `{server}` are not pinned, so none of them can be called");
            self.complain(&case.target, "tests/not-pinned", message, "run `mortise lock`", Vec::new());
        } else if self.snapshot.tool(&case.target.value).is_none() {
            let action = case.target.value.action();
            let tools = project.tools();
            let known: Vec<String> = tools.iter().map(|tool| tool.action()).collect();
            let near = nearest(&action, known.iter().map(String::as_str));
            self.complain(&case.target, "tests/unknown-tool", format!("there is no tool `{action}`"), meant, near);
        }
    }

    fn rule(&mut self, case: &Case, rule: &Located<RuleId>) {
        let built_in = BuiltIn::ALL.map(|built_in| built_in.id(&self.suite.agent.value, &case.target.value));
        if self.rules.contains(&rule.value.as_str()) || built_in.contains(&rule.value) {
            return;
        }
        let known = self.rules.iter().copied().chain(built_in.iter().map(RuleId::as_str));
        let near = nearest(rule.value.as_str(), known);
        let help = "a rule is named by its `@id`";
        self.complain(rule, "tests/unknown-rule", format!("there is no rule `{}`", rule.value), help, near);
    }

    fn complain<T>(
        &mut self,
        at: &Located<T>,
        code: &'static str,
        message: String,
        help: impl Into<String>,
        near: Vec<String>,
    ) {
        let complaint = Diagnostic::error(code, &*self.suite.file, message).with_help(help).with_candidates(near);
        self.found.push(at.complain(complaint));
    }
}

//! The index finds what every kind of scope can reach. Random rules are compared in `algebra`.

use crate::fixture::{bundle, decide_as, rules};
use policy::Facts;
use serde_json::json;

#[test]
fn every_kind_of_scope_is_found_and_no_other() {
    let scopes = [
        ("any", "principal, action, resource", true),
        ("agent", "principal == Agent::\"support-bot\", action, resource", true),
        ("agent-in-itself", "principal in Agent::\"support-bot\", action, resource", true),
        ("other-agent", "principal == Agent::\"billing-bot\", action, resource", false),
        ("team", "principal in Team::\"support-platform\", action, resource", true),
        ("class", "principal in AgentClass::\"support\", action, resource", true),
        ("other-class", "principal in AgentClass::\"billing\", action, resource", false),
        ("type", "principal is Agent, action, resource is Server", true),
        (
            "type-in",
            "principal is Agent in Team::\"support-platform\", action, resource is Server in Zone::\"internal\"",
            true,
        ),
        ("tool", "principal, action == Action::\"desk/search\", resource", true),
        ("other-tool", "principal, action == Action::\"desk/run_script\", resource", false),
        ("effect", "principal, action in Action::\"risk/read\", resource", true),
        ("other-effect", "principal, action in Action::\"risk/exec\", resource", false),
        (
            "tools",
            "principal, action in [Action::\"bank/transfer\", Action::\"desk/search\", Action::\"risk/read\"], resource",
            true,
        ),
        ("server", "principal, action, resource == Server::\"desk\"", true),
        ("server-in-itself", "principal, action, resource in Server::\"desk\"", true),
        ("other-server", "principal, action, resource == Server::\"mail\"", false),
        ("zone", "principal, action, resource in Zone::\"internal\"", true),
    ];
    let text: String = scopes
        .iter()
        .map(|(id, scope, _)| format!("@id(\"{id}\") @decision(\"ask\") @reason(\"r\") forbid({scope});\n"))
        .collect();
    let bundle = bundle(&format!("{text}{}", crate::fixture::PERMIT_ALL));
    let decision = decide_as(&bundle, "support-bot", "desk/search", &json!({"query": "x"}), &Facts::default());
    let mut expected: Vec<&str> = scopes.iter().filter(|(_, _, found)| *found).map(|(id, _, _)| *id).collect();
    expected.sort_unstable();
    assert_eq!(rules(&decision), expected);
    for _ in 0..2 {
        let again =
            decide_as(&bundle, "billing-bot", "bank/transfer", &json!({"iban": "x", "cents": 1}), &Facts::default());
        assert_eq!(rules(&again), ["any", "other-agent", "other-class", "tools", "type"]);
    }
}

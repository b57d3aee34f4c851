//! Schemas of awkward tools: what policies see of them, and what they do not.

use crate::fixture::{bundle, server, shapes, source, tool};
use policy::{Bundle, Facts, Request, Shapes, compile};
use serde_json::{Value, json};
use std::sync::Arc;
use vocab::id::{AgentId, ServerId};
use vocab::{Authn, Effect, Verdict};

/// A project with one tool, `x/odd`.
fn with_tool(name: &str, schema: Value) -> Shapes {
    let mut shapes = shapes();
    shapes.servers = vec![server("x")];
    shapes.tools = vec![Arc::new(tool("x", name, Effect::Exec, schema, &[]))];
    shapes
}

fn compiled(schema: Value, policies: &str) -> Bundle {
    let compilation = compile(&[source("a.cedar", policies)], &with_tool("odd", schema));
    let said: Vec<String> = compilation.diagnostics.iter().map(ToString::to_string).collect();
    compilation.bundle.unwrap_or_else(|| panic!("{}", said.join("\n")))
}

/// Whether a guard with this condition matches a call with these arguments.
fn matches(schema: &Value, condition: &str, arguments: &Value) -> bool {
    let policies = format!(
        "@id(\"p\") permit(principal, action, resource);\n@id(\"g\") forbid(principal, action == Action::\"x/odd\", resource) when {{ {condition} }};"
    );
    let bundle = compiled(schema.clone(), &policies);
    let request = Request {
        agent: &AgentId::new("support-bot"),
        authn: Authn::Local,
        action: "x/odd",
        server: &ServerId::new("x"),
        arguments,
        facts: &Facts::default(),
    };
    let decision = bundle.decide(&request);
    assert!(decision.faults.is_empty(), "{:?}", decision.faults);
    assert_eq!(decision.verdict == Verdict::Deny, !decision.reasons.is_empty());
    decision.reasons.iter().any(|reason| reason.rule.as_str() == "g")
}

fn invisible(schema: Value) -> Vec<(String, bool, String)> {
    let bundle = compiled(schema, "");
    bundle
        .invisible()
        .flat_map(|(action, list)| {
            assert_eq!(action, "x/odd");
            list.iter().map(|hidden| (hidden.path.clone(), hidden.required, hidden.why.clone())).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn hyphens_and_keywords_in_names() {
    let schema = json!({"type": "object", "properties": {
        "dry-run": {"type": "boolean"}, "if": {"type": "string"}, "in": {"type": "integer"}, "__cedar": {"type": "string"},
        "a \"quoted\" \\ name": {"type": "string"}, "größe": {"type": "string"}, "": {"type": "boolean"}}});
    let call = json!({"dry-run": true, "if": "x", "in": 3, "__cedar": "y", "a \"quoted\" \\ name": "z", "größe": "w", "": true});
    for condition in [
        "context.args has \"dry-run\" && context.args[\"dry-run\"]",
        "context.args has \"if\" && context.args[\"if\"] == \"x\"",
        "context.args has \"in\" && context.args[\"in\"] == 3",
        "context.args has \"__cedar\"",
        "context.args has \"a \\\"quoted\\\" \\\\ name\"",
        "context.args has \"größe\" && context.args[\"größe\"] == \"w\"",
        "context.derived has \"if\" && context.derived[\"if\"].bytes == 1",
    ] {
        assert!(matches(&schema, condition, &call), "{condition}");
    }
    for name in ["get-sum", "if", "permit", "tools/list", "a\"b\\c", "ünïcode", "#sampling"] {
        let text = "@id(\"p\") permit(principal, action, resource);";
        let compilation = compile(&[source("a.cedar", text)], &with_tool(name, schema.clone()));
        assert!(compilation.bundle.is_some(), "{name}: {:?}", compilation.diagnostics);
    }
}

#[test]
fn references_are_followed_but_not_around_in_circles() {
    let schema = json!({"type": "object", "required": ["a"], "properties": {
            "a": {"$ref": "#/$defs/A", "description": "x"}, "b": {"$ref": "#/definitions/B"}, "tree": {"$ref": "#/$defs/Tree"},
            "far": {"$ref": "https://example.com/x.json"}},
        "$defs": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
            "Tree": {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/Tree"}}}},
        "definitions": {"B": {"type": "string"}}});
    assert!(matches(
        &schema,
        "context.args.a.n > 1 && context.args has b && context.args.b == \"x\"",
        &json!({"a": {"n": 2}, "b": "x"})
    ));
    assert!(matches(
        &schema,
        "context.args has tree && context.args.tree has name",
        &json!({"a": {"n": 2}, "tree": {"name": "r", "next": {}}})
    ));
    assert_eq!(
        invisible(schema),
        [
            ("far".to_owned(), false, "a reference out of the document".to_owned()),
            ("tree.next".to_owned(), false, "refers to itself".to_owned()),
        ]
    );
}

#[test]
fn null_makes_an_argument_optional() {
    let schema = json!({"type": "object", "required": ["a", "b", "c", "d"], "properties": {
        "a": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "b": {"type": ["integer", "null"]},
        "c": {"oneOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"type": "boolean"}}}]},
        "d": {"enum": ["r", "w", null]}}});
    let all = "context.args has a && context.args has b && context.args has c && context.args has d";
    assert!(matches(&schema, all, &json!({"a": "x", "b": 1, "c": {}, "d": "r"})));
    assert!(matches(&schema, &format!("!({all})"), &json!({"a": null, "b": null, "c": null, "d": null})));
}

#[test]
fn nested_objects_and_lists() {
    let schema = json!({"type": "object", "required": ["filter", "tags", "items"], "properties": {
        "filter": {"type": "object", "required": ["deep"], "properties": {"deep": {"type": "object", "properties": {"x": {"type": "string"}}}}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "items": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}},
        "ids": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}},
        "level": {"enum": ["low", "high"]}, "kind": {"const": "fixed"}, "step": {"type": "number", "multipleOf": 1}}});
    let call = json!({"filter": {"deep": {"x": "y"}}, "tags": ["a", "b", "a"], "items": [{"id": 1}, {"id": 2, "note": "n"}], "ids": [{"id": 1}], "level": "high", "kind": "fixed", "step": 2});
    for condition in [
        "context.args.filter.deep has x && context.args.filter.deep.x == \"y\"",
        "context.args.tags.contains(\"b\")",
        "context.args has ids && context.args.ids.contains({id: 1})",
        "!context.args.items.isEmpty()",
        "context.args has level && context.args.level == \"high\"",
        "context.args has step && context.args.step == 2",
        "context.arg_origin.tags.contains(Origin::\"nowhere\")",
        "context.arg_origin.level == [Origin::\"nowhere\"]",
    ] {
        assert!(matches(&schema, condition, &call), "{condition}");
    }
}

#[test]
fn parts_of_one_object_are_put_together() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "wrapped": {"allOf": [{"$ref": "#/$defs/L"}], "description": "x"}},
        "allOf": [{"properties": {"b": {"type": "integer"}}, "required": ["b"]}, {"required": ["a"]}],
        "anyOf": [{"properties": {"only_here": {"type": "string"}}}, {"required": ["a"]}],
        "$defs": {"L": {"enum": ["x", "y"]}}});
    assert!(matches(
        &schema,
        "context.args.a == \"x\" && context.args.b == 1",
        &json!({"a": "x", "b": 1, "wrapped": "x"})
    ));
    assert_eq!(invisible(schema), [("only_here".to_owned(), false, "present in one alternative only".to_owned())]);
    let torn = json!({"type": "object", "properties": {"o": {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "integer"}}}]}}});
    assert_eq!(invisible(torn)[0].2, "parts that contradict each other");
}

#[test]
fn what_cedar_cannot_express_is_listed_and_does_not_count_as_unrepresentable() {
    let schema = json!({"type": "object", "required": ["n"], "properties": {
        "n": {"type": "number"}, "any": {}, "yes": true, "u": {"type": ["string", "integer"]}, "m": {"type": "object"},
        "h": {"type": "object", "additionalProperties": {"type": "string"}}, "l": {"type": "array"}, "t": {"type": "array", "prefixItems": []},
        "ln": {"type": "array", "items": {"type": ["string", "null"]}}, "alt": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "nil": {"type": "null"}, "mixed": {"enum": ["a", 1]}}});
    let hidden = invisible(schema.clone());
    assert_eq!(hidden.len(), 12);
    assert_eq!(hidden.iter().filter(|hidden| hidden.1).map(|hidden| hidden.0.as_str()).collect::<Vec<_>>(), ["n"]);
    let call = json!({"n": 1.5, "any": 1, "yes": [], "u": 1, "m": {"k": 1}, "h": {}, "l": [1], "t": [], "ln": [null], "alt": 1, "nil": null, "mixed": 1});
    assert!(matches(&schema, "!context.call.unrepresentable && context.arg_origin.n == [Origin::\"nowhere\"]", &call));
    assert!(matches(&schema, "context.call.unrepresentable", &json!({"n": 1, "extra": 1})));
}

#[test]
fn odd_roots_give_no_arguments() {
    for (schema, hides) in [
        (json!({"type": "object"}), false),
        (json!({}), false),
        (json!(true), true),
        (json!({"type": "string"}), true),
        (json!({"type": "object", "additionalProperties": true}), true),
        (json!({"anyOf": [{"type": "object", "properties": {}}, {"type": "string"}]}), true),
    ] {
        assert_eq!(!invisible(schema.clone()).is_empty(), hides, "{schema}");
        assert!(matches(&schema, "!context.call.unrepresentable", &json!({})));
        assert!(matches(&schema, "context.call.unrepresentable", &json!({"a": 1})));
    }
}

#[test]
fn limits_on_depth_and_number_hold_at_their_edges() {
    let nested = |levels: usize| {
        let inner = (1..levels)
            .fold(json!({"type": "string"}), |inner, _| json!({"type": "object", "properties": {"d": inner}}));
        json!({"type": "object", "properties": {"d": inner}})
    };
    assert!(invisible(nested(8)).is_empty());
    assert_eq!(invisible(nested(9))[0].2, "nested deeper than 8 levels");
    let wide = |number: usize| {
        let properties: serde_json::Map<String, Value> =
            (0..number).map(|n| (format!("p{n}"), json!({"type": "boolean"}))).collect();
        json!({"type": "object", "properties": properties})
    };
    assert!(invisible(wide(500)).is_empty());
    assert_eq!(invisible(wide(501)).len(), 1);
    // Each level refers twice to the next: unfolded it would have two to the power of 30 attributes.
    let levels: serde_json::Map<String, Value> = (0..30)
        .map(|n| (format!("L{n}"), json!({"type": "object", "properties": {"a": {"$ref": format!("#/$defs/L{}", n + 1)}, "b": {"$ref": format!("#/$defs/L{}", n + 1)}}})))
        .collect();
    assert!(
        !invisible(json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/L0"}}, "$defs": levels})).is_empty()
    );
}

#[test]
fn the_text_for_editors_is_the_schema_and_is_stable() {
    let bundle = bundle("");
    let text = bundle.schema_text();
    assert_eq!(text, self::bundle("").schema_text());
    let (schema, _) = cedar_policy::Schema::from_cedarschema_str(text).unwrap();
    let actions = schema.actions().count();
    // Five tools, five fixed operations on each of three servers, the inert one, and twelve groups.
    assert_eq!(actions, 5 + 15 + 1 + 12);
    assert!(text.contains("\"dry-run\"?: Bool"), "{text}");
}

fn bundle_digest(shapes: &Shapes, text: &str) -> String {
    compile(&[source("a.cedar", text)], shapes).bundle.unwrap().digest().to_string()
}

#[test]
fn the_digest_covers_what_can_change_a_decision_and_nothing_else() {
    let text = "@id(\"p\") permit(principal, action, resource);";
    let base = bundle_digest(&shapes(), text);
    assert_eq!(base, bundle_digest(&shapes(), &format!("// word\n{}", text.replace(", ", ",  "))));
    assert_ne!(
        base,
        bundle_digest(
            &shapes(),
            &format!("{text} @id(\"g\") forbid(principal, action, resource) when {{ context.session.calls > 5 }};")
        )
    );
    let mut other = shapes();
    other.agents[0].mode = vocab::Mode::Observe;
    assert_ne!(base, bundle_digest(&other, text));
    let mut other = shapes();
    other.servers[0].trust = 51;
    assert_ne!(base, bundle_digest(&other, text));
    let mut other = shapes();
    let mut tool = (*other.tools[0]).clone();
    tool.arguments.clear();
    other.tools[0] = Arc::new(tool);
    assert_ne!(base, bundle_digest(&other, text));
}

/// `tools/call` and `risk/money` are groups. A tool of that name would be in itself.
#[test]
fn a_tool_named_like_a_group_does_not_load() {
    for (of, name) in [("tools", "call"), ("risk", "money")] {
        let mut shapes = shapes();
        shapes.servers.push(server(of));
        let schema = json!({"type": "object", "properties": {}});
        shapes.tools.push(tool(of, name, Effect::Money, schema, &[]).into());
        for rule in ["", "@id(\"p\") permit(principal, action == Action::\"ACTION\", resource);"] {
            let rule = rule.replace("ACTION", &format!("{of}/{name}"));
            let compilation = compile(&[source("a.cedar", &rule)], &shapes);
            assert!(compilation.bundle.is_none(), "{of}/{name}");
        }
    }
}

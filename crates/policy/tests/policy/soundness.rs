//! What was found sound is not checked again, and nothing else passes for it.

use crate::fixture::{PERMIT_ALL, decide, shapes, source};
use policy::{Facts, Shapes, Source, compile, compile_known};
use serde_json::json;
use std::sync::Arc;
use vocab::id::Digest;

fn soundness(sources: &[Source], shapes: &Shapes) -> Digest {
    compile(sources, shapes).bundle.unwrap().soundness().unwrap().clone()
}

#[test]
fn a_known_set_decides_as_the_checked_one() {
    let sources = [source("a.cedar", PERMIT_ALL)];
    let checked = compile(&sources, &shapes()).bundle.unwrap();
    let known = compile_known(&sources, &shapes(), &|found| Some(found) == checked.soundness());
    assert!(known.diagnostics.is_empty(), "{:?}", known.diagnostics);
    let known = known.bundle.unwrap();
    assert_eq!((known.digest(), known.soundness()), (checked.digest(), checked.soundness()));
    assert_eq!(known.schema_text(), checked.schema_text());
    let arguments = json!({"query": "x"});
    let decisions = [&checked, &known].map(|bundle| decide(bundle, "desk/search", &arguments, &Facts::default()));
    assert_eq!(decisions[0], decisions[1]);
}

/// The strict validation is what is left out: without it this rule would load. Any other digest brings it back.
#[test]
fn a_set_that_is_not_known_is_validated() {
    let sources = [source("a.cedar", "@id(\"g\") forbid(principal, action, resource) when { context.nothing };")];
    let mut asked = Vec::new();
    let refused = {
        let asked = std::sync::Mutex::new(&mut asked);
        compile_known(&sources, &shapes(), &|found| {
            asked.lock().unwrap().push(found.clone());
            false
        })
    };
    assert!(refused.bundle.is_none());
    assert_eq!(refused.diagnostics[0].code, "policy/invalid");
    assert_eq!(asked.len(), 1);
    assert!(compile_known(&sources, &shapes(), &|found| *found == asked[0]).bundle.is_some());
    let other = Digest::new("sha256:00");
    assert!(compile_known(&sources, &shapes(), &|found| *found == other).bundle.is_none());
}

/// What costs little is done each time, whatever is remembered.
#[test]
fn the_other_checks_are_never_left_out() {
    for (rule, code) in [
        ("@id(\"g\") forbid(principal == Agent::\"nobody-we-know\", action, resource);", "policy/unknown-name"),
        ("@id(\"g\") forbid(principal, action, resource) when { context.session.calls + 1 > 1 };", "policy/arithmetic"),
        ("@id(\"g\") @decison(\"ask\") forbid(principal, action, resource);", "policy/unknown-annotation"),
        ("forbid(principal, action, resource);", "policy/no-id"),
        ("forbid(", "policy/syntax"),
    ] {
        let compiled = compile_known(&[source("a.cedar", rule)], &shapes(), &|_| true);
        assert!(compiled.bundle.is_none(), "{rule}");
        assert_eq!(compiled.diagnostics[0].code, code, "{rule}");
    }
    let mut twice = shapes();
    twice.agents.push(twice.agents[0].clone());
    assert!(compile_known(&[], &twice, &|_| true).bundle.is_none());
}

#[test]
fn whatever_the_checks_read_changes_the_digest() {
    let sources = [source("a.cedar", PERMIT_ALL)];
    let plain = soundness(&sources, &shapes());
    assert_eq!(soundness(&sources, &shapes()), plain);
    let comment = [source("a.cedar", &format!("{PERMIT_ALL}// x\n"))];
    let renamed = [source("b.cedar", PERMIT_ALL)];
    let split = [source("a.cedar", PERMIT_ALL), source("b.cedar", "")];
    let mut found =
        vec![plain, soundness(&comment, &shapes()), soundness(&renamed, &shapes()), soundness(&split, &shapes())];
    let changes: [fn(&mut Shapes); 7] = [
        |shapes| shapes.agents[0].classes.push("more".into()),
        |shapes| shapes.agents[0].team = None,
        |shapes| shapes.servers[0].zone = Some("elsewhere".into()),
        |shapes| shapes.users.push("somebody".into()),
        |shapes| drop(shapes.tools.pop()),
        |shapes| {
            let tool = Arc::make_mut(&mut shapes.tools[0]);
            tool.input_schema = Arc::new(json!({"type": "object", "properties": {"query": {"type": "integer"}}}));
        },
        |shapes| Arc::make_mut(&mut shapes.tools[0]).effect = vocab::Effect::Money,
    ];
    for change in changes {
        let mut shapes = shapes();
        change(&mut shapes);
        found.push(soundness(&sources, &shapes));
    }
    let number = found.len();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), number);
}

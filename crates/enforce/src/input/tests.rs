use super::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, json};
use vocab::id::{AgentId, ApprovalId, CallId, Digest, RuleId, RunId, ServerId, SessionId, Tenant, ToolName, UserId};
use vocab::{Authn, Confidentiality, Integrity, Mode, Origin, Tier};

fn arguments() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300_f64..1e300).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-z]{0,4}", inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    btree_map(".{0,6}", value, 0..4).prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

prop_compose! {
    fn called()(
        texts in vec(".{0,12}", 6), parents in vec("[a-z]{1,4}", 0..3), user in option::of(".{1,6}"),
        authn in select(Authn::ALL), run in option::of("[0-9]{1,4}"), purpose in option::of(".{0,20}"),
        confidence in option::of(0_u8..=100), received_us in 0_i64..1 << 53, arguments in arguments(),
        tool in option::of("[#/a-z]{1,8}"), fixed in 0_usize..5,
    ) -> Called {
        Called {
            id: CallId::new(texts[0].as_str()), tenant: Tenant::new(texts[1].as_str()),
            agent: AgentId::new(texts[2].as_str()), parents: parents.into_iter().map(AgentId::new).collect(),
            user: user.map(UserId::new), authn, session: SessionId::new(texts[3].as_str()),
            run: run.map(RunId::new), server: ServerId::new(texts[4].as_str()),
            operation: tool.is_none().then(|| vocab::Operation::FIXED[fixed].suffix().to_owned()),
            tool: tool.map(ToolName::new), arguments, purpose, confidence, received_us,
        }
    }
}

prop_compose! {
    fn state()(
        counts in vec(0_i64..1 << 53, 8), limits in (option::of(0_i64..1 << 53), option::of(0_i64..1 << 53)),
        mode in select(Mode::ALL), tier in option::of(select(Tier::ALL)), flags in any::<[bool; 2]>(),
        integrity in select(Integrity::ALL), confidentiality in btree_set(select(Confidentiality::ALL), 0..3),
        sources in btree_set(".{0,5}", 0..3),
    ) -> State {
        State {
            now_s: counts[0], calls: counts[1], denials: counts[2], cost_microusd: counts[3], in_flight: counts[4],
            calls_1m: counts[5], tool_calls_1m: counts[6], validation_failures: counts[7], agent_limit_1m: limits.0,
            tool_limit_1m: limits.1, mode, tier, uncertain: flags[0], request_attested: flags[1], integrity,
            confidentiality, sources,
        }
    }
}

prop_compose! {
    fn derived()(
        destination in option::of(".{0,8}"), origins in btree_map("[a-z]{1,4}", btree_set(select(Origin::ALL), 1..3), 0..3),
        sets in vec(btree_set(".{0,6}", 0..3), 4), worst in option::of(select(policy::SEVERITIES)),
        kinds in btree_set(select(policy::FINDING_KINDS), 0..3),
    ) -> Derived {
        let mut sets = sets.into_iter();
        let mut next = || sets.next().unwrap();
        Derived {
            destination, origins, hosts: next(), paths: next(), sql_classes: next(), commands: next(),
            worst: worst.map(str::to_owned), kinds: kinds.into_iter().map(str::to_owned).collect(),
        }
    }
}

fn live() -> impl Strategy<Value = Option<LiveThen>> {
    let one = prop_oneof![
        "[0-9a-f]{4}".prop_map(|hex| LiveThen::Definition(Digest::new(hex))),
        Just(LiveThen::Unpinned),
        Just(LiveThen::Absent)
    ];
    option::of(one)
}

prop_compose! {
    fn seen()(
        live in live(), twin in live(), protected in option::of(any::<bool>()), late in any::<[Option<u32>; 2]>(),
        approved in option::of("[a-z]{1,4}"), terms in option::of(btree_set("[a-z.]{1,8}", 0..3)), arguments in arguments(),
        not_asked in option::of(select(vec![
            NotAsked::RefusedBefore, NotAsked::TooManyOpen, NotAsked::TooMany, NotAsked::NotKept,
        ])),
    ) -> Seen {
        Seen {
            live, twin, protected, not_asked, late_us: late[0].map(u64::from), late_again_us: late[1].map(u64::from),
            approved: approved.map(|id| AskedBefore { id: ApprovalId::new(id), definition: Digest::new("sha256:0") }),
            redacted: terms.map(|terms| Redacted { terms, arguments }),
        }
    }
}

prop_compose! {
    fn inputs()(
        call in called(), state in state(), derived in derived(), seen in seen(), rules in vec("[a-z/]{1,6}", 0..3),
        fulfilled in btree_set("[a-z.:]{1,8}", 0..3),
    ) -> DecisionInput {
        let discharge = |rule: String| {
            DischargedThen { rule: RuleId::new(rule), text: Digest::new("sha256:1"), by: ApprovalId::new("ap-1") }
        };
        let discharges = rules.into_iter().map(discharge).collect();
        DecisionInput { v: INPUT_VERSION, call, state, derived, discharges, fulfilled, seen }
    }
}

fn sample() -> DecisionInput {
    let text = json!({
        "v": 1,
        "call": {
            "id": "c", "tenant": "default", "agent": "bot", "authn": "local", "session": "s", "server": "desk",
            "tool": "close", "arguments": {"id": "T-1"}, "received_us": 5,
        },
        "state": {
            "now_s": 5, "calls": 1, "denials": 0, "cost_microusd": 0, "in_flight": 0, "calls_1m": 1, "tool_calls_1m": 0,
            "validation_failures": 0, "mode": "enforce", "uncertain": false, "request_attested": false,
            "integrity": "system", "confidentiality": [], "sources": [],
        },
    });
    DecisionInput::from_bytes(&canon::json::canonical(&text)).unwrap()
}

/// Written again from a value with something changed.
fn changed(change: impl FnOnce(&mut Value)) -> Result<DecisionInput, InputError> {
    let mut value: Value = serde_json::from_slice(&sample().to_bytes()).unwrap();
    change(&mut value);
    DecisionInput::from_bytes(&canon::json::canonical(&value))
}

#[test]
fn only_whole_documents_of_this_version_are_read() {
    assert!(changed(|_| ()).is_ok());
    assert_eq!(changed(|value| value["v"] = json!(2)), Err(InputError::Version));
    assert_eq!(changed(|value| value["extra"] = json!(1)), Err(InputError::Members));
    assert_eq!(changed(|value| value["call"]["extra"] = json!(1)), Err(InputError::Members));
    assert_eq!(changed(|value| value["call"]["arguments"] = json!([])), Err(InputError::Word));
    assert_eq!(changed(|value| value["call"]["operation"] = json!("#roots")), Err(InputError::Word));
    assert_eq!(changed(|value| value["state"]["mode"] = json!("lenient")), Err(InputError::Members));
    assert_eq!(changed(|value| value["derived"] = json!({"worst": "dire"})), Err(InputError::Word));
    let mut spaced = sample().to_bytes();
    spaced.insert(1, b' ');
    assert_eq!(DecisionInput::from_bytes(&spaced), Err(InputError::Form));
    assert_eq!(DecisionInput::from_bytes(&vec![b' '; MAX_INPUT_BYTES + 1]), Err(InputError::TooLong));
}

proptest! {
    #[test]
    fn what_is_written_is_read(input in inputs()) {
        let bytes = input.to_bytes();
        let read = DecisionInput::from_bytes(&bytes);
        // `1.0` and `1` are one number, with one text.
        prop_assert_eq!(read.as_ref().map(DecisionInput::to_bytes), Ok(bytes));
        let mut read = read.unwrap();
        read.call.arguments.clone_from(&input.call.arguments);
        if let (Some(read), Some(written)) = (&mut read.seen.redacted, &input.seen.redacted) {
            read.arguments.clone_from(&written.arguments);
        }
        prop_assert_eq!(read, input);
    }

    #[test]
    fn facts_come_back_as_they_were(input in inputs()) {
        let facts = input.facts();
        let failures = u64::try_from(input.state.validation_failures).unwrap();
        prop_assert_eq!(State::of(&facts, failures, input.state.tier), input.state);
        let none = input.derived.worst.as_deref() == Some("none");
        let derived = Derived { worst: if none { None } else { input.derived.worst.clone() }, ..input.derived.clone() };
        prop_assert_eq!(Derived::of(&facts), derived);
        prop_assert_eq!(facts.fulfilled, input.fulfilled);
    }

    #[test]
    fn no_bytes_make_it_panic(noise in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let _ = DecisionInput::from_bytes(&noise);
        let mut bytes = sample().to_bytes();
        let end = cut.index(bytes.len()) + 1;
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if let Ok(read) = DecisionInput::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes.clone());
        }
        let _ = DecisionInput::from_bytes(&bytes[..end]);
    }
}

//! Calls taken through the pipeline, then decided again from what was kept of them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a fixture that breaks is a failed test"
)]

#[path = "../lab/fixture.rs"]
#[expect(dead_code, reason = "shared with the tests of suites, which use other parts of it")]
mod fixture;
mod kept;
mod past;

use enforce::input::RecordedFacts;
use enforce::{DecisionInput, Inputs, Kept, Snapshot};
use lab::replay::{Aim, Difference, Replay, Report, Selection};
use past::Past;
use std::collections::BTreeSet;
use vocab::event::{Event, Kind, Payload};
use vocab::{Fault, Verdict};

const CALLS: usize = 400;

fn replay(events: &[(u64, Event<'_>)], snapshot: &Snapshot, aim: Aim, inputs: &dyn Inputs, past: &Past) -> Report {
    let hash = |bytes: &[u8]| past.hasher.hash(bytes);
    let selection = Selection { since_us: None, agent: None, examples: 1_000 };
    let mut replay = Replay::new(snapshot, &|_| None, aim, selection, inputs, Some(&hash));
    events.iter().for_each(|(index, event)| replay.take(*index, event));
    replay.finish()
}

fn said(report: &Report) -> String {
    lab::replay::human(report, Aim::Same, &|t| t.to_string(), &|_, text| text.to_owned())
}

async fn served(dir: &std::path::Path) -> Past {
    let past = Past::begin(dir, true);
    past.serve(CALLS).await;
    past
}

#[tokio::test]
async fn under_the_policies_that_decided_every_call_comes_out_as_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let past = served(dir.path()).await;
    let decisions = past.decisions();
    let report = replay(&past.events(), &past.pipeline.snapshot(), Aim::Same, &*past.folder, &past);
    let count = u64::try_from(decisions.len()).unwrap();
    assert_eq!((report.summary.exact, report.summary.decisions), (count, count), "{}", said(&report));
    assert_eq!((report.summary.differences, report.summary.not_replayable), (0, 0), "{}", said(&report));

    // That is worth something only if all kinds of answers are among them.
    let verdicts: BTreeSet<Verdict> = decisions.iter().filter_map(|(_, event)| event.decision).collect();
    assert_eq!(verdicts.len(), Verdict::ALL.len(), "{verdicts:?}");
    let rules: BTreeSet<String> = decisions
        .iter()
        .flat_map(|(_, event)| event.reasons.iter().map(|reason| reason.rule.to_string()).collect::<Vec<_>>())
        .collect();
    for rule in [
        "inventory/bot",
        "inventory/mouse",
        "pin/desk/run",
        "schema/desk/close",
        "builtin/protected-files",
        "sandbox/twin",
        "shipped/uncertain",
        "shipped/agent-rate",
        "guards/notes",
        "guards/nowhere",
        "approval/too-many-open",
    ] {
        assert!(rules.contains(rule), "`{rule}` is not among {rules:?}");
    }
    let has = |what: &dyn Fn(&Event<'_>) -> bool| decisions.iter().any(|(_, event)| what(event));
    assert!(has(&|event| event.reasons.iter().any(|reason| reason.discharged_by.is_some())), "no approved call");
    assert!(has(&|event| !event.redactions.is_empty()), "no redaction");
    assert!(has(&|event| !event.would.is_empty()), "no shadow rule");
}

#[tokio::test]
async fn another_rule_changes_exactly_the_calls_it_is_about() {
    let dir = tempfile::tempdir().unwrap();
    let past = served(dir.path()).await;
    let mut files = past.files.clone();
    let policies = files.texts.get_mut("mortise/policies/a.cedar").unwrap();
    *policies = policies.replace("context.args.id == \"T-9\"", "context.args.id == \"T-3\"");
    let other = fixture::snapshot_of(&files);
    let events = past.events();
    let report = replay(&events, &other, Aim::Others, &*past.folder, &past);
    let found: BTreeSet<u64> =
        report.groups.iter().flat_map(|group| group.examples.iter().map(|example| example.index)).collect();

    // Of what reached the policies, exactly those of the two tickets.
    let is_about = |event: &Event<'_>| {
        let Kept::Whole(bytes) = past.folder.input(&event.payloads[0], event.t) else { panic!("it is kept") };
        let input = DecisionInput::from_bytes(&bytes).unwrap();
        let id = input.call.arguments.get("id").and_then(|id| id.as_str().map(ToOwned::to_owned));
        let reached = !event
            .reasons
            .iter()
            .any(|reason| reason.rule.as_str().contains("inventory") || reason.rule.as_str().starts_with("pin/"));
        reached && matches!(id.as_deref(), Some("T-9" | "T-3"))
    };
    let expected: BTreeSet<u64> =
        past.decisions().iter().filter(|(_, event)| is_about(event)).map(|(index, _)| *index).collect();
    assert!(expected.len() > 4, "{expected:?}");
    assert_eq!(found, expected, "{}", said(&report));
    // Some of them are denied by one ticket's guard instead of the other's: nothing would be done otherwise.
    let same = |found: &Difference| found.then.verdict == found.now.verdict;
    let examples = report.groups.iter().flat_map(|group| &group.examples);
    let (others, changed): (Vec<_>, Vec<_>) = examples.partition(|found| same(found));
    assert!(!others.is_empty() && !changed.is_empty(), "{}", said(&report));
    let counted = [changed.len(), others.len()].map(|count| u64::try_from(count).unwrap());
    assert_eq!([report.summary.differences, report.summary.other_reasons], counted, "{}", said(&report));
    let first_same = report.groups.iter().position(|group| group.from == group.to).unwrap();
    assert!(report.groups[first_same..].iter().all(|group| group.from == group.to), "{}", said(&report));
    assert!(report.groups.iter().all(|group| group.rule == "guards/never"), "{}", said(&report));
    let none = replay(&events, &past.pipeline.snapshot(), Aim::Others, &*past.folder, &past);
    assert_eq!(none.summary.differences, 0, "the same policies, as others: {}", said(&none));
}

#[tokio::test]
async fn under_another_bundle_nothing_is_claimed() {
    let dir = tempfile::tempdir().unwrap();
    let past = Past::begin(dir.path(), true);
    past.serve(12).await;
    let mut files = past.files.clone();
    files.texts.get_mut("mortise/policies/a.cedar").unwrap().push_str("@id(\"more\") forbid(principal, action == Action::\"desk/run\", resource) when { context.args.script == \"x\" };");
    let other = fixture::snapshot_of(&files);
    let report = replay(&past.events(), &other, Aim::Same, &*past.folder, &past);
    assert_eq!(report.summary.not_replayable, report.summary.decisions);
    assert!(report.not_replayable.keys().all(|why| why.contains("another bundle")), "{:?}", report.not_replayable);
}

/// Calls under one configuration, then under a second with other policies, then under a third that only declares more: each
/// is decided again by the one that decided, and by no other.
#[tokio::test]
async fn each_call_is_decided_again_by_the_configuration_that_decided() {
    let dir = tempfile::tempdir().unwrap();
    let past = Past::begin(dir.path(), true);
    past.serve(40).await;
    let mut second = past.files.clone();
    let policies = second.texts.get_mut("mortise/policies/a.cedar").unwrap();
    *policies = policies.replace("context.args.id == \"T-9\"", "context.args.id == \"T-3\"");
    past.pipeline.install(fixture::snapshot_of(&second));
    past.serve_from(40, 40).await;
    let mut third = second.clone();
    third
        .texts
        .get_mut("mortise/policies/a.cedar")
        .unwrap()
        .push_str("@id(\"guards/late\") forbid(principal, action, resource) when { context.session.calls >= 5 };");
    past.pipeline.install(fixture::snapshot_of(&third));
    past.serve_from(80, 40).await;

    let kept = [past.files.clone(), second];
    let present = fixture::snapshot_of(&third);
    let hash = |bytes: &[u8]| past.hasher.hash(bytes);
    let looked = std::cell::RefCell::new(Vec::new());
    let decide = |kept: &[govern::project::Files], aim| {
        let find = |revision: &str| {
            looked.borrow_mut().push(revision.to_owned());
            kept.iter().find(|files| files.revision().as_str() == revision).map(fixture::snapshot_of)
        };
        let selection = Selection { since_us: None, agent: None, examples: 9 };
        let mut replay = Replay::new(&present, &find, aim, selection, &*past.folder, Some(&hash));
        past.events().iter().for_each(|(index, event)| replay.take(*index, event));
        replay.finish()
    };
    let all = decide(&kept, Aim::Same);
    let (exact, differences) = (all.summary.exact, all.summary.differences);
    assert_eq!((exact, differences), (all.summary.decisions, 0), "{}", said(&all));
    let of_third =
        past.decisions().iter().filter(|(_, event)| event.policy_bundle.as_deref() == Some(&all.bundle)).count();
    assert!(of_third > 20);
    assert_eq!(all.summary.earlier, all.summary.decisions - u64::try_from(of_third).unwrap());
    assert!(said(&all).contains(&format!("{} of them under the earlier configuration", all.summary.earlier)));
    assert_eq!(looked.borrow().len(), 2, "each is looked for once");

    // One that is not kept is said not to be, and the others are not held against it.
    let one = decide(&kept[1..], Aim::Same);
    assert_eq!((one.summary.exact + one.summary.not_replayable, one.summary.differences), (one.summary.decisions, 0));
    assert!(one.not_replayable.keys().all(|why| why.contains("whose files are not kept")), "{:?}", one.not_replayable);
    assert!(one.summary.not_replayable > 20);

    // What the present one would have said asks no other.
    looked.borrow_mut().clear();
    let others = decide(&kept, Aim::Others);
    assert!(looked.borrow().is_empty() && others.summary.earlier == 0 && others.summary.differences > 0);
}

#[tokio::test]
async fn without_documents_what_looks_at_no_argument_is_decided_from_facts() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = fixture::files();
    let policies = files.texts.get_mut("mortise/policies/a.cedar").unwrap();
    *policies = policies.replacen(" when { !(context.args has id) || context.args.id != \"T-0\" }", "", 1);
    let past = Past::begin_with(dir.path(), true, files);
    past.serve(CALLS).await;
    let report = replay(&past.events(), &past.pipeline.snapshot(), Aim::Same, &(), &past);
    assert_eq!((report.summary.exact, report.summary.differences), (0, 0), "{}", said(&report));
    assert!(report.summary.from_facts > 20, "{}", said(&report));
    for why in [
        "pruned or erased, and `guards/never` looks at `args.id`",
        "the tool's schema refused",
        "what the live server said",
    ] {
        assert!(report.not_replayable.keys().any(|found| found.contains(why)), "{why}: {:?}", report.not_replayable);
    }
    // And what it says is what the documents say, for other policies too.
    let mut files = past.files.clone();
    let policies = files.texts.get_mut("mortise/policies/a.cedar").unwrap();
    policies.push_str("@id(\"guards/late\") forbid(principal, action, resource) when { context.session.calls >= 20 };");
    let other = fixture::snapshot_of(&files);
    let from_facts = replay(&past.events(), &other, Aim::Others, &(), &past);
    let exact = replay(&past.events(), &other, Aim::Others, &*past.folder, &past);
    let differences = |report: &Report| -> BTreeSet<(u64, String, Verdict)> {
        let examples = report.groups.iter().flat_map(|group| &group.examples);
        examples.map(|found| (found.index, found.change.rule.clone(), found.now.verdict)).collect()
    };
    let (some, all) = (differences(&from_facts), differences(&exact));
    assert!(!some.is_empty() && some.is_subset(&all), "{some:?}\n{all:?}");
}

/// Gives one document for every record.
struct Always(Vec<u8>);

impl Inputs for Always {
    fn input(&self, _payload: &Payload<'_>, _t_us: i64) -> Kept {
        Kept::Whole(self.0.clone())
    }
}

#[tokio::test]
async fn a_document_that_is_not_the_recorded_one_is_found_and_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let past = Past::begin(dir.path(), true);
    past.serve(24).await;
    let (snapshot, events) = (past.pipeline.snapshot(), past.events());
    let decisions = u64::try_from(past.decisions().len()).unwrap();
    let files = past.folder.files();
    let original = std::fs::read(&files[0]).unwrap();
    let mut tampered = original.clone();
    let at = tampered.len() - 3;
    tampered[at] ^= 1;
    std::fs::write(&files[0], &tampered).unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    let report = replay(&events, &snapshot, Aim::Same, &*past.folder, &past);
    assert_eq!((report.summary.altered, report.altered.len()), (1, 1), "{}", said(&report));
    assert_eq!(report.summary.exact, decisions - 2, "{}", said(&report));
    assert_eq!(report.summary.differences, 0);

    // A store that vouches for the wrong document, or for one with other arguments, is not believed either.
    let foreign = replay(&events, &snapshot, Aim::Same, &Always(original[8..].to_vec()), &past);
    assert_eq!((foreign.summary.altered, foreign.summary.exact), (decisions - 1, 1), "{}", said(&foreign));
    let first = events.iter().find(|(_, event)| !event.payloads.is_empty()).unwrap().1.clone();
    let Kept::Whole(own) = past.folder.input(&first.payloads[0], first.t) else { panic!("the first one is kept") };
    let mut input = DecisionInput::from_bytes(&own).unwrap();
    let text = serde_json::to_string(&input.call.arguments).unwrap().replace("open", "opEn");
    input.call.arguments = serde_json::from_str(&text).unwrap();
    let lied = replay(&[(0, first)], &snapshot, Aim::Same, &Always(input.to_bytes()), &past);
    assert_eq!(lied.summary.altered, 1, "{}", said(&lied));
}

#[tokio::test]
async fn a_record_that_says_otherwise_is_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let past = Past::begin(dir.path(), true);
    past.serve(24).await;
    let change: [fn(&mut Event<'static>); 5] = [
        |event| event.decision = Some(Verdict::Sandbox),
        |event| event.reasons.to_mut().clear(),
        |event| event.permits.to_mut().push(vocab::id::RuleId::new("roles/ghost")),
        |event| {
            event.redactions.insert("args.to:mask".to_owned(), 1);
        },
        |event| {
            let fault = Fault { kind: vocab::FaultKind::GuardError, rule: None, text: "x".to_owned() };
            event.faults.to_mut().push(fault);
        },
    ];
    for (number, change) in change.into_iter().enumerate() {
        let mut decisions = past.decisions();
        let decision =
            decisions.iter_mut().find(|(_, event)| event.reasons.len() == 1 && event.reasons[0].place.is_some());
        change(&mut decision.unwrap().1);
        let report = replay(&decisions, &past.pipeline.snapshot(), Aim::Same, &*past.folder, &past);
        assert_eq!(report.summary.differences, 1, "{number}: {}", said(&report));
        assert!(!report.groups[0].examples[0].change.because.is_empty() || number == 0, "{number}");
    }
}

#[tokio::test]
async fn a_tool_that_was_not_confined_as_decided_is_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let past = Past::begin(dir.path(), true);
    past.serve(24).await;
    let snapshot = past.pipeline.snapshot();
    for (from, to) in [("dry_run", "none"), ("none", "dry_run")] {
        let mut events = past.events();
        let is_it = |event: &Event<'_>| event.kind == Kind::ToolDispatch && event.confinement.as_deref() == Some(from);
        let dispatch = events.iter_mut().find(|(_, event)| is_it(event)).unwrap();
        dispatch.1.confinement = Some(to.into());
        let report = replay(&events, &snapshot, Aim::Same, &*past.folder, &past);
        assert_eq!(report.summary.differences, 1, "{}", said(&report));
        let because = &report.groups[0].examples[0].change.because;
        assert_eq!(because, &[format!("confined: then {to}, now {from}")]);
    }
}

#[tokio::test]
async fn without_a_keeper_nothing_is_kept_and_records_are_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let past = Past::begin(dir.path(), false);
    past.serve(24).await;
    assert!(past.folder.files().is_empty());
    for (_, event) in past.decisions() {
        assert!(event.payloads.is_empty() && !event.detail.contains_key(RecordedFacts::MEMBER));
    }
    let report = replay(&past.events(), &past.pipeline.snapshot(), Aim::Same, &*past.folder, &past);
    assert_eq!(report.summary.not_replayable, report.summary.decisions);
}

/// The second decision, on redacted arguments, is made on what was known at the first: failed validations before the call
/// make the agent uncertain in both.
#[tokio::test]
async fn redacting_does_not_make_an_uncertain_agent_certain() {
    let dir = tempfile::tempdir().unwrap();
    let past = Past::begin(dir.path(), true);
    for number in 0..2 {
        past.call(number, 0, "bot", "mail", serde_json::json!({"too": "few"}), None).await;
    }
    past.call(2, 0, "bot", "mail", serde_json::json!({"to": "a@example.com", "note": "between us"}), None).await;
    let decisions = past.decisions();
    assert_eq!(decisions.last().unwrap().1.decision, Some(Verdict::Ask), "{decisions:?}");
}

#[tokio::test]
async fn a_page_says_everything_and_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let past = served(dir.path()).await;
    let mut files = past.files.clone();
    let policies = files.texts.get_mut("mortise/policies/a.cedar").unwrap();
    *policies = policies.replace("nobody closes T-9", "<script>alert(1)</script>").replace("== \"T-9\"", "!= \"T-9\"");
    let report = replay(&past.events(), &fixture::snapshot_of(&files), Aim::Others, &*past.folder, &past);
    let page = lab::replay::html(&report, Aim::Others, &|t| t.to_string());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"), "{page}");
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("default-src 'none'"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
    let json = lab::replay::json(&report, Aim::Others);
    assert_eq!(json["summary"]["differences"], report.summary.differences);
}

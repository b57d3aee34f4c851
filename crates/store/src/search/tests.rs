use super::*;
use crate::fixture::{append, event, open};
use crate::{Log, LogOptions};
use proof::{KeyName, Signer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::os::unix::fs::MetadataExt;
use vocab::Verdict;
use vocab::event::{Kind, Outcome};
use vocab::id::RuleId;
use vocab::{Reason, Would};

const NOW: i64 = 1_795_000_000_000_000;
const SECOND: i64 = 1_000_000;

/// A log and the index beside it.
struct Bench {
    folder: tempfile::TempDir,
    log: Option<Log>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = open(&folder.path().join("log"));
        Self { folder, log: Some(log) }
    }

    fn with(events: &[vocab::Event<'_>]) -> Self {
        let bench = Self::new();
        bench.append(events);
        bench
    }

    fn append(&self, events: &[vocab::Event<'_>]) {
        for events in events.chunks(500) {
            append(self.log.as_ref().unwrap(), events.iter().map(|event| event.to_bytes().unwrap()).collect()).unwrap();
        }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("search")
    }

    fn path(&self) -> PathBuf {
        self.dir().join("index.sqlite")
    }

    fn index(&self) -> SearchIndex {
        let index = SearchIndex::new(&self.dir(), &self.folder.path().join("log")).unwrap();
        index.wait_at_most(Duration::from_secs(60))
    }

    fn fresh(&self) -> SearchIndex {
        let mut index = self.index();
        index.catch_up(&mut |_| {}).unwrap();
        index
    }
}

fn filter(text: &str) -> Filter {
    Filter::parse(text, NOW).unwrap_or_else(|found| panic!("{text}: {found:?}"))
}

/// Indices of the events, or of the calls' first events, page by page.
fn found(index: &mut SearchIndex, text: &str, space: Space) -> Vec<u64> {
    let (filter, mut after, mut all) = (filter(text), None, Vec::new());
    loop {
        let page = index.search(&filter, space, 3, after).unwrap();
        assert!(page.hits.len() <= 3);
        all.extend(page.hits.iter().map(|hit| hit.records[0].index));
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

fn events(index: &mut SearchIndex, text: &str) -> Vec<u64> {
    found(index, text, Space::Events)
}

fn calls(index: &mut SearchIndex, text: &str) -> Vec<u64> {
    found(index, text, Space::Calls)
}

/// A call's events: who, which tool, what was decided and by which rule, how it ended.
fn call(number: u64, agent: &str, tool: &str, verdict: Verdict, rule: &str) -> Vec<vocab::Event<'static>> {
    let mut kinds = vec![Kind::ToolIntent, Kind::PolicyDecision];
    if verdict == Verdict::Allow {
        kinds.extend([Kind::ToolDispatch, Kind::ToolResult]);
    }
    let make = |(step, kind): (u64, Kind)| {
        let mut event = event(kind, number * 1_000_000 + step);
        event.agent = Some(agent.to_owned().into());
        event.call = Some(format!("call-{number}").into());
        event.server = Some("desk".into());
        event.tool_name = Some(tool.to_owned().into());
        if kind == Kind::PolicyDecision {
            event.decision = Some(verdict);
            let text = (verdict != Verdict::Allow).then(|| "tickets of others stay closed".into());
            event.reasons =
                vec![Reason { rule: RuleId::new(rule), verdict, text, place: None, discharged_by: None }].into();
        }
        event.outcome = (kind == Kind::ToolResult).then_some(Outcome::Ok);
        event
    };
    (0..).zip(kinds).map(make).collect()
}

fn three_calls() -> Vec<vocab::Event<'static>> {
    [
        call(0, "support-bot", "close_ticket", Verdict::Allow, "roles/support"),
        call(1, "support-bot", "refund", Verdict::Deny, "guards/refund-limit"),
        call(2, "hr-bot", "close_ticket", Verdict::Ask, "guards/others"),
    ]
    .concat()
}

#[test]
fn calls_and_events_are_found_by_what_they_have() {
    let mut index = Bench::with(&three_calls()).fresh_kept();
    for (text, of_calls, of_events) in [
        ("", &[6, 4, 0][..], &[7, 6, 5, 4, 3, 2, 1, 0][..]),
        ("agent:support-bot", &[4, 0], &[5, 4, 3, 2, 1, 0]),
        ("agent:support-bot,hr-bot verdict:deny,ask", &[6, 4], &[7, 5]),
        ("tool:close_ticket", &[6, 0], &[7, 6, 3, 2, 1, 0]),
        ("tool:desk/close_ticket", &[6, 0], &[7, 6, 3, 2, 1, 0]),
        ("rule:guards/*", &[6, 4], &[7, 5]),
        ("-rule:guards/*", &[0], &[6, 4, 3, 2, 1, 0]),
        // Verdict and outcome are on different events, and of one call.
        ("verdict:allow outcome:ok", &[0], &[]),
        // A denied call is a refused one, though no event says so.
        ("outcome:refused", &[4], &[]),
        ("-outcome:*", &[6], &[7, 6, 5, 4, 2, 1, 0]),
        ("refund", &[4], &[5, 4]),
        ("REFUND", &[4], &[5, 4]),
        ("clos*", &[6, 4, 0], &[7, 6, 5, 3, 2, 1, 0]),
        ("closed tickets", &[6, 4], &[7, 5]),
        ("\"stay closed\"", &[6, 4], &[7, 5]),
        ("\"closed stay\"", &[], &[]),
        ("tickets -refund", &[6], &[7]),
        ("call:call-1", &[4], &[5, 4]),
        ("call:call-*", &[6, 4, 0], &[7, 6, 5, 4, 3, 2, 1, 0]),
        ("kind:tool.result", &[0], &[3]),
        ("agent:nobody", &[], &[]),
    ] {
        assert_eq!(calls(&mut index, text), of_calls, "calls: {text}");
        assert_eq!(events(&mut index, text), of_events, "events: {text}");
    }
    let page = index.search(&filter("call:call-0"), Space::Calls, 9, None).unwrap();
    assert_eq!(page.hits[0].call.as_deref(), Some("call-0"));
    let kept: Vec<u64> = page.hits[0].records.iter().map(|record| record.index).collect();
    assert_eq!(kept, [0, 1, 2, 3]);
    assert_eq!(
        index.unknown(&filter("agent:suport-bot verdict:deny"), Space::Calls).unwrap(),
        [("agent:suport-bot".to_owned(), vec!["support-bot".to_owned()])]
    );
}

impl Bench {
    /// An index that keeps the log's folder for the test.
    fn fresh_kept(self) -> SearchIndex {
        let index = self.fresh();
        std::mem::forget(self.folder);
        index
    }
}

#[test]
fn counts_are_of_everything_selected() {
    let mut index = Bench::with(&three_calls()).fresh_kept();
    let mut count = |text: &str, by: Facet| {
        let counts = index.count(&filter(text), Space::Calls, by).unwrap();
        let values: Vec<String> = counts.values.iter().map(|(value, number)| format!("{value} {number}")).collect();
        (values.join(", "), counts.without, counts.total)
    };
    assert_eq!(count("", Facet::Verdict), ("allow 1, ask 1, deny 1".to_owned(), 0, 3));
    assert_eq!(count("", Facet::Agent), ("support-bot 2, hr-bot 1".to_owned(), 0, 3));
    assert_eq!(count("rule:guards/*", Facet::Tool), ("desk/close_ticket 1, desk/refund 1".to_owned(), 0, 2));
    assert_eq!(count("", Facet::Outcome), ("ok 1, refused 1".to_owned(), 1, 3));
    assert_eq!(count("agent:nobody", Facet::Rule), (String::new(), 0, 0));
}

#[test]
fn a_call_has_the_verdict_it_was_given_first_and_the_outcome_it_came_to() {
    let mut asked = call(0, "a", "t", Verdict::Ask, "g");
    let bench = Bench::with(&asked);
    let mut index = bench.fresh();
    assert_eq!(calls(&mut index, "verdict:ask -outcome:*"), [0]);
    asked = call(0, "a", "t", Verdict::Allow, "r");
    bench.append(&asked[1..]);
    index.catch_up(&mut |_| {}).unwrap();
    assert_eq!(calls(&mut index, "verdict:ask outcome:ok"), [0]);
    assert!(calls(&mut index, "verdict:allow").is_empty());
    let mut expired = call(1, "a", "t", Verdict::Ask, "g");
    expired.push(vocab::Event { kind: Kind::ApprovalExpired, ..expired[0].clone() });
    bench.append(&expired);
    index.catch_up(&mut |_| {}).unwrap();
    assert_eq!(calls(&mut index, "outcome:expired"), [5]);
    let mut late = vocab::Event { kind: Kind::ToolResult, ..expired[0].clone() };
    late.outcome = Some(Outcome::Withheld);
    bench.append(&[late]);
    index.catch_up(&mut |_| {}).unwrap();
    assert_eq!((calls(&mut index, "outcome:expired"), calls(&mut index, "outcome:withheld")), (vec![], vec![5]));
}

#[test]
fn times_are_those_of_each_event_though_clocks_are_set_back() {
    let mut all = Vec::new();
    for number in 0..5_000_i64 {
        let mut one = event(Kind::GatewayStarted, u64::try_from(number).unwrap());
        // An hour back in the middle of a block.
        let back = if (2_500..3_700).contains(&number) { 3_600 } else { 0 };
        one.t = NOW + (number - 5_000 - back) * SECOND;
        all.push(one);
    }
    let mut index = Bench::with(&all).fresh_kept();
    let expected = |from: i64, to: i64| -> Vec<u64> {
        let within = |(_, event): &(u64, &vocab::Event<'_>)| (from..to).contains(&event.t);
        let mut found: Vec<u64> = (0..).zip(&all).filter(within).map(|(index, _)| index).collect();
        found.reverse();
        found
    };
    for (text, from, to) in [
        ("since:10m", NOW - 600 * SECOND, i64::MAX),
        ("since:2h until:1h", NOW - 7_200 * SECOND, NOW - 3_600 * SECOND),
        ("until:5000s", i64::MIN, NOW - 5_000 * SECOND),
        ("since:0s", NOW, i64::MAX),
    ] {
        let found = index.search(&filter(text), Space::Events, 10_000, None).unwrap();
        let found: Vec<u64> = found.hits.iter().map(|hit| hit.records[0].index).collect();
        assert_eq!(found, expected(from, to), "{text}");
    }
}

#[test]
fn the_file_is_closed_to_others() {
    let bench = Bench::with(&three_calls());
    let _index = bench.fresh();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(bench.dir()), mode(bench.path()), mode(bench.dir().join("lock"))), (0o700, 0o600, 0o600));
}

/// What a search says after something was done to the file, and why the index was made anew.
fn after(bench: &Bench, done: impl FnOnce(&Path)) -> Option<String> {
    drop(bench.fresh());
    done(&bench.path());
    let mut index = bench.fresh();
    assert_eq!(calls(&mut index, "rule:guards/*"), [6, 4]);
    assert_eq!(events(&mut index, "refund"), [5, 4]);
    index.take_rebuilt()
}

#[test]
fn an_index_that_is_of_no_use_is_made_anew() {
    let bench = Bench::with(&three_calls());
    let sql = |text: &'static str| move |path: &Path| Connection::open(path).unwrap().execute_batch(text).unwrap();
    assert_eq!(after(&bench, |_| {}), None);
    assert_eq!(after(&bench, |path| std::fs::remove_file(path).unwrap()), None);
    assert_eq!(after(&bench, |path| std::fs::write(path, b"").unwrap()), None);
    for (done, why) in [
        (Box::new(sql("PRAGMA user_version = 99")) as Box<dyn FnOnce(&Path)>, "another version"),
        (Box::new(sql("UPDATE state SET origin = 'x'")), "another log"),
        (Box::new(sql("UPDATE state SET vkey = 'x'")), "another log"),
        (Box::new(sql("UPDATE state SET next = next + 1")), "has not the record"),
        (Box::new(sql("UPDATE state SET last = x'00'")), "has not the record"),
        (Box::new(sql("DELETE FROM state")), "another log"),
        (Box::new(sql("DROP TABLE posting")), "posting"),
        (Box::new(sql("UPDATE posting SET docs = x'00'")), "not what was written"),
        (Box::new(sql("UPDATE posting SET docs = (SELECT docs FROM posting LIMIT 1)")), "not what was written"),
        (Box::new(sql("UPDATE call SET more = x''")), "not what was written"),
        (Box::new(|path: &Path| std::fs::write(path, "not a database at all".repeat(100)).unwrap()), "database"),
    ] {
        let said = after(&bench, done);
        assert!(said.as_ref().is_some_and(|said| said.contains(why)), "{why}: {said:?}");
    }
}

#[test]
fn every_page_of_the_file_may_be_overwritten() {
    let bench = Bench::with(&three_calls());
    drop(bench.fresh());
    let whole = std::fs::read(bench.path()).unwrap();
    for page in 0..whole.len() / 4096 {
        for fill in [0, 0xff] {
            let mut bytes = whole.clone();
            bytes[page * 4096..(page + 1) * 4096].fill(fill);
            std::fs::write(bench.path(), bytes).unwrap();
            let mut index = bench.fresh();
            assert_eq!(calls(&mut index, "rule:guards/*"), [6, 4], "page {page}");
            drop(index);
            std::fs::write(bench.path(), &whole).unwrap();
        }
    }
}

#[test]
fn a_log_that_was_put_back_or_replaced_is_read_anew() {
    let bench = Bench::with(&three_calls());
    drop(bench.fresh());
    let log = bench.folder.path().join("log");
    drop(bench.log);
    std::fs::remove_dir_all(&log).unwrap();
    // The same name and key, other events.
    let (shorter, _) = open(&log);
    let one = call(9, "other-bot", "refund", Verdict::Deny, "guards/x");
    append(&shorter, one.iter().map(|event| event.to_bytes().unwrap()).collect()).unwrap();
    let index = || {
        let mut index = SearchIndex::new(&bench.folder.path().join("search"), &log).unwrap();
        index.catch_up(&mut |_| {}).unwrap();
        index
    };
    let mut found = index();
    assert_eq!((calls(&mut found, ""), found.take_rebuilt().is_some()), (vec![0], true));
    drop(found);
    drop(shorter);
    std::fs::remove_dir_all(&log).unwrap();
    // Another name.
    let options = LogOptions::new("mortise.test/other");
    let signer = Signer::from_seed(KeyName::parse("mortise.test/other").unwrap(), &[8; 32]);
    let (_other, _) = Log::open(&log, &options, signer, &mut |_, _| {}).unwrap();
    let mut found = index();
    assert_eq!((calls(&mut found, ""), found.take_rebuilt().is_some()), (Vec::new(), true));
}

#[test]
fn an_index_that_is_deleted_in_use_is_made_anew() {
    let bench = Bench::with(&three_calls());
    let mut index = bench.fresh();
    for gone in [bench.path(), bench.dir()] {
        if gone.is_dir() {
            std::fs::remove_dir_all(&gone).unwrap()
        } else {
            std::fs::remove_file(&gone).unwrap()
        }
        assert_eq!(calls(&mut index, "rule:guards/*"), [6, 4]);
        assert!(bench.path().exists());
        bench.append(&call(3, "late-bot", "refund", Verdict::Deny, "late"));
        std::fs::remove_file(bench.path()).unwrap();
        index.catch_up(&mut |_| {}).unwrap();
        assert!(!calls(&mut index, "agent:late-bot").is_empty());
    }
}

#[test]
fn a_held_index_is_said_to_be_held() {
    let bench = Bench::with(&three_calls());
    drop(bench.fresh());
    let holder = Connection::open(bench.path()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut index = bench.index().wait_at_most(Duration::from_millis(50));
    assert!(matches!(index.catch_up(&mut |_| {}), Err(SearchError::Busy)));
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(index.catch_up(&mut |_| {}).unwrap(), 8);
}

#[test]
fn several_may_read_write_and_delete_at_once() {
    let bench = Bench::with(&three_calls());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let bench = &bench;
                scope.spawn(move || {
                    let mut index = bench.index();
                    for round in 0..10 {
                        index.catch_up(&mut |_| {}).unwrap();
                        assert!(calls(&mut index, "rule:guards/*").ends_with(&[6, 4]));
                        if number == 0 && round % 3 == 0 {
                            let _ = std::fs::remove_file(bench.path());
                        }
                        if number == 1 {
                            bench.append(&call(10 + round, "support-bot", "refund", Verdict::Deny, "guards/more"));
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let (mut index, mut anew) = (bench.fresh(), {
        std::fs::remove_file(bench.path()).unwrap();
        bench.fresh()
    });
    assert_eq!(calls(&mut index, "").len(), 13);
    assert_eq!(calls(&mut index, "refund"), calls(&mut anew, "refund"));
}

#[test]
fn what_was_forgotten_is_in_no_page_of_the_file() {
    let bench = Bench::with(&three_calls());
    let mut said = event(Kind::ConfigRefused, 50);
    said.text = Some("zanzibar kilwa".into());
    bench.append(&[said.clone()]);
    let mut other = call(3, "support-bot", "refund", Verdict::Deny, "guards/refund-limit");
    other[0].text = Some("mombasa".into());
    bench.append(&other);
    let mut index = bench.fresh();
    assert_eq!(events(&mut index, "zanzibar"), [8]);
    let bytes = |word: &str| {
        let file = std::fs::read(bench.path()).unwrap();
        file.windows(word.len()).any(|window| window == word.as_bytes())
    };
    assert!(bytes("zanzibar") && bytes("kilwa") && bytes("close_ticket") && bytes("mombasa"));
    index.forget(9).unwrap();
    assert!(!bytes("zanzibar") && !bytes("kilwa") && !bytes("close_ticket") && !bytes("hr-bot"));
    assert!(bytes("mombasa") && bytes("refund-limit"));
    assert!(events(&mut index, "zanzibar").is_empty());
    assert_eq!((calls(&mut index, ""), events(&mut index, "")), (vec![9], vec![10, 9]));
    assert_eq!(calls(&mut index, "refund mombasa"), [9]);
    // It stays so, and goes on.
    bench.append(&[said]);
    index.catch_up(&mut |_| {}).unwrap();
    assert_eq!(events(&mut index, "zanzibar"), [11]);
    assert!(calls(&mut index, "agent:hr-bot").is_empty());
    index.forget(3).unwrap();
    index.forget(u64::MAX).unwrap();
    assert!(events(&mut index, "").is_empty());
    assert!(!bytes("mombasa"));
}

#[test]
fn pages_visit_every_call_once_while_the_log_grows() {
    let bench = Bench::new();
    for number in 0..20 {
        bench.append(&call(number, "a", "t", Verdict::Deny, "g"));
    }
    let (mut index, mut after, mut seen) = (bench.fresh(), None, Vec::new());
    for round in 20.. {
        let page = index.search(&filter("agent:a"), Space::Calls, 3, after).unwrap();
        seen.extend(page.hits.iter().filter_map(|hit| hit.call.clone()));
        bench.append(&call(round, "a", "t", Verdict::Deny, "g"));
        index.catch_up(&mut |_| {}).unwrap();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..20).rev().map(|number| format!("call-{number}")).collect();
    assert_eq!(seen, expected);
}

/// More than a chunk of the log, several batches, and calls whose events lie chunks apart.
#[test]
fn a_log_of_several_chunks_is_found_whole() {
    let bench = Bench::new();
    let first = call(0, "early", "t", Verdict::Ask, "g");
    bench.append(&first);
    let filler: Vec<_> = (0..140_000_u64)
        .map(|number| {
            let mut one = event(Kind::ServerStarted, number);
            one.server = Some(if number % 1_000 == 0 { "rare" } else { "usual" }.into());
            one
        })
        .collect();
    bench.append(&filler);
    let mut result = first[0].clone();
    (result.kind, result.outcome) = (Kind::ToolResult, Some(Outcome::Ok));
    bench.append(&[result]);
    let mut index = bench.fresh();
    assert_eq!(calls(&mut index, "outcome:ok"), [0]);
    let page = index.search(&filter("agent:early"), Space::Calls, 1, None).unwrap();
    assert_eq!(page.hits[0].records.iter().map(|one| one.index).collect::<Vec<_>>(), [0, 1, 140_002]);
    let rare = events(&mut index, "server:rare");
    let expected: Vec<u64> = (0..140).rev().map(|number| number * 1_000 + 2).collect();
    assert_eq!(rare, expected);
    let counts = index.count(&filter("-server:rare"), Space::Events, Facet::Agent).unwrap();
    assert_eq!((counts.total, counts.without), (140_003 - 140, 140_003 - 140 - 3));
    index.forget(70_000).unwrap();
    assert_eq!(events(&mut index, "server:rare").last(), Some(&70_002));
}

// What follows compares the index with reading every event.

const AGENTS: [&str; 3] = ["bot", "bot-2", "clerk"];
const RULES: [&str; 4] = ["guards/a", "guards/b", "roles/a", "roles/b c"];
const TEXTS: [&str; 4] = ["closed the ticket", "ticket refund", "no", "Zürich \"quoted\" refund"];

#[derive(Clone, Debug)]
struct Made {
    call: Option<u8>,
    kind: Kind,
    agent: Option<&'static str>,
    verdict: Option<Verdict>,
    outcome: Option<Outcome>,
    rules: Vec<&'static str>,
    would: Vec<&'static str>,
    text: Option<&'static str>,
    t: i64,
}

fn made() -> impl Strategy<Value = Made> {
    let who = (prop::option::weighted(0.8, 0..6_u8), select(kinds()), prop::option::of(select(AGENTS.to_vec())));
    let how = (prop::option::of(select(Verdict::ALL.to_vec())), prop::option::of(select(Outcome::ALL.to_vec())));
    let why = (vec(select(RULES.to_vec()), 0..3), vec(select(RULES.to_vec()), 0..2));
    (who, how, why, prop::option::of(select(TEXTS.to_vec())), -100..0_i64).prop_map(
        |((call, kind, agent), (verdict, outcome), (rules, would), text, t)| Made {
            call,
            kind,
            agent,
            verdict,
            outcome,
            rules,
            would,
            text,
            t,
        },
    )
}

impl Made {
    fn event(&self, number: u64) -> vocab::Event<'static> {
        let mut event = event(self.kind, number);
        event.t = NOW + self.t * SECOND;
        event.call = self.call.map(|call| format!("call-{call}").into());
        event.agent = self.agent.map(Into::into);
        (event.decision, event.outcome) = (self.verdict, self.outcome);
        event.text = self.text.map(Into::into);
        let verdict = Verdict::Deny;
        let reason =
            |rule: &&str| Reason { rule: RuleId::new(*rule), verdict, text: None, place: None, discharged_by: None };
        event.reasons = self.rules.iter().map(reason).collect::<Vec<_>>().into();
        event.would =
            self.would.iter().map(|rule| Would { rule: RuleId::new(*rule), verdict }).collect::<Vec<_>>().into();
        event
    }

    /// What it has for a key.
    fn values(&self, key: &str) -> Vec<String> {
        let one = |value: Option<&str>| value.map(ToOwned::to_owned).into_iter().collect();
        match key {
            "agent" => one(self.agent),
            "kind" => one(Some(self.kind.as_str())),
            "verdict" => one(self.verdict.map(Verdict::as_str)),
            "outcome" => one(self.outcome.map(Outcome::as_str)),
            "call" => self.call.map(|call| format!("call-{call}")).into_iter().collect(),
            "rule" => self.rules.iter().chain(&self.would).map(|rule| (*rule).to_owned()).collect(),
            _ => unreachable!("{key}"),
        }
    }

    fn words(&self) -> Vec<String> {
        let mut texts: Vec<&str> = self.text.into_iter().chain(self.agent).collect();
        texts.extend(self.rules.iter().chain(&self.would));
        let words = texts.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        words.filter(|word| !word.is_empty()).map(|word| word.to_lowercase().replace('ü', "u")).collect()
    }
}

/// One term: how it is written, and what it means.
#[derive(Clone, Debug)]
struct Asked {
    negated: bool,
    key: Option<&'static str>,
    values: Vec<(String, bool)>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let some = |words: Vec<&'static str>| vec((select(words).prop_map(str::to_owned), any::<bool>()), 1..3);
    let of = |key: &'static str, words: Vec<&'static str>| some(words).prop_map(move |values| (Some(key), values));
    let word = (select(vec!["refund", "ticket", "bot", "guards", "closed", "zurich"]), any::<bool>());
    let call = vec(((0..7_u8).prop_map(|call| format!("call-{call}")), any::<bool>()), 1..3);
    let term = prop_oneof![
        of("agent", AGENTS.to_vec()),
        of("rule", RULES.to_vec()),
        of("kind", Kind::ALL.map(Kind::as_str).to_vec()),
        of("verdict", Verdict::ALL.map(Verdict::as_str).to_vec()),
        of("outcome", Outcome::ALL.map(Outcome::as_str).to_vec()),
        call.prop_map(|values| (Some("call"), values)),
        word.prop_map(|(word, cut)| (None, vec![(word.to_owned(), cut)])),
    ];
    (any::<bool>(), term).prop_map(|(negated, (key, values))| Asked {
        negated,
        key,
        // Where the ending stands for any other, there is one letter less.
        values: values
            .into_iter()
            .map(|(mut value, cut)| {
                if cut {
                    value.pop();
                }
                (value, cut)
            })
            .collect(),
    })
}

impl Asked {
    fn text(&self) -> String {
        let values = self.values.iter().filter(|(value, cut)| !(*cut && value.is_empty() && self.key.is_none()));
        let values: Vec<String> = values
            .map(|(value, cut)| match cut {
                true if value.contains(' ') => format!("\"{value}\""),
                true => format!("{value}*"),
                false => format!("\"{value}\""),
            })
            .collect();
        let key = self.key.map(|key| format!("{key}:")).unwrap_or_default();
        format!("{}{key}{}", if self.negated { "-" } else { "" }, values.join(","))
    }

    fn fits(&self, has: &[String]) -> bool {
        self.values.iter().any(|(value, cut)| {
            let cut = *cut && !value.contains(' ');
            has.iter().any(|one| if cut { one.starts_with(value.as_str()) } else { one == value })
        })
    }
}

/// A call as `trace ls` tells it: the first decision, the last end.
fn ends(events: &[&Made]) -> (Option<Verdict>, Option<Outcome>) {
    let (mut decided, mut verdict, mut outcome) = (false, None, None);
    for event in events {
        match event.kind {
            Kind::PolicyDecision if !decided => {
                (decided, verdict) = (true, event.verdict);
                if verdict == Some(Verdict::Deny) {
                    outcome = Some(Outcome::Refused);
                }
            }
            Kind::ToolResult => outcome = event.outcome,
            Kind::ApprovalDenied => outcome = Some(Outcome::Refused),
            Kind::ApprovalExpired => outcome = Some(Outcome::Expired),
            _ => {}
        }
    }
    (verdict, outcome)
}

fn call_fits(events: &[&Made], asked: &Asked) -> bool {
    let (verdict, outcome) = ends(events);
    let has: Vec<String> = match asked.key {
        None => events.iter().flat_map(|event| event.words()).collect(),
        Some("verdict") => verdict.map(|one| one.as_str().to_owned()).into_iter().collect(),
        Some("outcome") => outcome.map(|one| one.as_str().to_owned()).into_iter().collect(),
        Some(key) => events.iter().flat_map(|event| event.values(key)).collect(),
    };
    asked.fits(&has) != asked.negated
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(256) / 4, ..ProptestConfig::default() })]

    #[test]
    fn the_index_says_what_reading_every_event_says(
        log in vec(made(), 0..40),
        filters in vec((vec(asked(), 0..4), prop::option::of(0..100_i64), prop::option::of(0..100_i64)), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let all: Vec<_> = (0..).zip(&log).map(|(number, made)| made.event(number)).collect();
        let cut = cut.index(all.len() + 1);
        let bench = Bench::with(&all[..cut]);
        let mut index = bench.fresh();
        bench.append(&all[cut..]);
        index.catch_up(&mut |_| {}).unwrap();
        for (asked, since, until) in filters {
            let mut text: Vec<String> = asked.iter().map(Asked::text).collect();
            text.extend(since.map(|ago| format!("since:{ago}s")));
            text.extend(until.map(|ago| format!("until:{ago}s")));
            let text = text.join(" ");
            let within = |made: &Made| since.is_none_or(|ago| made.t >= -ago) && until.is_none_or(|ago| made.t < -ago);
            let mut of_events: Vec<u64> = (0..)
                .zip(&log)
                .filter(|(_, made)| {
                    within(made)
                        && asked.iter().all(|asked| {
                            let has = asked.key.map_or_else(|| made.words(), |key| made.values(key));
                            asked.fits(&has) != asked.negated
                        })
                })
                .map(|(number, _)| number)
                .collect();
            of_events.reverse();
            prop_assert_eq!(events(&mut index, &text), of_events, "events: {}", &text);

            let mut of_calls: Vec<u64> = Vec::new();
            for id in 0..6_u8 {
                let of: Vec<(u64, &Made)> = (0..).zip(&log).filter(|(_, made)| made.call == Some(id)).collect();
                let made: Vec<&Made> = of.iter().map(|(_, made)| *made).collect();
                if let Some((first, begin)) = of.first()
                    && within(begin)
                    && asked.iter().all(|asked| call_fits(&made, asked))
                {
                    of_calls.push(*first);
                }
            }
            of_calls.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(calls(&mut index, &text), of_calls, "calls: {}", &text);
        }
    }

    /// What is typed is never a statement: whatever it is, a filter that parses runs, and the tables are as before.
    #[test]
    fn no_text_is_taken_for_a_statement(
        texts in vec(prop_oneof![
            ".{0,40}",
            "(\"|'|;|--|\\)|\\*|OR|AND|NEAR|DROP TABLE term|a|:|\\^|\\{|\u{0}|ü| ){0,12}",
            "(agent|rule|call):\"('|;|--|DROP TABLE posting|%|_|\\^|\u{10ffff}|a| ){0,8}\"",
        ], 1..20),
    ) {
        let bench = Bench::with(&three_calls());
        let mut index = bench.fresh();
        for text in &texts {
            let Ok(filter) = Filter::parse(text, NOW) else { continue };
            for space in [Space::Events, Space::Calls] {
                index.search(&filter, space, 5, None).unwrap();
                index.count(&filter, space, Facet::Rule).unwrap();
                index.unknown(&filter, space).unwrap();
            }
        }
        prop_assert_eq!(index.take_rebuilt(), None, "{:?}", &texts);
        prop_assert_eq!(calls(&mut index, "rule:guards/*"), [6, 4]);
    }
}

/// Every kind but one that the log itself reads: it has to say what a rotation says.
fn kinds() -> Vec<Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::KeyRotated).collect()
}

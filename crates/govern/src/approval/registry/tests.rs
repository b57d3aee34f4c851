use super::super::{AskedGuard, CallBytes, HELD_US, MAX_HELD, MAX_REASON_CHARS, Say, SealedApprovals};
use super::*;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Sealer, StateDir};
use vocab::id::{AgentId, Digest, RuleId, UserId};
use vocab::{Secret, Tier};

const S: i64 = 1_000_000;
const LIMITS: AskLimits = AskLimits { open_per_session: 3, per_hour: 20 };

/// Files in memory, which can be told to fail.
#[derive(Debug, Default)]
struct Memory {
    files: RefCell<BTreeMap<ApprovalId, Vec<u8>>>,
    full: Cell<bool>,
}

impl ApprovalFiles for &Memory {
    fn list(&self) -> Result<Vec<ApprovalId>, ApprovalFileError> {
        Ok(self.files.borrow().keys().cloned().collect())
    }

    fn read(&self, id: &ApprovalId) -> Result<Vec<u8>, ApprovalFileError> {
        self.files.borrow().get(id).cloned().ok_or(ApprovalFileError::Damaged)
    }

    fn write(&self, id: &ApprovalId, bytes: &[u8]) -> Result<(), ApprovalFileError> {
        if self.full.get() {
            return Err(ApprovalFileError::Damaged);
        }
        self.files.borrow_mut().insert(id.clone(), bytes.to_vec());
        Ok(())
    }

    fn remove(&self, id: &ApprovalId) -> Result<(), ApprovalFileError> {
        self.files.borrow_mut().remove(id);
        Ok(())
    }
}

fn asked(args: &str) -> Asked {
    Asked {
        session: SessionId::new("s1"),
        agent: AgentId::new("bot"),
        tier: Tier::High,
        user: Some(UserId::new("carl")),
        action: "desk/close".to_owned(),
        args_hash: args.to_owned(),
        effective_hash: args.to_owned(),
        definition: Digest::new("sha256:d"),
        bundle: Digest::new("sha256:b"),
        guards: vec![AskedGuard { rule: RuleId::new("careful"), text: Digest::new("sha256:t") }],
        approvers: ["secops".to_owned()].into(),
        quorum: 1,
        call: CallBytes(b"call".to_vec()),
    }
}

fn approvers() -> Approvers {
    let groups = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|&name| name.to_owned()).collect() };
    [
        (UserId::new("ada"), groups(&["secops"])),
        (UserId::new("bob"), groups(&["secops", "finance"])),
        (UserId::new("carl"), groups(&["secops"])),
        (UserId::new("dora"), groups(&[])),
    ]
    .into()
}

fn id(n: usize) -> ApprovalId {
    ApprovalId::new(format!("id-{n}"))
}

fn open(files: &Memory) -> Approvals<&Memory> {
    Approvals::open(files, LIMITS).unwrap().0
}

fn ask<F: ApprovalFiles>(
    approvals: &mut Approvals<F>,
    n: usize,
    asked: Asked,
    now: i64,
) -> Result<Requested, RequestError> {
    approvals.request(id(n), asked, 900, now)
}

fn say(who: &str, say: Say, at_us: i64) -> Answer {
    Answer { approver: UserId::new(who), say, reason: "because".to_owned(), at_us }
}

fn approve<F: ApprovalFiles>(approvals: &mut Approvals<F>, n: usize, who: &str, at: i64) -> Result<State, AnswerError> {
    approvals.answer(&id(n), say(who, Say::Approve, at), &approvers())
}

fn session() -> SessionId {
    SessionId::new("s1")
}

#[test]
fn approved_is_used_once() {
    let files = Memory::default();
    let mut approvals = open(&files);
    assert_eq!(ask(&mut approvals, 1, asked("a"), 0).unwrap(), Requested::New(id(1)));
    assert!(matches!(approvals.consume(&id(1), &session(), 1), Err(ConsumeError::NotApproved(State::Pending))));
    assert_eq!(approve(&mut approvals, 1, "ada", 1).unwrap(), State::Approved);
    assert!(matches!(approvals.consume(&id(1), &SessionId::new("s2"), 2), Err(ConsumeError::Unknown)));
    let used = approvals.consume(&id(1), &session(), 2).unwrap();
    assert_eq!((used.asked.call.0.as_slice(), used.answers.len()), (b"call".as_slice(), 1));
    let discharge = &used.discharges()[0];
    assert_eq!((discharge.rule.as_str(), &discharge.by), ("careful", &id(1)));
    assert!(matches!(approvals.consume(&id(1), &session(), 3), Err(ConsumeError::NotApproved(State::Consumed))));
    let mut again = open(&files);
    assert!(matches!(again.consume(&id(1), &session(), 3), Err(ConsumeError::NotApproved(State::Consumed))));
}

#[test]
fn who_may_answer() {
    let files = Memory::default();
    let mut approvals = open(&files);
    ask(&mut approvals, 1, asked("a"), 0).unwrap();
    assert!(matches!(approve(&mut approvals, 1, "eve", 1), Err(AnswerError::NotAnApprover(_))));
    assert!(matches!(approve(&mut approvals, 1, "dora", 1), Err(AnswerError::NotAsked(_))));
    assert!(matches!(approve(&mut approvals, 1, "carl", 1), Err(AnswerError::OwnCall(_))));
    assert!(matches!(approve(&mut approvals, 2, "ada", 1), Err(AnswerError::Unknown)));
    assert_eq!(approvals.find(&id(1)).unwrap().state, State::Pending);
    for (n, tier, own) in [(2, Tier::Critical, false), (3, Tier::Medium, true), (4, Tier::Low, true)] {
        let files = Memory::default();
        let mut approvals = open(&files);
        let call = Asked { tier, user: Some(UserId::new("Carl")), ..asked("a") };
        ask(&mut approvals, n, call, 0).unwrap();
        assert_eq!(approve(&mut approvals, n, "carl", 1).is_ok(), own, "{tier:?}");
    }
    let anyone = Asked { approvers: BTreeSet::new(), ..asked("b") };
    ask(&mut approvals, 5, anyone, 0).unwrap();
    assert_eq!(approve(&mut approvals, 5, "dora", 1).unwrap(), State::Approved);
    let by_name = Asked { approvers: ["dora".to_owned()].into(), ..asked("c") };
    ask(&mut approvals, 6, by_name, 0).unwrap();
    assert_eq!(approve(&mut approvals, 6, "dora", 1).unwrap(), State::Approved);
}

#[test]
fn a_quorum_is_of_different_people() {
    let files = Memory::default();
    let mut approvals = open(&files);
    ask(&mut approvals, 1, Asked { quorum: 2, ..asked("a") }, 0).unwrap();
    assert_eq!(approve(&mut approvals, 1, "ada", 1).unwrap(), State::Pending);
    assert!(matches!(approve(&mut approvals, 1, "ada", 2), Err(AnswerError::Twice(_))));
    assert_eq!(approve(&mut approvals, 1, "bob", 3).unwrap(), State::Approved);
    assert!(matches!(approve(&mut approvals, 1, "bob", 4), Err(AnswerError::NotPending(State::Approved))));
}

#[test]
fn every_group_must_agree_and_former_approvers_do_not_count() {
    let files = Memory::default();
    let mut approvals = open(&files);
    let both = || Asked { approvers: ["secops".to_owned(), "finance".to_owned()].into(), ..asked("a") };
    ask(&mut approvals, 1, both(), 0).unwrap();
    assert_eq!(approve(&mut approvals, 1, "ada", 1).unwrap(), State::Pending);
    assert_eq!(approve(&mut approvals, 1, "bob", 2).unwrap(), State::Approved);
    ask(&mut approvals, 2, Asked { quorum: 2, ..asked("b") }, 0).unwrap();
    assert_eq!(approve(&mut approvals, 2, "ada", 1).unwrap(), State::Pending);
    let mut without_ada = approvers();
    without_ada.remove(&UserId::new("ada"));
    assert_eq!(approvals.answer(&id(2), say("bob", Say::Approve, 2), &without_ada).unwrap(), State::Pending);
}

#[test]
fn a_refusal_needs_a_reason_and_binds_the_session() {
    let files = Memory::default();
    let mut approvals = open(&files);
    ask(&mut approvals, 1, asked("a"), 0).unwrap();
    let silent = Answer { reason: " ".to_owned(), ..say("ada", Say::Refuse, 1) };
    assert!(matches!(approvals.answer(&id(1), silent, &approvers()), Err(AnswerError::NoReason)));
    let long = |n: usize| Answer { reason: "ä".repeat(n), ..say("ada", Say::Refuse, 1) };
    let too_long = approvals.answer(&id(1), long(MAX_REASON_CHARS + 1), &approvers());
    assert!(matches!(too_long, Err(AnswerError::LongReason)));
    assert_eq!(approvals.answer(&id(1), long(MAX_REASON_CHARS), &approvers()).unwrap(), State::Denied);
    assert!(matches!(ask(&mut approvals, 2, asked("a"), 2), Err(RequestError::RefusedBefore)));
    let other_guards = Asked { guards: Vec::new(), effective_hash: "z".to_owned(), ..asked("a") };
    assert!(matches!(ask(&mut approvals, 2, other_guards, 2), Err(RequestError::RefusedBefore)));
    let mut again = open(&files);
    assert!(matches!(ask(&mut again, 2, asked("a"), 2), Err(RequestError::RefusedBefore)));
    assert!(ask(&mut again, 2, asked("b"), 2).is_ok());
    assert!(ask(&mut again, 3, Asked { session: SessionId::new("s2"), ..asked("a") }, 2).is_ok());
    assert!(ask(&mut again, 4, Asked { action: "desk/open".to_owned(), ..asked("a") }, 2).is_ok());
}

#[test]
fn time_runs_out() {
    let files = Memory::default();
    let mut approvals = open(&files);
    ask(&mut approvals, 1, asked("a"), 0).unwrap();
    ask(&mut approvals, 2, asked("b"), 0).unwrap();
    assert_eq!(approve(&mut approvals, 2, "ada", 899 * S).unwrap(), State::Approved);
    assert!(approvals.expire(900 * S - 1).unwrap().is_empty());
    assert!(matches!(approve(&mut approvals, 1, "ada", 900 * S), Err(AnswerError::NotPending(_))));
    assert!(matches!(approvals.consume(&id(2), &session(), 900 * S), Err(ConsumeError::NotApproved(State::Expired))));
    assert_eq!(approvals.pending(900 * S).count(), 0);
    assert_eq!(approvals.expire(900 * S).unwrap().len(), 2);
    assert!(approvals.expire(900 * S).unwrap().is_empty());
    assert_eq!(ask(&mut approvals, 3, asked("a"), 900 * S).unwrap(), Requested::New(id(3)), "time is no refusal");
}

#[test]
fn the_same_question_is_asked_once() {
    let files = Memory::default();
    let mut approvals = open(&files);
    ask(&mut approvals, 1, asked("a"), 0).unwrap();
    assert_eq!(ask(&mut approvals, 2, asked("a"), 1).unwrap(), Requested::Same(id(1), State::Pending));
    approve(&mut approvals, 1, "ada", 2).unwrap();
    assert_eq!(ask(&mut approvals, 2, asked("a"), 3).unwrap(), Requested::Same(id(1), State::Approved));
    let more = Asked { guards: Vec::new(), ..asked("a") };
    assert_eq!(ask(&mut approvals, 2, more, 4).unwrap(), Requested::New(id(2)), "other guards are another question");
    assert_eq!(approvals.find(&id(1)).unwrap().state, State::Expired, "and take the place of the first");
}

#[test]
fn open_asks_of_a_session_are_few() {
    let files = Memory::default();
    let mut approvals = open(&files);
    for n in 0..3 {
        assert!(ask(&mut approvals, n, asked(&n.to_string()), 0).is_ok());
    }
    assert!(matches!(ask(&mut approvals, 3, asked("3"), 1), Err(RequestError::TooManyOpen)));
    assert!(ask(&mut approvals, 4, Asked { quorum: 2, ..asked("0") }, 1).is_ok(), "taking a place needs none");
    assert!(ask(&mut approvals, 5, Asked { session: SessionId::new("s2"), ..asked("3") }, 1).is_ok());
    approve(&mut approvals, 1, "ada", 2).unwrap();
    assert!(ask(&mut approvals, 6, asked("3"), 3).is_ok());
}

#[test]
fn asks_of_an_agent_within_an_hour_are_few() {
    let files = Memory::default();
    let mut approvals = open(&files);
    let from = |n: usize| Asked { session: SessionId::new(format!("s{n}")), ..asked("a") };
    for n in 0..20 {
        assert!(ask(&mut approvals, n, from(n), 0).is_ok(), "{n}");
    }
    for n in 0..20 {
        approvals.forget_session(&SessionId::new(format!("s{n}")), 1).unwrap();
    }
    let mut again = open(&files);
    assert!(matches!(ask(&mut again, 20, from(20), HOUR_US - 1), Err(RequestError::TooManyThisHour)));
    assert!(ask(&mut again, 21, Asked { agent: AgentId::new("eve"), ..from(20) }, HOUR_US - 1).is_ok());
    assert!(ask(&mut again, 22, from(22), HOUR_US).is_ok());
}

#[test]
fn ids_and_lengths_are_bounded() {
    let files = Memory::default();
    let mut approvals = open(&files);
    for bad in ["", "../x", "a/b", "a.b", &"x".repeat(65)] {
        let answer = approvals.request(ApprovalId::new(bad), asked("a"), 900, 0);
        assert!(matches!(answer, Err(RequestError::Id)), "{bad}");
    }
    let long = |n: usize| Asked { call: CallBytes(vec![0; n]), ..asked("a") };
    assert!(matches!(ask(&mut approvals, 1, long(MAX_CALL_BYTES + 1), 0), Err(RequestError::TooLong)));
    assert!(ask(&mut approvals, 1, long(MAX_CALL_BYTES), 0).is_ok());
    assert!(matches!(ask(&mut approvals, 1, asked("b"), 0), Err(RequestError::Id)), "an id is used once");
}

#[test]
fn the_number_kept_is_bounded_and_pruned() {
    let files = Memory::default();
    let mut approvals = open(&files);
    let template = {
        ask(&mut approvals, 0, asked("a"), 0).unwrap();
        approvals.find(&id(0)).unwrap().clone()
    };
    for n in 1..MAX_KEPT {
        let asked = Asked { agent: AgentId::new(n.to_string()), session: SessionId::new(n.to_string()), ..asked("a") };
        approvals.by_id.insert(id(n), Approval { id: id(n), state: State::Denied, asked, ..template.clone() });
    }
    let late = HOUR_US;
    let next = || Asked { session: SessionId::new("new"), ..asked("a") };
    assert!(matches!(ask(&mut approvals, MAX_KEPT, next(), late), Err(RequestError::Full)));
    approvals.prune(900 * S + KEPT_US).unwrap();
    assert_eq!(approvals.iter().count(), MAX_KEPT, "exactly a week is kept");
    approvals.prune(900 * S + KEPT_US + 1).unwrap();
    assert_eq!(approvals.iter().count(), 1, "what is not settled stays");
    assert!(ask(&mut approvals, MAX_KEPT, next(), late).is_ok());
}

#[test]
fn results_are_held_for_one_identical_retry() {
    let files = Memory::default();
    let mut approvals = open(&files);
    ask(&mut approvals, 1, asked("a"), 0).unwrap();
    assert_eq!(approvals.store_result(&id(1), vec![1], 1), Err(StoreResultError::Unknown));
    approve(&mut approvals, 1, "ada", 1).unwrap();
    approvals.consume(&id(1), &session(), 2).unwrap();
    assert_eq!(approvals.store_result(&id(1), vec![0; MAX_RESULT_BYTES + 1], 3), Err(StoreResultError::TooLong));
    approvals.store_result(&id(1), vec![0; MAX_RESULT_BYTES], 3).unwrap();
    approvals.store_result(&id(1), vec![7], 3).unwrap();
    assert_eq!(approvals.take_result(&session(), "desk/close", "b", 4), None);
    assert_eq!(approvals.take_result(&session(), "desk/open", "a", 4), None);
    assert_eq!(approvals.take_result(&SessionId::new("s2"), "desk/close", "a", 4), None);
    assert_eq!(approvals.take_result(&session(), "desk/close", "a", 4), Some(vec![7]));
    assert_eq!(approvals.take_result(&session(), "desk/close", "a", 4), None);
    approvals.store_result(&id(1), vec![7], 5).unwrap();
    assert_eq!(approvals.take_result(&session(), "desk/close", "a", 5 + HELD_US), None);
    approvals.store_result(&id(1), vec![7], 5).unwrap();
    assert_eq!(approvals.take_result(&session(), "desk/close", "a", 4 + HELD_US), Some(vec![7]));
    approvals.store_result(&id(1), vec![7], 5).unwrap();
    approvals.forget_session(&session(), 6).unwrap();
    assert_eq!(approvals.take_result(&session(), "desk/close", "a", 6), None);
}

#[test]
fn held_results_are_few() {
    let mut held = Held::default();
    for n in 0..=MAX_HELD {
        held.put(&asked(&n.to_string()), vec![], 0);
    }
    assert_eq!(held.take(&session(), "desk/close", "0", 1), None, "the oldest went");
    assert!(held.take(&session(), "desk/close", "1", 1).is_some());
}

#[test]
fn what_cannot_be_written_does_not_happen() {
    let files = Memory::default();
    let mut approvals = open(&files);
    files.full.set(true);
    assert!(matches!(ask(&mut approvals, 1, asked("a"), 0), Err(RequestError::File(_))));
    assert_eq!(approvals.iter().count(), 0);
    files.full.set(false);
    ask(&mut approvals, 1, asked("a"), 0).unwrap();
    files.full.set(true);
    assert!(approve(&mut approvals, 1, "ada", 1).is_err());
    assert_eq!(approvals.find(&id(1)).unwrap().state, State::Pending);
    files.full.set(false);
    approve(&mut approvals, 1, "ada", 1).unwrap();
    files.full.set(true);
    assert!(matches!(approvals.consume(&id(1), &session(), 2), Err(ConsumeError::File(_))));
    assert_eq!(approvals.find(&id(1)).unwrap().state, State::Approved);
}

#[test]
fn sealed_files_survive_a_restart_and_damage_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let state = Arc::new(StateDir::open(&dir.path().join("state")).unwrap());
    let files = || SealedApprovals::new(Arc::clone(&state), Sealer::new(&Secret::new([1; 32]), "approvals"));
    let (mut approvals, damaged) = Approvals::open(files(), LIMITS).unwrap();
    assert!(damaged.is_empty());
    ask(&mut approvals, 1, asked("needle"), 0).unwrap();
    ask(&mut approvals, 2, asked("b"), 0).unwrap();
    approve(&mut approvals, 1, "ada", 1).unwrap();
    let raw = state.read("approvals/id-1").unwrap().unwrap();
    assert!(!raw.windows(6).any(|window| window == b"needle"));
    // Somebody puts the approved file in the place of the pending one.
    state.write("approvals/id-2", &raw).unwrap();
    let (mut again, damaged) = Approvals::open(files(), LIMITS).unwrap();
    assert_eq!(damaged, [id(2)]);
    assert_eq!(again.find(&id(1)), approvals.find(&id(1)));
    assert!(again.find(&id(2)).is_none());
    assert!(again.consume(&id(1), &session(), 2).is_ok());
    let other_key = SealedApprovals::new(Arc::clone(&state), Sealer::new(&Secret::new([2; 32]), "approvals"));
    assert_eq!(Approvals::open(other_key, LIMITS).unwrap().1.len(), 2);
}

#[test]
fn an_ask_from_a_time_that_has_not_come_waits_no_longer() {
    let day = 86_400 * S;
    let (files, now) = (Memory::default(), 400 * day);
    let mut approvals = open(&files);
    ask(&mut approvals, 1, asked("a"), now).unwrap();
    ask(&mut approvals, 2, asked("b"), now).unwrap();
    approve(&mut approvals, 1, "ada", now + S).unwrap();
    // A restart after the clock was set back by a day, or a year: neither counts until then.
    for back in [day, 365 * day] {
        let mut approvals = open(&files);
        let answered = approve(&mut approvals, 2, "ada", now - back);
        assert!(matches!(answered, Err(AnswerError::NotPending(State::Pending))), "{answered:?}");
        let used = approvals.consume(&id(1), &SessionId::new("s1"), now - back);
        assert!(matches!(used, Err(ConsumeError::NotApproved(State::Expired))), "{used:?}");
    }
    let mut approvals = open(&files);
    assert_eq!(approvals.expire(now).unwrap().len(), 0);
    assert_eq!(approvals.expire(now - day).unwrap().len(), 2);
}

proptest! {
    /// Whatever happens in whichever order: an approval is consumed at most once, never after a refusal or its time,
    /// and never without enough approvals; and a restart at any moment changes nothing.
    #[test]
    fn nothing_runs_without_its_people(steps in proptest::collection::vec((0_u8..6, 0_usize..4, 0_i64..400), 1..40)) {
        let files = Memory::default();
        let mut approvals = open(&files);
        ask(&mut approvals, 0, Asked { quorum: 2, ..asked("a") }, 0).unwrap();
        let (mut now, mut used) = (0, 0);
        for (step, who, later) in steps {
            now += later * S / 4;
            let person = ["ada", "bob", "carl", "dora"][who];
            match step {
                0..=2 => drop(approve(&mut approvals, 0, person, now)),
                3 if later % 7 == 0 => drop(approvals.answer(&id(0), say(person, Say::Refuse, now), &approvers())),
                3 => drop(approvals.expire(now).unwrap()),
                4 => approvals = open(&files),
                _ => if let Ok(approval) = approvals.consume(&id(0), &session(), now) {
                    used += 1;
                    prop_assert!(now < approval.expires_us);
                    prop_assert!(approval.answers.iter().all(|answer| answer.say == Say::Approve));
                    let people: BTreeSet<&UserId> = approval.answers.iter().map(|answer| &answer.approver).collect();
                    prop_assert_eq!(people.len(), 2);
                },
            }
        }
        prop_assert!(used <= 1);
    }
}

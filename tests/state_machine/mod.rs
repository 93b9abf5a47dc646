//! Random sequences of all account and user operations: one caller against a small model, which says
//! what each answer must be, and many callers against what must hold whatever they do.
//!
//! `STATE_MACHINE_CASES` sets how many sequences and how many rounds are tried, `STATE_MACHINE_SEED`
//! where the random numbers begin. What fails says its seed.

mod concurrent;
pub mod invariants;
mod model;
mod ownership;
pub mod steps;

use crate::harness::{Client, Server, exchange};
use campanile::operations::{Operation, table};
use campanile::store::Access;
use model::{ENDED, Heard, Model, NEWCOMER, Span, difference};
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use steps::{ACCEPT_INVITE, DAYS_PASS, Step, step};

/// How many sequences are tried when nobody says: what fits into half a minute on two cores.
const CASES: u64 = 40;
const STEPS_MAX: usize = 150;
/// How many attempts to make a failing sequence shorter are worth waiting for.
const SHRINK_MAX: u32 = 2000;
pub const SEED: u64 = 20_181_220;
const MILLISECONDS_A_DAY: i64 = 24 * 60 * 60 * 1000;

#[test]
fn every_operation_on_accounts_and_users_has_a_step() {
    let steps = steps::operations();
    // Moving in and out has a property of its own: see `tests/transfer`.
    let others = ["iam:", "Import", "Export", "LookupEvents"];
    let is_other = |name: &str| others.iter().any(|other| name.contains(other));
    for operation in table() {
        let has_step = steps.contains(&operation.name);
        assert_ne!(has_step, is_other(operation.name), "{} needs a step", operation.name);
    }
    let known = |name: &&&str| table().iter().any(|line| line.name == **name);
    let others = [DAYS_PASS, ACCEPT_INVITE].len();
    assert_eq!(steps.iter().filter(known).count(), steps.len() - others, "{steps:?}");
}

#[test]
fn one_caller_is_answered_as_the_model_says() {
    let server = Server::start();
    let cases = AtomicU64::new(0);
    let outcomes = Outcomes::default();
    let (cases_max, seed) =
        (setting("STATE_MACHINE_CASES", CASES), setting("STATE_MACHINE_SEED", SEED));
    let config = Config {
        cases: u32::try_from(cases_max).unwrap(),
        failure_persistence: None,
        max_shrink_iters: SHRINK_MAX,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng(seed));
    let failed = runner.run(&vec(step(), 0..STEPS_MAX), |steps| {
        let aws_account_id = format!("{:012}", cases.fetch_add(1, Ordering::Relaxed));
        play(&server, &aws_account_id, &steps, &outcomes).map_err(TestCaseError::fail)
    });
    match failed {
        Ok(()) if cases_max < CASES => {}
        Ok(()) => outcomes.assert_all_seen(),
        Err(TestError::Fail(reason, steps)) => {
            let steps: Vec<_> =
                first_steps().iter().chain(&steps).map(|it| format!("{it:?}\n")).collect();
            panic!(
                "STATE_MACHINE_SEED={seed}: {reason}\nThe shortest sequence found:\n{}",
                steps.concat()
            )
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

pub fn setting(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "tests have settings of their own")]
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

pub fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// What every sequence begins with: without accounts nothing is of interest.
fn first_steps() -> [Step; 2] {
    ["first", "second"].map(|name| Step::new("CreateAccount", json!({ "Name": name })))
}

fn play(
    server: &Server,
    aws_account_id: &str,
    steps: &[Step],
    outcomes: &Outcomes,
) -> Result<(), String> {
    let client = server.client_of(aws_account_id);
    let model = Model::new(aws_account_id);
    let mut play = Play { server, client, model, outcomes };
    for step in first_steps().iter().chain(steps) {
        let members = step.members(&play.model.known(), aws_account_id);
        if !play.model.is_certain(&members) {
            continue;
        }
        play.request(step.operation, &members)?;
        play.learn_ids()?;
        // Within a sequence, too: where much has changed at once.
        if ["ReleaseDomain", "RestoreAccount"].contains(&step.operation) {
            play.read_all(2..3)?;
        }
    }
    play.read_all(1..4)
}

/// One caller and its model.
struct Play<'a> {
    server: &'a Server,
    client: Client,
    model: Model,
    outcomes: &'a Outcomes,
}

impl Play<'_> {
    /// Makes a request, and compares the answer with the model's.
    fn request(&mut self, operation: &str, members: &Value) -> Result<(), String> {
        let clock = self.client.clock.clock();
        let from = clock.now();
        let answer = self.call(operation, members);
        let span = Span(from, clock.now());
        let none = Value::Null;
        let heard = Heard { operation, members, answer: answer.as_ref().unwrap_or(&none), span };
        let expected = self.model.apply(&heard);
        let wrong = match (&expected, &answer) {
            (Ok(expected), Ok(answer)) => difference(expected, answer),
            (Err(expected), Err(answer)) if expected == answer => None,
            (Ok(expected), Err(exception)) => {
                Some(format!(" is {exception}, should be {expected}"))
            }
            (Err(exception), Ok(answer)) => Some(format!(" is {answer}, should be {exception}")),
            (Err(expected), Err(exception)) => {
                Some(format!(" is {exception}, should be {expected}"))
            }
        };
        if let Some(wrong) = wrong {
            return Err(format!("{operation} {members}: the answer{wrong}"));
        }
        self.outcomes.add(operation, expected.err());
        Ok(())
    }

    /// Returns the answer, with all the pages of a list in one, or the exception.
    fn call(&self, operation: &str, members: &Value) -> Result<Value, String> {
        if operation == DAYS_PASS {
            self.server.move_time(members["Days"].as_i64().unwrap() * MILLISECONDS_A_DAY);
            return Ok(Value::Null);
        }
        if operation.starts_with("List") {
            return self.walk(operation, members);
        }
        if operation == ACCEPT_INVITE {
            accept_invite(&self.client, members)?;
            return self.call("GetUser", members);
        }
        let answer = self.client.call(operation, members.clone());
        match answer.status {
            204 => Ok(Value::Null),
            0..300 => Ok(answer.json()),
            _ => Err(answer.error().0),
        }
    }

    fn walk(&self, operation: &str, members: &Value) -> Result<Value, String> {
        let (mut members, mut items) = (members.clone(), Vec::new());
        members.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        loop {
            let answer = self.client.call(operation, members.clone());
            if answer.status >= 400 {
                return Err(answer.error().0);
            }
            let mut answer = answer.json();
            let token = answer["NextToken"].take();
            answer.as_object_mut().unwrap().remove("NextToken");
            let (name, page) = answer.as_object_mut().unwrap().iter_mut().next().unwrap();
            let page = page.as_array_mut().unwrap();
            // Only what can no longer be restored may leave a gap in a page.
            let may_have_gaps = operation == "ListDeletedAccounts";
            if let Some(max) = members["MaxResults"].as_u64() {
                assert!(page.len() as u64 <= max, "{operation} {members}: {page:?}");
                assert!(token.is_null() || may_have_gaps || page.len() as u64 == max, "{page:?}");
            }
            items.append(page);
            if token.is_null() {
                if may_have_gaps {
                    sort_deleted(&mut items);
                }
                return Ok(json!({ name: items }));
            }
            members["NextToken"] = token;
        }
    }

    /// Asks for the ids of users whom `InviteUsers` made.
    fn learn_ids(&mut self) -> Result<(), String> {
        let client = &self.client;
        for (account_id, email, id) in self.model.nameless() {
            let members = json!({"AccountId": account_id, "UserEmail": email});
            let found = client.ok("ListUsers", members);
            let user = found["Users"][0]["UserId"].as_str();
            user.ok_or_else(|| format!("{email} was invited, and is not listed"))?.clone_into(id);
        }
        Ok(())
    }

    fn read_all(&mut self, pages: Range<u32>) -> Result<(), String> {
        for (operation, members) in self.model.reads(pages) {
            self.request(operation, &members)?;
        }
        Ok(())
    }
}

/// Opens the link of an invite, as the person whom it is for.
pub fn accept_invite(client: &Client, members: &Value) -> Result<(), String> {
    let answer = client.call("GetInvite", members.clone());
    if answer.status >= 400 {
        return Err(answer.error().0);
    }
    let invite = answer.json();
    let Some(url) = invite["Url"].as_str() else { return Err(ENDED.to_owned()) };
    let path = url.strip_prefix(&format!("http://{}", client.address)).unwrap();
    let form = format!("display_name={NEWCOMER}");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        client.address,
        form.len()
    );
    match exchange(client.address, request.as_bytes()).status {
        303 => Ok(()),
        403 => Err("ForbiddenException".to_owned()),
        404 => Err(ENDED.to_owned()),
        status => panic!("the page of {url} answers {status}"),
    }
}

/// Asserts that deleted accounts come in the order in which they were deleted, and puts them into
/// that of their ids, which is the model's.
fn sort_deleted(accounts: &mut [Value]) {
    let key =
        |it: &Value| [&it["DeletedTimestamp"], &it["Account"]["AccountId"]].map(Value::to_string);
    assert!(accounts.is_sorted_by_key(key), "{accounts:?}");
    accounts.sort_by_key(|it| it["Account"]["AccountId"].to_string());
}

/// How often each operation succeeded, and failed in which way: a sequence in which hardly anything
/// succeeds shows little.
#[derive(Default)]
struct Outcomes(Mutex<BTreeMap<(String, &'static str), usize>>);

impl Outcomes {
    fn add(&self, operation: &str, exception: Option<&'static str>) {
        let key = (operation.to_owned(), exception.unwrap_or("success"));
        *self.0.lock().unwrap().entry(key).or_default() += 1;
    }

    fn assert_all_seen(&self) {
        let seen = self.0.lock().unwrap();
        for operation in steps::operations() {
            assert!(seen.contains_key(&(operation.to_owned(), "success")), "{operation}: {seen:?}");
        }
        for operation in steps::operations().into_iter().filter(|it| is_refused_on_suspended(it)) {
            let refused = (operation.to_owned(), "ForbiddenException");
            assert!(seen.contains_key(&refused), "{operation} on a suspended account: {seen:?}");
        }
    }
}

/// Tells whether an operation changes an account in a way in which a suspended one is not changed.
fn is_refused_on_suspended(operation: &str) -> bool {
    let allowed =
        ["ActivateAccount", "CreateAccount", "DeleteAccount", "RestoreAccount", "SuspendAccount"];
    let is_write = |line: &&Operation| line.name == operation && line.access == Access::Write;
    table().iter().any(|line| is_write(&line)) && !allowed.contains(&operation)
}

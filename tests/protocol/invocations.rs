//! A call that its client makes again, because it did not learn what became of it, is done once.

use crate::conformance::directory::server_with;
use crate::conformance::{baseline, operations, send};
use crate::harness::{Client, Options, Server};
use crate::state_machine::invariants::events;
use campanile::operations::{find, invocations::KEPT_MILLISECONDS};
use campanile::store::Access;
use serde_json::{Value, json};

/// How often a test asks for what comes of itself.
const ASKS_MAX: usize = 10_000;

/// Every operation that writes leaves an event each time that it is done.
#[test]
fn a_call_that_is_made_again_is_answered_again_and_not_done_again() {
    let server = server_with(Options::default());
    let client = server.client();
    let mut tried = 0;
    for operation in operations() {
        if find(&operation.name).unwrap().access != Access::Write {
            continue;
        }
        tried += 1;
        let members = baseline(&client, operation, false);
        let before = events(&client).unwrap().len();
        let answers = [1, 2, 3].map(|number| {
            let attempt = client.attempt(&operation.name, number);
            let answer = send(&attempt, operation, &members);
            assert!(answer.status < 300, "{} {number}: {answer:?}", operation.name);
            answer
        });
        for answer in &answers[1..] {
            let was = (answers[0].status, &answers[0].body);
            assert_eq!((answer.status, &answer.body), was, "{}", operation.name);
        }
        assert_eq!(events(&client).unwrap().len(), before + 1, "{}", operation.name);
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn another_call_is_done_for_itself() {
    let server = Server::start();
    let client = server.client();
    let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let other = server.user("other", &json!({"Version": "2012-10-17", "Statement": allow}));
    let first = client.attempt("1a7dc4e5-8d0f-4f2b-9c1e-3b1a5d6f7e80", 1);
    let mut ids = vec![
        first.create_account("My"),
        // Without an id, by another caller, with another id, for something else.
        client.create_account("My"),
        Client { invocation: first.invocation.clone(), ..other }.create_account("My"),
        client.attempt("another", 1).create_account("My"),
        first.create_account("Mine"),
    ];
    for no_id in ["", &"x".repeat(129)] {
        ids.extend([1, 2].map(|number| client.attempt(no_id, number).create_account("My")));
    }
    // The first attempt can be late, too.
    assert_eq!(first.create_account("My"), ids[0]);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert_eq!(listed(&client), count);
}

#[test]
fn a_call_that_was_refused_is_made_again() {
    let server = Server::start();
    let client = server.client();
    let members = json!({"AccountId": client.create_account("My"), "Name": "Yours"});
    let account = json!({"AccountId": members["AccountId"]});
    client.ok("DeleteAccount", account.clone());
    let answer = client.attempt("one", 1).call("UpdateAccount", members.clone());
    assert_eq!(answer.status, 404, "{answer:?}");
    client.ok("RestoreAccount", account);
    client.attempt("one", 2).ok("UpdateAccount", members);
}

/// What an earlier attempt did is not what the next one finds in its way.
#[test]
fn what_was_done_is_not_refused_to_who_asks_again() {
    let server = Server::start();
    let client = server.client();
    let account = json!({"AccountId": client.create_account("My")});
    for number in [1, 2] {
        client.attempt("one", number).ok("DeleteAccount", account.clone());
    }
    assert_eq!(client.attempt("two", 1).error("DeleteAccount", account).0, "NotFoundException");
}

#[test]
fn a_restart_does_not_forget_what_was_answered() {
    let server = Server::start();
    if !server.is_durable() {
        return;
    }
    let id = server.client().attempt("one", 1).create_account("My");
    let server = server.restart();
    assert_eq!(server.client().attempt("one", 2).create_account("My"), id);
}

#[test]
fn an_answer_is_kept_as_long_as_a_client_may_go_on() {
    let server = Server::start();
    let client = server.client();
    let id = client.attempt("one", 1).create_account("My");
    server.move_time(KEPT_MILLISECONDS - 60 * 1000);
    assert_eq!(client.attempt("one", 2).create_account("My"), id);
    // As many as two transactions remove, and one more.
    for number in 0..401 {
        client.attempt(&number.to_string(), 1).create_account("My");
    }
    server.move_time(KEPT_MILLISECONDS + 11 * 60 * 1000);
    let is_new = |_| client.attempt("400", 2).create_account("My");
    let before = listed(&client);
    let mut attempts = (0..ASKS_MAX).map(is_new);
    attempts.find(|_| listed(&client) > before).expect("answers are removed");
}

fn listed(client: &Client) -> usize {
    let (mut count, mut members) = (0, json!({"MaxResults": 100}));
    loop {
        let page = client.ok("ListAccounts", members);
        count += page["Accounts"].as_array().unwrap().len();
        match &page["NextToken"] {
            Value::Null => return count,
            token => members = json!({"MaxResults": 100, "NextToken": token}),
        }
    }
}

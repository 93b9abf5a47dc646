//! Many who want the same at once: each is served, or told in time to come back, and nothing is done that
//! was not told.

use super::{server_at, text};
use crate::harness::postgres;
use crate::state_machine::invariants;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 8;
const CALLS: usize = 12;
/// Within what time everybody is answered: less than a client waits.
const ANSWER_MAX: Duration = Duration::from_secs(30);

#[test]
fn many_writes_of_one_account_succeed_or_are_told_to_come_back() {
    let location = postgres::location_of(&postgres::new_schema());
    let servers = [server_at(location.clone()), server_at(location)];
    let root = servers[0].client();
    let account = root.create_account("a");
    let barrier = Barrier::new(CLIENTS);
    let told: BTreeMap<String, (u16, String)> = thread::scope(|scope| {
        let clients = servers.iter().cycle().take(CLIENTS).enumerate().map(|(number, server)| {
            let (client, account, barrier) = (server.client(), &account, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let call = |call: usize| {
                    let name = format!("{number} {call}");
                    let begin = Instant::now();
                    let members = json!({"AccountId": account, "Name": name});
                    let answer = client.call("UpdateAccount", members);
                    assert!(begin.elapsed() < ANSWER_MAX, "after {:?}", begin.elapsed());
                    if answer.status != 200 {
                        assert_eq!(answer.status, 503, "{answer:?}");
                        assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
                        let message = text(&answer.json()["Message"]);
                        assert!(!message.contains("LookupEvents"), "it is known: {message}");
                    }
                    let request_id = answer.header("x-amzn-requestid").unwrap().to_owned();
                    (request_id, (answer.status, name))
                };
                (0..CALLS).map(call).collect::<Vec<_>>()
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let (done, refused): (Vec<_>, Vec<_>) =
        told.iter().partition(|(_, (status, _))| *status == 200);
    println!("{} were done, and {} refused", done.len(), refused.len());
    assert!(!done.is_empty(), "nobody got through");
    let events = invariants::events(&root).unwrap();
    for (request_id, (status, name)) in &told {
        let event = events.get(request_id);
        assert_eq!(event, (*status == 200).then_some(&None), "{name}: {status}");
    }
    let name = text(&root.ok("GetAccount", json!({"AccountId": account}))["Account"]["Name"]);
    assert!(done.iter().any(|(_, (_, done))| *done == name), "{name} was not done");
}

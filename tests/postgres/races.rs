//! Two requests at once, each at another server: together they end as if one had come after the other.

use super::server_at;
use crate::harness::{Answer, Client, Server, postgres};
use crate::state_machine::invariants::walk;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Barrier, LazyLock};
use std::thread;

const ROUNDS: usize = 20;

/// Two requests, what they are about, and what there is afterwards.
struct Race {
    name: &'static str,
    /// Makes what both are about. All names have a mark in them that no other round has.
    prepare: fn(&Client, &str) -> Value,
    first: Request,
    second: Request,
}

/// The operation, and its members of what was prepared.
type Request = (&'static str, fn(&Value) -> Value);

/// What became of a race: both answers, and what there is afterwards, without what is made by chance.
type Outcome = [String; 3];

const RACES: [Race; 9] = [
    Race {
        name: "two users with one address",
        prepare: enterprise,
        first: ("CreateUser", |it| json!({"AccountId": it["A"], "Email": it["Email"]})),
        second: ("CreateUser", |it| json!({"AccountId": it["B"], "Email": it["Email"]})),
    },
    Race {
        name: "two invitations of one address",
        prepare: teams,
        first: ("InviteUsers", |it| invited(it, "A", &["Email", "Other"])),
        second: ("InviteUsers", |it| invited(it, "B", &["Other", "Email"])),
    },
    Race {
        name: "two claims of one domain",
        prepare: teams,
        first: ("ClaimDomain", |it| json!({"AccountId": it["A"], "DomainName": it["Domain"]})),
        second: ("ClaimDomain", |it| json!({"AccountId": it["B"], "DomainName": it["Domain"]})),
    },
    Race {
        name: "a batch that suspends beside one that does not",
        prepare: enterprise_with_users,
        first: ("BatchSuspendUser", |it| users(it, &["U", "V"])),
        second: ("BatchUnsuspendUser", |it| users(it, &["V", "U"])),
    },
    Race {
        name: "a batch that suspends beside an update",
        prepare: enterprise_with_users,
        first: ("BatchSuspendUser", |it| users(it, &["U", "V"])),
        second: (
            "UpdateUser",
            |it| json!({"AccountId": it["A"], "UserId": it["V"], "LicenseType": "Basic"}),
        ),
    },
    Race {
        name: "a batch that updates beside an end of sessions",
        prepare: enterprise_with_users,
        first: ("BatchUpdateUser", |it| {
            let update = |user: &str| json!({"UserId": it[user], "LicenseType": "Basic"});
            json!({"AccountId": it["A"], "UpdateUserRequestItems": [update("U"), update("V")]})
        }),
        second: ("LogoutUser", |it| json!({"AccountId": it["A"], "UserId": it["U"]})),
    },
    Race {
        name: "a deletion beside an invitation",
        prepare: teams,
        first: ("DeleteAccount", |it| json!({"AccountId": it["A"]})),
        second: ("InviteUsers", |it| invited(it, "A", &["Email", "Other"])),
    },
    Race {
        name: "a suspension beside a new user",
        prepare: enterprise,
        first: ("SuspendAccount", |it| json!({"AccountId": it["A"]})),
        second: ("CreateUser", |it| json!({"AccountId": it["A"], "Email": it["Email"]})),
    },
    Race {
        name: "an IAM user's end beside a key of it",
        prepare: |client, mark| {
            client.ok("iam:CreateUser", json!({"UserName": mark}));
            json!({"UserName": mark})
        },
        first: ("iam:DeleteUser", Value::clone),
        second: ("iam:CreateAccessKey", Value::clone),
    },
];

fn teams(client: &Client, mark: &str) -> Value {
    let of = |name: &str| format!("{name}@{mark}.example.com");
    json!({
        "A": client.create_account(&format!("a {mark}")),
        "B": client.create_account(&format!("b {mark}")),
        "Domain": format!("{mark}.example.net"),
        "Email": of("email"),
        "Other": of("other"),
    })
}

fn enterprise(client: &Client, mark: &str) -> Value {
    let prepared = teams(client, mark);
    for account in ["A", "B"] {
        let domain = format!("{account}.{mark}.example.org").to_lowercase();
        client.ok("ClaimDomain", json!({"AccountId": prepared[account], "DomainName": domain}));
    }
    prepared
}

fn enterprise_with_users(client: &Client, mark: &str) -> Value {
    let mut prepared = enterprise(client, mark);
    for user in ["U", "V"] {
        let email = format!("{user}@{mark}.example.com");
        let made = client.ok("CreateUser", json!({"AccountId": prepared["A"], "Email": email}));
        prepared[user] = made["User"]["UserId"].clone();
    }
    prepared
}

fn users(prepared: &Value, names: &[&str]) -> Value {
    let ids: Vec<_> = names.iter().map(|name| &prepared[name]).collect();
    json!({"AccountId": prepared["A"], "UserIdList": ids})
}

fn invited(prepared: &Value, account: &str, emails: &[&str]) -> Value {
    let emails: Vec<_> = emails.iter().map(|email| &prepared[email]).collect();
    json!({"AccountId": prepared[account], "UserEmailList": emails})
}

#[test]
fn two_requests_at_two_servers_end_as_one_after_the_other() {
    let location = postgres::location_of(&postgres::new_schema());
    let servers = [server_at(location.clone()), server_at(location)];
    let clients = servers.each_ref().map(Server::client);
    for (number, race) in RACES.into_iter().enumerate() {
        let serial = [false, true].map(|is_swapped| {
            let mark = format!("serial{number}x{}mark", u8::from(is_swapped));
            race.one_after_the_other(&clients[0], &mark, is_swapped)
        });
        let mut ended = BTreeMap::<_, usize>::new();
        for round in 0..ROUNDS {
            let outcome = race.at_once(&clients, &format!("round{number}x{round}mark"));
            let order = serial.iter().position(|it| *it == outcome);
            let Some(order) = order else {
                panic!("{} ended as {outcome:#?}, and neither as {serial:#?}", race.name)
            };
            *ended.entry(order).or_default() += 1;
        }
        println!("{}: {ended:?}", race.name);
    }
}

impl Race {
    fn one_after_the_other(&self, client: &Client, mark: &str, is_swapped: bool) -> Outcome {
        let prepared = (self.prepare)(client, mark);
        let run = |(operation, members): Request| client.call(operation, members(&prepared));
        let [first, second] = if is_swapped {
            let second = run(self.second);
            [run(self.first), second]
        } else {
            [run(self.first), run(self.second)]
        };
        outcome(client, &prepared, [first, second])
    }

    fn at_once(&self, clients: &[Client; 2], mark: &str) -> Outcome {
        let prepared = (self.prepare)(&clients[0], mark);
        let barrier = Barrier::new(2);
        let run = |client: &Client, (operation, members): Request| {
            let members = members(&prepared);
            barrier.wait();
            client.call(operation, members)
        };
        let answers = thread::scope(|scope| {
            let first = scope.spawn(|| run(&clients[0], self.first));
            let second = run(&clients[1], self.second);
            [first.join().unwrap(), second]
        });
        outcome(&clients[0], &prepared, answers)
    }
}

fn outcome(client: &Client, prepared: &Value, answers: [Answer; 2]) -> Outcome {
    let [first, second] =
        answers.map(|answer| without_chance(&format!("{} {}", answer.status, answer.body)));
    let of_account = |name: &str| {
        let account = json!({"AccountId": prepared[name]});
        let users = walk(client, "ListUsers", account.clone()).map(|mut users| {
            // In the order of addresses: that of ids is chance where two were made at once.
            users.sort_by_key(|user| user["PrimaryEmail"].to_string());
            users
        });
        let answer = client.call("GetAccount", account.clone());
        let domains = walk(client, "ListDomains", account);
        format!("{} {users:?} {domains:?}", answer.body)
    };
    let left = match prepared.get("UserName") {
        Some(_) => {
            let listed = client.call("iam:ListAccessKeys", prepared.clone());
            format!("{} {}", listed.status, listed.body)
        }
        None => ["A", "B"].map(of_account).join("\n"),
    };
    [first, second, without_chance(&left)]
}

/// Puts signs in the place of what differs from one run of the same to the next.
fn without_chance(text: &str) -> String {
    static CHANCE: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
        [
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
            (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
            (r"(round|serial)\d+x\d+mark", "MARK"),
            (r#""(SecretAccessKey|PersonalPIN|AccessKeyId)\\?":\s*\\?"[^"\\]*"#, "SECRET"),
            (r#"campanile-domain-verification=[^"\\]*"#, "VERIFICATION"),
        ]
        .map(|(pattern, sign)| (Regex::new(pattern).unwrap(), sign))
    });
    let replaced = |text: String, (pattern, sign): &(Regex, &str)| {
        pattern.replace_all(&text, *sign).into_owned()
    };
    CHANCE.iter().fold(text.to_owned(), replaced)
}

/// A key that was revoked at one server is refused by the other from the next request on, and one that is
/// active again is taken.
#[test]
fn what_a_caller_may_do_changes_at_all_servers_at_once() {
    let location = postgres::location_of(&postgres::new_schema());
    let servers = [server_at(location.clone()), server_at(location)];
    let roots = servers.each_ref().map(Server::client);
    let allow = json!({"Effect": "Allow", "Action": "chime:*", "Resource": "*"});
    let deny = json!({"Effect": "Deny", "Action": "chime:GetAccount", "Resource": "*"});
    let policy = |statement: &Value| json!({"Version": "2012-10-17", "Statement": statement});
    let user = servers[0].user("somebody", &policy(&allow));
    let account = json!({"AccountId": roots[0].create_account("a")});
    let key = json!({"UserName": "somebody", "AccessKeyId": user.access_key_id});
    let users = servers.each_ref().map(|server| super::at(&user, server));
    let statuses = || users.each_ref().map(|user| user.call("GetAccount", account.clone()).status);
    for round in 0..ROUNDS {
        let root = &roots[round % 2];
        let set_status = |status: &str| {
            let mut members = key.clone();
            members["Status"] = json!(status);
            root.ok("iam:UpdateAccessKey", members);
        };
        assert_eq!(statuses(), [200, 200], "round {round}");
        set_status("Inactive");
        assert_eq!(statuses(), [403, 403], "round {round}: the key");
        set_status("Active");
        assert_eq!(statuses(), [200, 200], "round {round}");
        root.put_user_policy("somebody", &policy(&json!([allow, deny])));
        assert_eq!(statuses(), [403, 403], "round {round}: the policy");
        root.put_user_policy("somebody", &policy(&allow));
    }
}

/// The same, while somebody is using the key without pause: no request that began after the answer that
/// revoked it is served.
#[test]
fn a_key_in_use_is_of_no_use_once_it_is_revoked() {
    let location = postgres::location_of(&postgres::new_schema());
    let servers = [server_at(location.clone()), server_at(location)];
    let root = servers[0].client();
    let account = json!({"AccountId": root.create_account("a")});
    for round in 0..ROUNDS {
        let name = format!("user-{round}");
        let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": allow});
        let user = super::at(&servers[0].user(&name, &policy), &servers[1]);
        let barrier = Barrier::new(2);
        let revoked = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                user.ok("GetAccount", account.clone());
                barrier.wait();
                loop {
                    let is_revoked = revoked.load(std::sync::atomic::Ordering::SeqCst);
                    let status = user.call("GetAccount", account.clone()).status;
                    assert!(status == 403 || status == 200 && !is_revoked, "{status} {is_revoked}");
                    if is_revoked {
                        return;
                    }
                }
            });
            barrier.wait();
            let key = json!({"UserName": name, "AccessKeyId": user.access_key_id});
            root.ok("iam:DeleteAccessKey", key);
            revoked.store(true, std::sync::atomic::Ordering::SeqCst);
        });
    }
}

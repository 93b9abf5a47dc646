//! What holds in every directory, whoever did what to it.

use super::steps::{ADDRESSES, Known, USER_TYPES};
use crate::harness::Client;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The PINs of the deployment, each with its user.
pub type Pins = BTreeMap<String, String>;

/// Walks all the pages of a list.
pub fn walk(client: &Client, operation: &str, mut members: Value) -> Result<Vec<Value>, String> {
    let mut items = Vec::new();
    loop {
        let answer = client.call(operation, members.clone());
        if answer.status >= 400 {
            return Err(answer.error().0);
        }
        let mut answer = answer.json();
        members["NextToken"] = answer["NextToken"].take();
        let mut lists = answer.as_object_mut().unwrap().values_mut();
        items.append(lists.find_map(Value::as_array_mut).unwrap());
        if members["NextToken"].is_null() {
            return Ok(items);
        }
    }
}

/// Returns the calls that left an event, each with its exception if it has one. Who accepts an invitation
/// makes no call.
pub fn events(client: &Client) -> Result<BTreeMap<String, Option<String>>, String> {
    let mut events = BTreeMap::new();
    for found in walk(client, "cloudtrail:LookupEvents", json!({"MaxResults": 200}))? {
        let event: Value = serde_json::from_str(&text(&found["CloudTrailEvent"])).unwrap();
        if event["eventName"] == "AcceptInvite" {
            continue;
        }
        let exception = event["errorCode"].as_str().map(str::to_owned);
        if let Some(other) = events.insert(text(&event["requestID"]), exception) {
            return Err(format!("{event} has the request of another: {other:?}"));
        }
    }
    Ok(events)
}

/// Returns all that can be read of an account that is there.
pub fn read_account(client: &Client, id: &str) -> Value {
    let account = json!({"AccountId": id});
    let users = walk(client, "ListUsers", account.clone()).unwrap();
    let of_users = users.iter().map(|user| {
        let members = json!({"AccountId": id, "UserId": user["UserId"]});
        ["GetUser", "GetUserSettings"].map(|operation| client.ok(operation, members.clone()))
    });
    json!({
        "Account": client.ok("GetAccount", account.clone()),
        "Settings": client.ok("GetAccountSettings", account.clone()),
        "Retention": client.call("GetRetentionSettings", account.clone()).json()["RetentionSettings"],
        "Domains": walk(client, "ListDomains", account).unwrap(),
        "Users": users,
        "OfUsers": of_users.collect::<Vec<_>>(),
    })
}

/// Checks what was read of an account that did not change meanwhile.
pub fn check_account(read: &Value) -> Result<(), String> {
    let account = &read["Account"]["Account"];
    let users = read["Users"].as_array().unwrap();
    let found = read["OfUsers"].as_array().unwrap().iter();
    let found: Vec<_> = found.map(|it| as_listed(it[0]["User"].clone())).collect();
    same("GetUser", &found, users)?;
    let is_team = account["AccountType"] == "Team";
    same("a Team account, and one without domains", &is_team, &(read["Domains"] == json!([])))?;
    check_licenses(account, users)?;
    unique_addresses(users.iter())
}

/// Checks pages while others write: what one answer holds was true at one time.
pub fn check_pages(client: &Client, id: &str) -> Result<(), String> {
    let mut ids = BTreeSet::new();
    let members = json!({"AccountId": id, "MaxResults": 2});
    for user in walk(client, "ListUsers", members).unwrap_or_default() {
        if !ids.insert(text(&user["UserId"])) {
            return Err(format!("{id} lists a user twice: {user}"));
        }
        let members = json!({"AccountId": id, "UserId": user["UserId"]});
        let answer = client.call("GetUser", members);
        if answer.status < 300 && answer.json()["User"]["UserId"] != user["UserId"] {
            return Err(format!("{user} is listed, and {answer:?} is found"));
        }
    }
    let all = walk(client, "ListUsers", json!({"AccountId": id, "MaxResults": 200}));
    unique_addresses(all.unwrap_or_default().iter())
}

/// Checks that an address has one owner at the most, while others write.
pub fn check_owners(client: &Client) -> Result<(), String> {
    for (email, _) in ADDRESSES {
        let owners = client.ok("ListAccounts", json!({"UserEmail": email}));
        if owners["Accounts"].as_array().unwrap().len() > 1 {
            return Err(format!("{email} has many owners: {owners}"));
        }
    }
    Ok(())
}

/// Checks all that an AWS account has, when nobody writes to it.
pub fn check(client: &Client, known: &Known, pins: &mut Pins) -> Result<(), String> {
    restore_deleted(client)?;
    let accounts = walk(client, "ListAccounts", json!({}))?;
    for page in 1..4 {
        let paged = walk(client, "ListAccounts", json!({"MaxResults": page}))?;
        same("ListAccounts", &paged, &accounts)?;
    }
    let ids: BTreeSet<_> = accounts.iter().map(|it| text(&it["AccountId"])).collect();
    let known_ids: BTreeSet<_> = known.iter().map(|(id, _)| id.clone()).collect();
    same("accounts that were created and accounts that are listed", &known_ids, &ids)?;
    let mut users = Vec::new();
    for account in &accounts {
        let id = &account["AccountId"];
        same("GetAccount", &client.ok("GetAccount", json!({"AccountId": id}))["Account"], account)?;
        let known = known.iter().find(|(it, _)| id == it).map(|(_, users)| users);
        users.extend(check_users(client, account, known.unwrap(), pins)?);
    }
    unique_addresses(users.iter())
}

/// Checks that each domain of the deployment belongs to one account.
pub fn check_domains<'a>(clients: impl Iterator<Item = &'a Client>) -> Result<(), String> {
    let mut names = BTreeMap::new();
    for client in clients {
        for account in walk(client, "ListAccounts", json!({}))? {
            let members = json!({"AccountId": account["AccountId"], "MaxResults": 1});
            let domains = walk(client, "ListDomains", members)?;
            let is_team = account["AccountType"] == "Team";
            same("a Team account, and one without domains", &is_team, &domains.is_empty())?;
            for domain in domains {
                same("the domain's account", &domain["AccountId"], &account["AccountId"])?;
                let name = text(&domain["DomainName"]);
                if let Some(other) = names.insert(name, account["AccountId"].clone()) {
                    return Err(format!("{domain} is of {other}, too"));
                }
            }
        }
    }
    Ok(())
}

/// Checks that what was deleted could be deleted: it has no domain, and no user who is not suspended.
fn restore_deleted(client: &Client) -> Result<(), String> {
    for deleted in walk(client, "ListDeletedAccounts", json!({"MaxResults": 1}))? {
        let account = json!({"AccountId": deleted["Account"]["AccountId"]});
        let restored = client.ok("RestoreAccount", account.clone());
        same("RestoreAccount", &restored["Account"], &deleted["Account"])?;
        let domains = walk(client, "ListDomains", account.clone())?;
        let users = walk(client, "ListUsers", account)?;
        if !domains.is_empty() || users.iter().any(|it| it["UserRegistrationStatus"] != "Suspended")
        {
            return Err(format!(
                "{deleted} was deleted with {} and {}",
                json!(domains),
                json!(users)
            ));
        }
    }
    Ok(())
}

/// Checks the users of an account, and returns them.
fn check_users(
    client: &Client,
    account: &Value,
    known: &[String],
    pins: &mut Pins,
) -> Result<Vec<Value>, String> {
    let id = &account["AccountId"];
    let users = walk(client, "ListUsers", json!({"AccountId": id}))?;
    for page in 1..4 {
        let paged = walk(client, "ListUsers", json!({"AccountId": id, "MaxResults": page}))?;
        same("ListUsers", &paged, &users)?;
    }
    for kind in USER_TYPES {
        let members = json!({"AccountId": id, "UserType": kind, "MaxResults": 2});
        let of_kind: Vec<_> = users.iter().filter(|it| it["UserType"] == kind).cloned().collect();
        same(kind, &walk(client, "ListUsers", members)?, &of_kind)?;
    }
    check_licenses(account, &users)?;
    for user in &users {
        check_user(client, user, pins)?;
    }
    let listed: BTreeSet<_> = users.iter().map(|it| text(&it["UserId"])).collect();
    same("ids that are listed", &listed.len(), &users.len())?;
    for user_id in known {
        let answer = client.call("GetUser", json!({"AccountId": id, "UserId": user_id}));
        same(user_id, &(answer.status == 200), &listed.contains(user_id))?;
    }
    Ok(users)
}

/// Checks that whatever gives or has a licence has one that the account supports.
fn check_licenses(account: &Value, users: &[Value]) -> Result<(), String> {
    let supported = account["SupportedLicenses"].as_array().unwrap();
    let groups = account["Groups"].as_array().unwrap().iter().map(|it| &it["License"]);
    let licenses = groups.chain(users.iter().map(|it| &it["LicenseType"]));
    for license in licenses.chain([&account["DefaultLicense"]]) {
        if !supported.contains(license) {
            return Err(format!(
                "{license} is in use, and not supported by {account}: {}",
                json!(users)
            ));
        }
    }
    Ok(())
}

/// Checks that a user who is listed is found by id and by address, and has its PIN alone.
fn check_user(client: &Client, listed: &Value, pins: &mut Pins) -> Result<(), String> {
    let members = json!({"AccountId": listed["AccountId"], "UserId": listed["UserId"]});
    let user = client.ok("GetUser", members)["User"].clone();
    if let Some(pin) = user["PersonalPIN"].as_str() {
        let id = text(&user["UserId"]);
        let other = pins.insert(pin.to_owned(), id.clone()).filter(|other| *other != id);
        if let Some(other) = other {
            return Err(format!("{user} has the PIN of {other}"));
        }
    }
    same("GetUser", &as_listed(user.clone()), listed)?;
    if let Some(email) = user["PrimaryEmail"].as_str() {
        let members = json!({"AccountId": user["AccountId"], "UserEmail": email.to_uppercase()});
        same("ListUsers", &client.ok("ListUsers", members)["Users"], &json!([listed]))?;
        let accounts = client.ok("ListAccounts", json!({"UserEmail": email}));
        same("ListAccounts", &accounts["Accounts"][0]["AccountId"], &user["AccountId"])?;
    }
    Ok(())
}

/// Hides of a user what lists hide.
fn as_listed(mut user: Value) -> Value {
    user["PersonalPIN"] = Value::Null;
    user["PresenceVisibility"] = Value::Null;
    user
}

fn unique_addresses<'a>(users: impl Iterator<Item = &'a Value>) -> Result<(), String> {
    let mut owners = BTreeMap::new();
    for user in users {
        let Some(email) = user["PrimaryEmail"].as_str() else { continue };
        if let Some(other) = owners.insert(email.to_lowercase(), user) {
            return Err(format!("{user} has the address of {other}"));
        }
    }
    Ok(())
}

fn same<T: PartialEq + Serialize>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {}, should be {}", json!(found), json!(expected)))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

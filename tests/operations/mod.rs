//! What each operation does, as a client sees it: one file for each subject of `src/operations`.

mod access_keys;
mod account_life;
mod account_settings;
mod accounts;
mod audit;
mod directories;
mod domains;
mod iam;
mod invites;
mod suspension;
mod transfer;
mod user_forms;
mod user_updates;
mod users;

pub use accounts::{SAMPLE, SAMPLE_ID};

use crate::harness::Client;
use campanile::operations::table;
use http::Method;
use serde_json::{Value, json};

/// Creates an account that has a domain, and so is of the type `EnterpriseLWA`.
fn create_enterprise_account(client: &Client, domain: &str) -> String {
    let id = client.create_account("Enterprise");
    client.ok("ClaimDomain", json!({"AccountId": id, "DomainName": domain}));
    id
}

/// Creates a person in an Enterprise account and returns its id.
fn create_user(client: &Client, account_id: &str, email: &str) -> String {
    let user = client.ok("CreateUser", json!({"AccountId": account_id, "Email": email}));
    user["User"]["UserId"].as_str().unwrap().to_owned()
}

/// Creates an account of each type whose people come from a provider, with a person in it: returns
/// the ids of both, and the type.
fn create_provided_accounts(client: &Client) -> [(String, String, &'static str); 2] {
    let directory = json!({"DirectoryId": "d-1"});
    let open_id = json!({"ClientId": "c", "Issuer": "https://id.example"});
    [
        ("a.example", "ConnectDirectory", directory, "EnterpriseDirectory"),
        ("b.example", "ConnectOpenId", open_id, "EnterpriseOIDC"),
    ]
    .map(|(domain, operation, mut connection, account_type)| {
        let account_id = create_enterprise_account(client, domain);
        let user_id = create_user(client, &account_id, &format!("jane@{domain}"));
        connection["AccountId"] = json!(account_id);
        client.ok(operation, connection);
        (account_id, user_id, account_type)
    })
}

/// Invites a person into a Team account and returns the user's id.
fn invite_user(client: &Client, account_id: &str, email: &str) -> String {
    client.ok("InviteUsers", json!({"AccountId": account_id, "UserEmailList": [email]}));
    let found = client.ok("ListUsers", json!({"AccountId": account_id, "UserEmail": email}));
    found["Users"][0]["UserId"].as_str().unwrap().to_owned()
}

fn get_user(client: &Client, account_id: &str, user_id: &str) -> Value {
    let user = client.ok("GetUser", json!({"AccountId": account_id, "UserId": user_id}));
    user["User"].clone()
}

fn get_account(client: &Client, account_id: &str) -> Value {
    client.ok("GetAccount", json!({"AccountId": account_id}))["Account"].clone()
}

/// Walks all the pages of a list, and returns one member of each of its items.
fn walk(client: &Client, operation: &str, mut members: Value, member: &str) -> Vec<Value> {
    let mut values = Vec::new();
    loop {
        let mut page = client.ok(operation, members.clone());
        members["NextToken"] = page["NextToken"].take();
        let mut lists = page.as_object().unwrap().values();
        let items = lists.find_map(Value::as_array).unwrap();
        values.extend(items.iter().map(|item| item[member].clone()));
        if members["NextToken"].is_null() {
            return values;
        }
    }
}

/// Returns the code and the id of each of the errors of a batch.
fn user_errors(answer: &Value) -> Vec<[&str; 2]> {
    let errors = answer["UserErrors"].as_array().unwrap().iter();
    errors.map(|it| ["ErrorCode", "UserId"].map(|member| it[member].as_str().unwrap())).collect()
}

/// Returns the members that an operation can take: a URI holds nothing but texts.
fn members_for(operation: &str, members: &Value) -> Value {
    let mut members = members.clone();
    let line = table().into_iter().find(|line| line.name == operation).unwrap();
    if line.method == Method::GET || line.method == Method::DELETE {
        members.as_object_mut().unwrap().retain(|_, value| value.is_string());
    }
    members
}

//! The account operations.

use crate::harness::{Client, Options, ROOT_AWS_ACCOUNT_ID, Server};
use campanile::clock::Timestamp;
use campanile::operations::accounts::AccountRecord;
use campanile::operations::accounts::record::{AccountType, LicenseGroup};
use campanile::protocol::shapes::License;
use serde_json::{Value, json};

/// The answer of the API reference's sample request, made compact: with these bytes its length is
/// the recorded Content-Length.
pub const SAMPLE: &str = concat!(
    r#"{"Account":{"AccountId":"12a3456b-7c89-012d-3456-78901e23fg45","AccountStatus":"Active","#,
    r#""AccountType":"EnterpriseDirectory","Admins":null,"AwsAccountId":"111122223333","#,
    r#""BillingType":"SeatBilling","CreatedTimestamp":"2018-12-20T18:38:02.181Z","#,
    r#""DefaultLicense":"Pro","DelegationStatus":"NoDelegation","DirectoryId":"d-906717dc08","#,
    r#""Domains":null,"Groups":[{"GroupId":"basic_users","License":"Basic"},"#,
    r#"{"GroupId":"pro_users","License":"Pro"}],"Name":"EnterpriseDirectory","Owner":null,"#,
    r#""SupportedLicenses":["Basic","Pro"],"UseProTrialLicense":false}}"#
);
pub const SAMPLE_ID: &str = "12a3456b-7c89-012d-3456-78901e23fg45";

fn sample_record() -> AccountRecord {
    let group = |group_id: &str, license| LicenseGroup { group_id: group_id.to_owned(), license };
    let created = Timestamp::from_millisecond(1_545_331_082_181).unwrap();
    AccountRecord {
        account_type: AccountType::EnterpriseDirectory,
        directory_id: Some("d-906717dc08".to_owned()),
        groups: vec![group("basic_users", License::Basic), group("pro_users", License::Pro)],
        ..AccountRecord::team(
            ROOT_AWS_ACCOUNT_ID,
            SAMPLE_ID.to_owned(),
            "EnterpriseDirectory",
            created,
        )
    }
}

fn names(page: &Value) -> Vec<&str> {
    let accounts = page["Accounts"].as_array().unwrap();
    accounts.iter().map(|account| account["Name"].as_str().unwrap()).collect()
}

/// Walks all the pages of a query.
fn walk(client: &Client, mut members: Value) -> Vec<Value> {
    let mut accounts = Vec::new();
    loop {
        let mut page = client.ok("ListAccounts", members.clone());
        accounts.append(page["Accounts"].as_array_mut().unwrap());
        if page["NextToken"].is_null() {
            return accounts;
        }
        members["NextToken"] = page["NextToken"].take();
    }
}

#[test]
fn the_sample_of_the_api_reference_comes_back_byte_for_byte() {
    assert_eq!(SAMPLE.len(), 544, "the recorded Content-Length");
    let server = Server::start_with(Options::default(), |mut tx| tx.insert(&sample_record()));
    let console = Client { prefix: "/console", ..server.client() };
    let answer = console.call("GetAccount", json!({"AccountId": SAMPLE_ID}));
    assert_eq!(answer.body, SAMPLE);
    assert_eq!(answer.header("content-length"), Some("544"));

    let current = server.client().call("GetAccount", json!({"AccountId": SAMPLE_ID}));
    let groups = r#""SigninDelegateGroups":[],"SupportedLicenses""#;
    assert_eq!(current.body, SAMPLE.replace(r#""SupportedLicenses""#, groups));
}

#[test]
fn a_new_account_has_the_recorded_form() {
    let server = Server::start();
    let answer = server.client().call("CreateAccount", json!({"Name": "My \"Account\" ünï"}));
    assert_eq!(answer.status, 201);
    let account = &answer.json()["Account"];
    let (id, created) = (account["AccountId"].as_str().unwrap(), &account["CreatedTimestamp"]);
    let expected = format!(
        concat!(
            r#"{{"Account":{{"AccountId":"{id}","AccountStatus":"Active","AccountType":"Team","#,
            r#""Admins":null,"AwsAccountId":"111122223333","BillingType":"SeatBilling","#,
            r#""CreatedTimestamp":{created},"DefaultLicense":"Pro","#,
            r#""DelegationStatus":"NoDelegation","DirectoryId":null,"Domains":null,"Groups":[],"#,
            r#""Name":"My \"Account\" ünï","Owner":null,"SigninDelegateGroups":[],"#,
            r#""SupportedLicenses":["Basic","Pro"],"UseProTrialLicense":false}}}}"#
        ),
        id = id,
        created = created,
    );
    assert_eq!(answer.body, expected);
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7, "ids sort by their time");
    assert_eq!(server.client().call("GetAccount", json!({"AccountId": id})).body, expected);
}

#[test]
fn update_account_takes_a_name_or_a_license_or_both_or_neither() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("old");
    let check = |members: Value, name: &str, license: &str| {
        let mut request = members;
        request["AccountId"] = json!(id);
        let updated = client.ok("UpdateAccount", request);
        assert_eq!(updated["Account"]["Name"], name);
        assert_eq!(updated["Account"]["DefaultLicense"], license);
        assert_eq!(client.ok("GetAccount", json!({"AccountId": id})), updated);
        assert_eq!(names(&client.ok("ListAccounts", json!({}))), [name]);
    };
    check(json!({"Name": "new"}), "new", "Pro");
    check(json!({"DefaultLicense": "Basic"}), "new", "Basic");
    check(json!({"Name": "newer", "DefaultLicense": "Pro"}), "newer", "Pro");
    check(json!({}), "newer", "Pro");
    check(json!({"Name": null, "DefaultLicense": null}), "newer", "Pro");
}

#[test]
fn a_license_that_the_account_does_not_support_is_refused() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    for (license, constraint) in [
        ("Plus", "one of the account's supported licenses: [Basic, Pro]"),
        ("ProTrial", "one of the account's supported licenses: [Basic, Pro]"),
        ("Gold", "enum value set: [Basic, Plus, Pro, ProTrial] (it is 'Gold')"),
    ] {
        let members = json!({"AccountId": id, "Name": "b", "DefaultLicense": license});
        let (exception, message) = client.error("UpdateAccount", members);
        assert_eq!(exception, "BadRequestException");
        assert!(message.contains("DefaultLicense") && message.contains(constraint), "{message}");
    }
    assert_eq!(names(&client.ok("ListAccounts", json!({}))), ["a"], "nothing was half done");
}

#[test]
fn a_deleted_account_is_gone_from_every_operation() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let answer = client.call("DeleteAccount", json!({"AccountId": id}));
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-length"), None);
    for operation in ["GetAccount", "UpdateAccount", "DeleteAccount"] {
        let (exception, message) = client.error(operation, json!({"AccountId": id}));
        assert_eq!(exception, "NotFoundException", "{operation}");
        assert_eq!(message, format!("Account {id} not found"));
    }
    assert!(names(&client.ok("ListAccounts", json!({}))).is_empty());
}

#[test]
fn an_aws_account_sees_and_touches_only_its_own() {
    let server = Server::start();
    let (mine, theirs) = (server.client_of("444455556666"), server.client_of("777788889999"));
    let id = mine.create_account("mine");
    theirs.create_account("theirs");
    for operation in ["GetAccount", "UpdateAccount", "DeleteAccount"] {
        let (exception, _) = theirs.error(operation, json!({"AccountId": id}));
        assert_eq!(exception, "NotFoundException", "{operation}");
    }
    assert_eq!(names(&theirs.ok("ListAccounts", json!({}))), ["theirs"]);
    let account = mine.ok("GetAccount", json!({"AccountId": id}));
    assert_eq!(account["Account"]["AwsAccountId"], "444455556666");
    assert!(names(&server.client().ok("ListAccounts", json!({}))).is_empty());
}

#[test]
fn accounts_are_listed_by_the_bytes_of_their_names_and_then_by_id() {
    let server = Server::start();
    let client = server.client();
    for name in ["b", "a", "é", "B", "a", "a b", "ab", "😀", "\u{1}"] {
        client.create_account(name);
    }
    let accounts = walk(&client, json!({"MaxResults": 2}));
    let key = |account: &Value| {
        let text = |member: &str| account[member].as_str().unwrap().to_owned();
        (text("Name"), text("AccountId"))
    };
    let listed: Vec<_> = accounts.iter().map(key).collect();
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    assert_eq!(listed.len(), 9);
    assert_eq!(client.ok("ListAccounts", json!({}))["Accounts"], json!(accounts));
}

#[test]
fn the_name_filter_is_a_prefix_that_means_every_character_as_it_is() {
    let server = Server::start();
    let client = server.client();
    for name in ["My", "My Org", "Mya", "my", "M%", "M_y", "M*", "M+y", "Ny"] {
        client.create_account(name);
    }
    let list = |prefix: &str| walk(&client, json!({"Name": prefix, "MaxResults": 1})).len();
    assert_eq!(list("My"), 3);
    assert_eq!(list("My "), 1);
    assert_eq!(list("m"), 1);
    assert_eq!(list("M%"), 1);
    assert_eq!(list("M_"), 1);
    assert_eq!(list("M*"), 1);
    assert_eq!(list("M+"), 1);
    assert_eq!(list("X"), 0);
}

#[test]
fn a_users_address_finds_nothing_while_there_are_no_users() {
    let server = Server::start();
    let client = server.client();
    client.create_account("a");
    for members in [
        json!({"UserEmail": "jane@example.com"}),
        json!({"UserEmail": "jane@example.com", "Name": "a"}),
    ] {
        let answer = client.call("ListAccounts", members);
        assert_eq!(answer.body, r#"{"Accounts":[],"NextToken":null}"#);
    }
}

#[test]
fn a_page_has_100_results_when_nobody_says() {
    let server = Server::start();
    let client = server.client();
    for number in 0..101 {
        client.create_account(&format!("{number:03}"));
    }
    let page = client.ok("ListAccounts", json!({}));
    assert_eq!(names(&page).len(), 100);
    let rest = client.ok("ListAccounts", json!({"NextToken": page["NextToken"]}));
    assert_eq!(names(&rest), ["100"]);
    assert_eq!(names(&client.ok("ListAccounts", json!({"MaxResults": 200}))).len(), 101);
    let exact = client.ok("ListAccounts", json!({"MaxResults": 101}));
    assert_eq!(exact["NextToken"], json!(null), "no empty page follows a full last one");
}

#[test]
fn what_others_write_during_a_walk_neither_repeats_nor_hides_an_account() {
    let server = Server::start();
    let client = server.client();
    let ids: Vec<_> = ["b", "d", "f", "h"].iter().map(|name| client.create_account(name)).collect();
    let first = client.ok("ListAccounts", json!({"MaxResults": 2}));
    assert_eq!(names(&first), ["b", "d"]);
    client.create_account("a");
    client.create_account("e");
    client.ok("DeleteAccount", json!({"AccountId": ids[1]}));
    client.ok("UpdateAccount", json!({"AccountId": ids[0], "Name": "g"}));
    let rest = client.ok("ListAccounts", json!({"NextToken": first["NextToken"]}));
    assert_eq!(names(&rest), ["e", "f", "g", "h"]);
}

#[test]
fn a_token_serves_its_own_query_alone() {
    let server = Server::start();
    let client = server.client();
    for name in ["a1", "a2", "a3"] {
        client.create_account(name);
    }
    let other = server.client_of("444455556666");
    let page = client.ok("ListAccounts", json!({"Name": "a", "MaxResults": 1}));
    let token = page["NextToken"].as_str().unwrap();
    // How many results a page has is no filter: a client may change its mind.
    let rest = client.ok("ListAccounts", json!({"Name": "a", "NextToken": token}));
    assert_eq!(names(&rest), ["a2", "a3"]);

    for (client, members) in [
        (&client, json!({"NextToken": token})),
        (&client, json!({"NextToken": token, "Name": "a1"})),
        (&client, json!({"NextToken": token, "Name": "a", "UserEmail": "jane@example.com"})),
        (&other, json!({"NextToken": token, "Name": "a"})),
        (&client, json!({"NextToken": &token[1..], "Name": "a"})),
        (&client, json!({"NextToken": format!("{token}A"), "Name": "a"})),
        (&client, json!({"NextToken": "", "Name": "a"})),
        (&client, json!({"NextToken": "2", "Name": "a"})),
    ] {
        let (exception, message) = client.error("ListAccounts", members.clone());
        assert_eq!(exception, "BadRequestException", "{members}");
        assert!(message.contains("NextToken"), "{message}");
    }
    let (exception, _) = client.error("ListAccessKeys", json!({"Marker": token}));
    assert_eq!(exception, "BadRequestException");
}

#[test]
fn accounts_keys_and_tokens_outlive_the_server_if_its_store_does() {
    let server = Server::start();
    let (client, durable) = (server.client(), server.is_durable());
    for name in ["a", "b"] {
        client.create_account(name);
    }
    let key = server.client_of(ROOT_AWS_ACCOUNT_ID);
    let page = client.ok("ListAccounts", json!({"MaxResults": 1}));
    let server = server.restart();
    if !durable {
        assert!(names(&server.client().ok("ListAccounts", json!({}))).is_empty());
        return;
    }
    let key = Client { address: server.address, ..key };
    let rest = key.ok("ListAccounts", json!({"NextToken": page["NextToken"]}));
    assert_eq!(names(&rest), ["b"]);
}

#[test]
fn an_error_names_the_type_of_an_account_as_the_api_does() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("a");
    let invite = json!({"AccountId": id, "UserEmailList": ["jane@example.com"]});
    client.ok("ClaimDomain", json!({"AccountId": id, "DomainName": "example.com"}));
    let (exception, message) = client.error("InviteUsers", invite.clone());
    assert_eq!(exception, "BadRequestException");
    assert_eq!(
        message,
        format!("Account {id} is of type EnterpriseLWA; this needs a Team account")
    );
    let (_, message) = client.error("DisconnectOpenId", json!({"AccountId": id}));
    assert!(message.ends_with("this needs an EnterpriseOIDC account"), "{message}");
}

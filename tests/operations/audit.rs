//! The events of the audit, and their look-up.

use crate::harness::http::request;
use crate::harness::{Client, Options, ROOT_ACCESS_KEY_ID, ROOT_AWS_ACCOUNT_ID, Server, exchange};
use campanile::operations::{Operation, table};
use campanile::server::AuditSettings;
use campanile::store::Access;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Returns the events that a look-up finds, all its pages together.
fn lookup(client: &Client, mut members: Value) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let page = client.ok("cloudtrail:LookupEvents", members.clone());
        events.extend(page["Events"].as_array().unwrap().clone());
        members["NextToken"] = page["NextToken"].clone();
        if members["NextToken"].is_null() {
            return events;
        }
    }
}

/// Returns the events themselves.
fn events(client: &Client) -> Vec<Value> {
    lookup(client, json!({})).iter().map(event).collect()
}

fn event(found: &Value) -> Value {
    serde_json::from_str(found["CloudTrailEvent"].as_str().unwrap()).unwrap()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["EventName"].as_str().unwrap()).collect()
}

fn reads() -> Options {
    let audit = AuditSettings { reads: true, ..AuditSettings::default() };
    Options { audit, ..Options::default() }
}

#[test]
fn a_change_leaves_an_event_of_cloudtrails_form() {
    let server = Server::start();
    let client = server.client();
    let answer = client.call("CreateAccount", json!({"Name": "My"}));
    let found = lookup(&client, json!({}));
    assert_eq!(found.len(), 1, "{found:?}");
    let event = event(&found[0]);
    let request_id = answer.header("x-amzn-requestid").unwrap();
    assert_eq!(
        found[0],
        json!({
            "AccessKeyId": ROOT_ACCESS_KEY_ID,
            "CloudTrailEvent": found[0]["CloudTrailEvent"],
            "EventId": event["eventID"],
            "EventName": "CreateAccount",
            "EventSource": "chime.amazonaws.com",
            "EventTime": event["eventTime"],
            "ReadOnly": "false",
            "Username": "root",
        })
    );
    let mut shown = event.clone();
    assert_eq!(shown["responseElements"]["account"].take()["accountType"], "Team");
    assert_eq!(
        shown,
        json!({
            "eventVersion": "1.08",
            "userIdentity": {
                "type": "Root",
                "principalId": ROOT_AWS_ACCOUNT_ID,
                "arn": format!("arn:aws:iam::{ROOT_AWS_ACCOUNT_ID}:root"),
                "accountId": ROOT_AWS_ACCOUNT_ID,
                "accessKeyId": ROOT_ACCESS_KEY_ID,
            },
            "eventTime": event["eventTime"],
            "eventSource": "chime.amazonaws.com",
            "eventName": "CreateAccount",
            "awsRegion": "eu-west-1",
            "sourceIPAddress": "127.0.0.1",
            "userAgent": null,
            "requestParameters": {"name": "My"},
            "responseElements": {"account": null},
            "requestID": request_id,
            "eventID": event["eventID"],
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ROOT_AWS_ACCOUNT_ID,
            "eventCategory": "Management",
        })
    );
    assert_eq!(
        event["responseElements"]["account"]["accountId"],
        answer.json()["Account"]["AccountId"]
    );
}

#[test]
fn a_change_that_is_refused_leaves_an_event_and_nothing_else() {
    let server = Server::start();
    let root = server.client();
    let client = server.client_of("444455556666");
    let id = client.create_account("My");
    let denied = client.call("CreateAccessKey", json!({"AwsAccountId": "777788889999"}));
    let absent = client.call("UpdateAccount", json!({"AccountId": "absent", "Name": "b"}));
    let unfit = client.call("UpdateAccount", json!({"AccountId": id, "DefaultLicense": "Gold"}));
    let target = format!("/accounts/{id}");
    let malformed = client.send("POST", &target, b"{\"Name\":");
    let twice = client.send("POST", &target, b"{\"Name\":\"a\",\"Name\":\"b\"}");
    let events = events(&client);
    let refused = [
        (&denied, "ForbiddenException", json!({"awsAccountId": "777788889999"})),
        (&absent, "NotFoundException", json!({"accountId": "absent", "name": "b"})),
        (&unfit, "BadRequestException", json!({"accountId": id, "defaultLicense": "Gold"})),
        (&malformed, "BadRequestException", json!({"accountId": id})),
        (&twice, "BadRequestException", json!({"accountId": id})),
    ];
    assert_eq!(events.len(), refused.len() + 1, "{events:?}");
    for ((answer, exception, parameters), event) in refused.iter().zip(&events[1..]) {
        let (answered, message) = answer.error();
        assert_eq!(answered, *exception);
        assert_eq!(event["errorCode"], *exception, "{event}");
        assert_eq!(event["errorMessage"], message, "{event}");
        assert_eq!(event["requestID"], answer.header("x-amzn-requestid").unwrap());
        assert_eq!(event["requestParameters"], *parameters);
        assert_eq!(event["responseElements"], Value::Null);
        assert_eq!(event["userIdentity"]["accessKeyId"], client.access_key_id);
    }
    assert_eq!(events[1]["eventSource"], "iam.amazonaws.com");
    let keys = root.ok("ListAccessKeys", json!({}));
    assert_eq!(keys["AccessKeyMetadata"].as_array().unwrap().len(), 1);
}

#[test]
fn who_is_not_known_and_what_is_no_operation_leave_no_event() {
    let server = Server::start();
    let client = server.client();
    let mut headers = client.signed("POST", "/accounts", b"{\"Name\":\"a\"}", "chime");
    let body = b"{\"Name\":\"b\"}";
    let answer = exchange(server.address, &request("POST", "/accounts", &headers, body));
    assert_eq!(answer.error().0, "InvalidSignatureException");
    headers.clear();
    let answer = exchange(server.address, &request("POST", "/accounts", &headers, body));
    assert_eq!(answer.error().0, "MissingAuthenticationTokenException");
    assert_eq!(client.send("POST", "/nothing", body).status, 404);
    assert!(events(&client).is_empty());
}

#[test]
fn reads_leave_an_event_where_the_settings_say_so() {
    let silent = Server::start();
    silent.client().ok("ListAccounts", json!({}));
    silent.client().error("GetAccount", json!({"AccountId": "absent"}));
    assert!(events(&silent.client()).is_empty());

    let server = Server::start_with(reads(), |_| Ok(()));
    let client = server.client();
    client.ok("ListAccounts", json!({"Name": "M", "UserEmail": "jane@example.com"}));
    client.error("GetAccount", json!({"AccountId": "absent"}));
    client.error("ListAccounts", json!({"MaxResults": 201}));
    let events = events(&client);
    assert_eq!(events.len(), 3, "a look-up leaves its own event behind it: {events:?}");
    assert_eq!(events[0]["requestParameters"], json!({"name": "M", "userEmail": HIDDEN}));
    assert_eq!(events[0]["responseElements"], Value::Null);
    assert_eq!(events[1]["errorCode"], "NotFoundException");
    assert_eq!(events[2]["requestParameters"], json!({"maxResults": "201"}));
    assert!(events.iter().all(|event| event["readOnly"] == true));
    let looked_up = lookup(&client, json!({"EventName": "LookupEvents", "MaxResults": 1}));
    assert_eq!(event(&looked_up[0])["eventSource"], "cloudtrail.amazonaws.com");
}

#[test]
fn every_operation_that_writes_leaves_one_event() {
    let server = Server::start();
    let client = server.client();
    let writes: Vec<_> = table().into_iter().filter(|it| it.access == Access::Write).collect();
    for operation in &writes {
        let target = operation.uri.replace(['{', '}'], "");
        client.send(operation.method.as_str(), &target, b"");
    }
    let found = lookup(&client, json!({}));
    // Those of one millisecond are in no order.
    let expected: BTreeMap<_, _> = counted(writes.iter().map(Operation::event_name));
    assert_eq!(counted(names(&found)), expected);
}

fn counted<T: Ord>(names: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counted = BTreeMap::new();
    names.into_iter().for_each(|name| *counted.entry(name).or_default() += 1);
    counted
}

#[test]
fn events_are_found_by_what_they_say() {
    let server = Server::start();
    let client = server.client();
    let ids = ["first", "second"].map(|name| client.create_account(name));
    client.ok("UpdateAccount", json!({"AccountId": ids[0], "Name": "b"}));
    let between = client.clock.clock().now().plus(1);
    server.move_time(10);
    let client = server.client();
    client.ok("DeleteAccount", json!({"AccountId": ids[1]}));
    let all = ["CreateAccount", "CreateAccount", "UpdateAccount", "DeleteAccount"];
    let found = |members| lookup(&client, members);
    assert_eq!(names(&found(json!({}))), all);
    assert_eq!(names(&found(json!({"MaxResults": 1}))), all);
    assert_eq!(names(&found(json!({"MaxResults": 3}))), all);
    assert_eq!(names(&found(json!({"EventName": "CreateAccount"}))), all[..2]);
    assert_eq!(names(&found(json!({"AccountId": ids[0]}))), ["CreateAccount", "UpdateAccount"]);
    assert_eq!(names(&found(json!({"AccountId": ids[1]}))), ["CreateAccount", "DeleteAccount"]);
    assert_eq!(names(&found(json!({"StartTime": between}))), all[3..]);
    assert_eq!(names(&found(json!({"EndTime": between}))), all[..3]);
    assert_eq!(names(&found(json!({"Username": "root"}))), all);
    assert_eq!(names(&found(json!({"Username": "jane"}))), [""; 0]);
    assert_eq!(names(&found(json!({"ReadOnly": "false"}))), all);
    assert_eq!(names(&found(json!({"ReadOnly": "true"}))), [""; 0]);
    let newest = found(json!({}))[3]["EventTime"].clone();
    assert_eq!(names(&found(json!({"StartTime": newest, "EndTime": newest}))), all[3..]);

    let token = client.ok("cloudtrail:LookupEvents", json!({"MaxResults": 1}))["NextToken"].clone();
    let other = json!({"NextToken": token, "EventName": "CreateAccount"});
    assert_eq!(client.error("cloudtrail:LookupEvents", other).0, "BadRequestException");
}

/// More events than one call looks at, of which it wants the last.
#[test]
fn a_page_can_be_empty_though_others_follow() {
    let server = Server::start();
    let client = server.client();
    for _ in 0..2001 {
        client.call("DeleteAccount", json!({"AccountId": "absent"}));
    }
    client.create_account("My");
    let asked = json!({"EventName": "CreateAccount"});
    let page = client.ok("cloudtrail:LookupEvents", asked.clone());
    assert_eq!(page["Events"], json!([]));
    assert!(page["NextToken"].is_string());
    assert_eq!(names(&lookup(&client, asked)), ["CreateAccount"]);
}

#[test]
fn an_aws_account_sees_its_own_events_and_the_deployments_root_all() {
    let server = Server::start();
    let root = server.client();
    let [first, second] = ["444455556666", "777788889999"].map(|id| server.client_of(id));
    first.create_account("Theirs");
    assert_eq!(names(&lookup(&first, json!({}))), ["CreateAccount"]);
    assert_eq!(names(&lookup(&second, json!({}))), [""; 0]);
    assert_eq!(names(&lookup(&root, json!({}))), ["CreateAccessKey"; 2]);
    let of_first = json!({"AwsAccountId": "444455556666"});
    assert_eq!(names(&lookup(&root, of_first.clone())), ["CreateAccount"]);
    assert_eq!(names(&lookup(&first, of_first.clone())), ["CreateAccount"]);
    let (exception, message) = second.error("cloudtrail:LookupEvents", of_first);
    assert_eq!(exception, "ForbiddenException");
    assert!(message.contains("444455556666"), "{message}");
}

#[test]
fn what_is_sensitive_is_hidden_in_parameters_answers_and_messages() {
    let server = Server::start();
    let client = server.client();
    let made = client.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    let id = client.create_account("My");
    let emails = json!({"AccountId": id, "UserEmailList": ["jane@example.com"], "Note": "jane"});
    client.ok("InviteUsers", emails);
    let events = events(&client);
    let mut key = events[0]["responseElements"]["accessKey"].clone();
    assert_eq!(key["secretAccessKey"].take(), HIDDEN);
    assert_eq!(key["accessKeyId"], made["AccessKey"]["AccessKeyId"]);
    assert_eq!(events[2]["requestParameters"], json!({"accountId": id, "userEmailList": HIDDEN}));
    assert_eq!(events[2]["responseElements"]["invites"][0]["emailAddress"], HIDDEN);
    assert!(!json!(events).to_string().contains("jane"));
}

#[test]
fn an_event_is_bounded_whatever_a_client_sends() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("My");
    let licenses = vec!["Pro"; 10_000];
    let members = json!({"AccountId": id, "SupportedLicenses": licenses});
    client.call("UpdateSupportedLicenses", members);
    let deep = format!("{{\"Name\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
    let target = format!("/accounts/{id}");
    client.send("POST", &target, deep.as_bytes());
    let mut headers = client.signed("DELETE", "/accounts/absent", b"", "chime");
    headers.insert("user-agent", "a".repeat(5000).parse().unwrap());
    exchange(server.address, &request("DELETE", "/accounts/absent", &headers, b""));
    let events = events(&client);
    for event in &events[1..3] {
        assert_eq!(event["requestParameters"], Value::Null, "{event}");
        assert_eq!(event["additionalEventData"]["requestParametersOmitted"], true, "{event}");
    }
    assert_eq!(events[2]["errorCode"], "BadRequestException");
    assert_eq!(events[3]["userAgent"], "a".repeat(1024));
}

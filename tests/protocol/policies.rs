//! What policies let a caller do, asked at the wire: the language itself has its tests beside it.

use crate::harness::{Client, Server};
use serde_json::{Value, json};

fn statement(effect: &str, action: &str) -> Value {
    json!({"Effect": effect, "Action": action, "Resource": "*"})
}

fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(action: &str) -> Value {
    policy(&[statement("Allow", action)])
}

fn allow_if(condition: Value) -> Value {
    let mut statement = statement("Allow", "chime:*");
    statement["Condition"] = condition;
    policy(&[statement])
}

fn denied(client: &Client, operation: &str, members: Value) -> String {
    let (exception, message) = client.error(operation, members);
    assert_eq!(exception, "ForbiddenException", "{message}");
    message
}

#[test]
fn a_user_may_do_what_a_policy_allows_and_nothing_else() {
    let server = Server::start();
    let jane = server.user("jane", &allow("chime:List*"));
    jane.ok("ListAccounts", json!({}));
    let message = denied(&jane, "CreateAccount", json!({"Name": "a"}));
    assert_eq!(
        message,
        "User: arn:aws:iam::111122223333:user/jane is not authorized to perform: \
         chime:CreateAccount because no identity-based policy allows the chime:CreateAccount action"
    );
    let message = denied(&jane, "ListDeletedAccounts", json!({}));
    assert!(message.contains("perform: campanile:ListDeletedAccounts"), "{message}");
}

#[test]
fn a_denial_wins_and_says_so() {
    let server = Server::start();
    let deny = statement("Deny", "chime:DeleteAccount");
    let jane = server.user("jane", &policy(&[deny, statement("Allow", "*")]));
    let id = jane.create_account("a");
    let message = denied(&jane, "DeleteAccount", json!({"AccountId": id}));
    assert!(message.ends_with("with an explicit deny in an identity-based policy"), "{message}");
    jane.ok("GetAccount", json!({"AccountId": id}));
}

#[test]
fn a_denial_tells_nothing_of_what_exists_or_was_sent() {
    let server = Server::start();
    let jane = server.user("jane", &allow("chime:ListAccounts"));
    let id = server.client().create_account("a");
    let there = denied(&jane, "DeleteAccount", json!({"AccountId": id}));
    assert_eq!(denied(&jane, "DeleteAccount", json!({"AccountId": "none"})), there);
    let target = format!("/accounts/{id}");
    for body in ["", "{", "[]", "\"a\"", r#"{"Name":1}"#, r#"{"Name":"My"}"#] {
        let (exception, message) = jane.send("POST", &target, body.as_bytes()).error();
        assert_eq!(exception, "ForbiddenException", "{body}");
        assert!(message.contains("chime:UpdateAccount"), "{body}: {message}");
    }
    let unknown = jane.send("POST", "/nowhere", b"").error().0;
    assert_eq!(unknown, "UnknownOperationException");
}

#[test]
fn a_change_of_a_policy_counts_from_the_next_request_on() {
    let server = Server::start();
    let root = server.client();
    let jane = server.user("jane", &allow("chime:ListAccounts"));
    jane.ok("ListAccounts", json!({}));
    root.put_user_policy("jane", &allow("chime:CreateAccount"));
    denied(&jane, "ListAccounts", json!({}));
    root.ok("iam:DeleteUserPolicy", json!({"UserName": "jane", "PolicyName": "policy"}));
    denied(&jane, "CreateAccount", json!({"Name": "a"}));

    let document = |action: &str| allow(action).to_string();
    let made = root.ok(
        "iam:CreatePolicy",
        json!({"PolicyName": "p", "PolicyDocument": document("chime:ListAccounts")}),
    );
    let arn = &made["Policy"]["Arn"];
    let attached = json!({"UserName": "jane", "PolicyArn": arn});
    root.ok("iam:AttachUserPolicy", attached.clone());
    jane.ok("ListAccounts", json!({}));
    root.ok(
        "iam:CreatePolicyVersion",
        json!({"PolicyArn": arn, "PolicyDocument": document("chime:Get*"), "SetAsDefault": true}),
    );
    denied(&jane, "ListAccounts", json!({}));
    root.ok("iam:SetDefaultPolicyVersion", json!({"PolicyArn": arn, "VersionId": "v1"}));
    jane.ok("ListAccounts", json!({}));
    root.ok("iam:DetachUserPolicy", attached);
    denied(&jane, "ListAccounts", json!({}));
}

#[test]
fn a_user_that_is_made_again_is_another() {
    let server = Server::start();
    let root = server.client();
    let jane = server.user("jane", &allow("*"));
    let key = json!({"AccessKeyId": jane.access_key_id});
    root.ok("iam:DeleteAccessKey", key);
    root.ok("iam:DeleteUserPolicy", json!({"UserName": "jane", "PolicyName": "policy"}));
    root.ok("iam:DeleteUser", json!({"UserName": "jane"}));
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    let (exception, _) = jane.error("ListAccounts", json!({}));
    assert_eq!(exception, "UnrecognizedClientException");
}

/// Otherwise whoever may rename itself takes a name that policies let do more.
#[test]
fn a_user_is_renamed_by_whom_both_names_are_allowed() {
    let server = Server::start();
    let own = json!({
        "Effect": "Allow",
        "Action": "iam:UpdateUser",
        "Resource": ["arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::*:user/jane-*"],
    });
    let jane = server.user("jane", &policy(&[own]));
    let rename = |from: &str, to: &str| json!({"UserName": from, "NewUserName": to});
    let message = denied(&jane, "iam:UpdateUser", rename("jane", "admin"));
    assert_eq!(
        message,
        "User: arn:aws:iam::111122223333:user/jane is not authorized to perform: iam:UpdateUser on \
         resource: arn:aws:iam::111122223333:user/admin because no identity-based policy allows the \
         iam:UpdateUser action"
    );
    denied(&jane, "iam:UpdateUser", rename("admin", "jane-2"));
    jane.ok("iam:UpdateUser", rename("jane", "jane-2"));
}

/// IAM's own page "Allow IAM users to manage their own access keys" names the user as the resource.
#[test]
fn whose_key_it_is_decides_who_may_ask_when_it_was_used() {
    let server = Server::start();
    let asks_about = |name: &str, of: &str| {
        let statement = json!({
            "Effect": "Allow",
            "Action": "iam:GetAccessKeyLastUsed",
            "Resource": of,
        });
        server.user(name, &policy(&[statement]))
    };
    let jane = asks_about("jane", "arn:aws:iam::*:user/${aws:username}");
    let john = asks_about("john", "*");
    let root = server.client();
    let of = |client: &Client| json!({"AccessKeyId": client.access_key_id});
    let owner = |by: &Client, of: Value| by.ok("iam:GetAccessKeyLastUsed", of)["UserName"].clone();
    assert_eq!(owner(&jane, of(&jane)), "jane");
    assert_eq!(owner(&john, of(&jane)), "jane");
    assert_eq!(owner(&root, of(&john)), "john");

    let others = server.client_of("444455556666");
    let denial = |key: &str| {
        format!(
            "User: arn:aws:iam::111122223333:user/jane is not authorized to perform: \
             iam:GetAccessKeyLastUsed on resource: access key {key} because no identity-based \
             policy allows the iam:GetAccessKeyLastUsed action"
        )
    };
    for key in [&john.access_key_id, &others.access_key_id, "AKIANOBODYS"] {
        let members = json!({"AccessKeyId": key});
        assert_eq!(denied(&jane, "iam:GetAccessKeyLastUsed", members), denial(key));
    }
    for key in [&others.access_key_id, "AKIANOBODYS"] {
        let error = john.error("iam:GetAccessKeyLastUsed", json!({"AccessKeyId": key}));
        let message = format!("The Access Key with id {key} cannot be found.");
        assert_eq!(error, ("NoSuchEntityException".to_owned(), message));
    }
    let of_root = root.ok("iam:GetAccessKeyLastUsed", of(&others));
    assert_eq!(of_root["UserName"], Value::Null);
}

#[test]
fn the_policies_that_aws_made_for_chime_do_what_they_say() {
    let server = Server::start();
    let root = server.client();
    let id = root.create_account("a");
    let jane = server.user("jane", &allow("none:None"));
    let may = |name: &str, operation: &str, members: Value| {
        let arn = format!("arn:aws:iam::aws:policy/{name}");
        let attached = json!({"UserName": "jane", "PolicyArn": arn});
        root.ok("iam:AttachUserPolicy", attached.clone());
        let status = jane.call(operation, members).status;
        root.ok("iam:DetachUserPolicy", attached);
        status != 403
    };
    let account = json!({"AccountId": id});
    let rows = [
        ("AmazonChimeFullAccess", [true, true, true, false]),
        ("AmazonChimeReadOnly", [true, false, false, false]),
        ("AmazonChimeUserManagement", [true, true, false, false]),
        ("AmazonChimeSDK", [false, false, false, false]),
        ("AdministratorAccess", [true, true, true, true]),
    ];
    for (name, expected) in rows {
        let invite = json!({"AccountId": id, "UserEmailList": ["jane@example.com"]});
        let allowed = [
            may(name, "GetAccount", account.clone()),
            may(name, "InviteUsers", invite),
            may(name, "CreateAccount", json!({"Name": "b"})),
            may(name, "iam:ListUsers", json!({})),
        ];
        assert_eq!(allowed, expected, "{name}");
    }
}

#[test]
fn conditions_are_asked_of_the_request() {
    let server = Server::start();
    let root = server.client();
    let jane = server.user("jane", &allow("none:None"));
    let check = |condition: Value, expected: bool| {
        root.put_user_policy("jane", &allow_if(condition.clone()));
        let answer = jane.call("ListAccounts", json!({}));
        assert_eq!(answer.status == 200, expected, "{condition}: {answer:?}");
    };
    check(json!({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}), true);
    check(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), false);
    check(json!({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.1/32"]}}), false);
    check(json!({"StringEquals": {"aws:username": "jane"}}), true);
    check(json!({"StringEquals": {"AWS:Username": "Jane"}}), false);
    check(json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}), true);
    check(json!({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}), false);
    check(json!({"Bool": {"aws:SecureTransport": "true"}}), false);
    check(json!({"Bool": {"aws:SecureTransport": "false"}}), true);
    check(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:user/*"}}), true);
    check(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}), false);
    check(json!({"StringEquals": {"aws:PrincipalAccount": "111122223333"}}), true);
    check(json!({"StringEquals": {"aws:PrincipalType": "User"}}), true);
    check(json!({"StringLike": {"aws:userid": "AIDA*"}}), true);
    check(json!({"Null": {"aws:MultiFactorAuthAge": "true"}}), true);
    check(json!({"Null": {"aws:username": "true"}}), false);
    check(json!({"DateGreaterThan": {"aws:CurrentTime": "2018-12-20T00:00:00Z"}}), true);
    check(json!({"NumericLessThan": {"aws:EpochTime": "1545264000"}}), false);

    root.put_user_policy(
        "jane",
        &allow_if(json!({"DateLessThan": {"aws:CurrentTime": "2100-01-01T00:00:00Z"}})),
    );
    jane.ok("ListAccounts", json!({}));
    let days_to_2100 = 74 * 366;
    server.move_time(days_to_2100 * 24 * 60 * 60 * 1000);
    denied(&jane, "ListAccounts", json!({}));
}

#[test]
fn a_user_may_be_let_to_deal_with_its_own_keys_alone() {
    let server = Server::start();
    let own = json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": ["iam:*AccessKey*", "iam:GetUser"],
            "Resource": "arn:aws:iam::*:user/${aws:username}",
        },
    });
    let jane = server.user("jane", &own);
    let bob = server.user("bob", &own);
    let made = jane.ok("iam:CreateAccessKey", json!({}));
    assert_eq!(made["AccessKey"]["UserName"], "jane");
    let listed = jane.ok("iam:ListAccessKeys", json!({"UserName": "jane"}));
    assert_eq!(listed["AccessKeyMetadata"].as_array().unwrap().len(), 2);
    assert_eq!(jane.ok("iam:GetUser", json!({}))["User"]["UserName"], "jane");
    let key = json!({"AccessKeyId": made["AccessKey"]["AccessKeyId"], "Status": "Inactive"});
    jane.ok("iam:UpdateAccessKey", key.clone());
    assert_eq!(bob.error("iam:DeleteAccessKey", key.clone()).0, "NoSuchEntityException");
    jane.ok("iam:DeleteAccessKey", key);
    let message = denied(&jane, "iam:CreateAccessKey", json!({"UserName": "bob"}));
    assert!(message.contains("on resource: arn:aws:iam::111122223333:user/bob"), "{message}");
    denied(&jane, "iam:PutUserPolicy", json!({"UserName": "jane"}));
    denied(&jane, "iam:ListUsers", json!({}));
}

#[test]
fn the_operations_that_answer_a_denial_otherwise_are_the_models() {
    let model = crate::model::model();
    let modelled = model.operations.values().filter(|operation| {
        operation.errors.iter().any(|error| error.name == "AccessDeniedException")
    });
    let mut names: Vec<_> = modelled.map(|operation| operation.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, campanile::protocol::admission::ACCESS_DENIED_OPERATIONS);
}

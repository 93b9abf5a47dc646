//! Temporary credentials: who gets them, what they open, and when they end.

use crate::harness::{Answer, Client, Options, Server, http};
use crate::model::{absent, python};
use campanile::access::rates::{Rate, Rates};
use campanile::server::Limits;
use serde_json::{Value, json};
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protocol/expired_session.py");

const HOUR: i64 = 60 * 60 * 1000;

/// Calls an operation of STS or IAM as their own clients do.
pub fn query(client: &Client, service: &str, parameters: &[(&str, &str)]) -> Answer {
    let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters).append_pair("Version", version);
    let body = form.finish();
    let headers = client.signed("POST", "/", body.as_bytes(), service);
    let request = http::request("POST", "/", &headers, body.as_bytes());
    http::try_exchange(client.address, &request).unwrap()
}

/// Returns what an element holds that an answer has once.
fn element<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let (_, rest) = answer
        .body
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("no {name} in {answer:?}"));
    rest.split_once(&format!("</{name}>")).unwrap().0
}

/// Returns a client with the credentials that STS answered.
fn with_session(client: &Client, answer: &Answer) -> Client {
    assert_eq!(answer.status, 200, "{answer:?}");
    Client {
        access_key_id: element(answer, "AccessKeyId").to_owned(),
        secret_access_key: element(answer, "SecretAccessKey").to_owned(),
        session_token: Some(element(answer, "SessionToken").to_owned()),
        ..client.clone()
    }
}

pub fn begin(client: &Client, parameters: &[(&str, &str)]) -> Client {
    with_session(client, &query(client, "sts", parameters))
}

fn code(answer: &Answer) -> &str {
    assert_ne!(answer.status, 200, "{answer:?}");
    element(answer, "Code")
}

fn arn(client: &Client) -> String {
    let answer = query(client, "sts", &[("Action", "GetCallerIdentity")]);
    element(&answer, "Arn").to_owned()
}

pub fn allow(action: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"},
    })
}

pub fn trust(principal: &str, condition: &Value) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "sts:AssumeRole",
            "Condition": condition,
        },
    })
    .to_string()
}

/// Makes a role that may do something.
pub fn role(server: &Server, name: &str, trust: &str, action: &str) -> String {
    let root = server.client();
    let members = json!({"RoleName": name, "AssumeRolePolicyDocument": trust});
    let made = root.ok("iam:CreateRole", members);
    let document = allow(action).to_string();
    let policy = json!({"RoleName": name, "PolicyName": "p", "PolicyDocument": document});
    root.ok("iam:PutRolePolicy", policy);
    made["Role"]["Arn"].as_str().unwrap().to_owned()
}

fn assume<'a>(role: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let asked = [("Action", "AssumeRole"), ("RoleArn", role), ("RoleSessionName", "night-run")];
    [&asked, more].concat()
}

#[test]
fn a_session_of_a_user_is_that_user_until_it_ends() {
    let server = Server::start();
    let jane = server.user("jane", &allow("chime:ListAccounts"));
    let answer = query(&jane, "sts", &[("Action", "GetSessionToken"), ("DurationSeconds", "3600")]);
    let session = with_session(&jane, &answer);
    assert!(session.access_key_id.starts_with("ASIA"), "{}", session.access_key_id);
    assert_eq!(arn(&session), "arn:aws:iam::111122223333:user/jane");
    session.ok("ListAccounts", json!({}));
    assert_eq!(session.error("CreateAccount", json!({"Name": "a"})).0, "ForbiddenException");
    server.client().put_user_policy("jane", &allow("chime:CreateAccount"));
    session.create_account("a");
    server.move_time(HOUR - 10_000);
    session.create_account("b");
    server.move_time(10_000);
    let (exception, message) = session.error("CreateAccount", json!({"Name": "c"}));
    assert_eq!(exception, "ExpiredTokenException");
    assert_eq!(message, "The security token included in the request is expired");
    let answer = query(&session, "sts", &[("Action", "GetCallerIdentity")]);
    assert_eq!(code(&answer), "ExpiredToken");
    let without_token = Client { session_token: None, ..session };
    assert_eq!(without_token.error("ListAccounts", json!({})).0, "UnrecognizedClientException");
}

/// The SDK signs by the machine's clock, so that it is the server's that was behind.
#[test]
fn boto3_tells_that_the_time_of_a_session_is_over() {
    let options = Options { ahead: -HOUR, ..Options::default() };
    let server = Server::start_with(options, |_| Ok(()));
    let asked = [("Action", "GetSessionToken"), ("DurationSeconds", "900")];
    let session = begin(&server.client(), &asked);
    server.move_time(HOUR);
    let ended = Command::new(python())
        .args([SCRIPT, &format!("http://{}", server.address)])
        .env("AWS_ACCESS_KEY_ID", &session.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &session.secret_access_key)
        .env("AWS_SESSION_TOKEN", session.session_token.as_ref().unwrap())
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("AWS_PROFILE")
        .output()
        .unwrap_or_else(|error| absent(&error.to_string()));
    assert!(ended.status.success(), "{ended:?}");
    let said = String::from_utf8(ended.stdout).unwrap();
    let said: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let message = "The security token included in the request is expired";
    let expected = |code: &str| json!({"class": "ClientError", "code": code, "message": message, "status": 403});
    assert_eq!(said, [expected("ExpiredTokenException"), expected("ExpiredToken")]);
}

#[test]
fn a_session_is_its_key_with_its_token() {
    let server = Server::start();
    let jane = server.user("jane", &allow("chime:*"));
    let begin = || begin(&jane, &[("Action", "GetSessionToken")]);
    let (one, other) = (begin(), begin());
    let token = one.session_token.clone().unwrap();
    let mut tampered = token.clone().into_bytes();
    tampered[40] = if tampered[40] == b'A' { b'B' } else { b'A' };
    let of_another = server.user("bob", &allow("chime:*"));
    // What the server remembers of a session must not do in the place of its token.
    one.ok("ListAccounts", json!({}));
    for (what, client) in [
        ("no token", Client { session_token: None, ..one.clone() }),
        ("another's", Client { session_token: other.session_token.clone(), ..one.clone() }),
        ("of a key that lasts", Client { session_token: Some(token.clone()), ..of_another }),
        (
            "tampered",
            Client { session_token: Some(String::from_utf8(tampered).unwrap()), ..one.clone() },
        ),
        ("no token at all", Client { session_token: Some("a".to_owned()), ..one.clone() }),
        ("too long", Client { session_token: Some("A".repeat(20_000)), ..one.clone() }),
    ] {
        let (exception, _) = client.error("ListAccounts", json!({}));
        assert_eq!(exception, "UnrecognizedClientException", "{what}");
    }
    let wrong = Client { secret_access_key: other.secret_access_key.clone(), ..one.clone() };
    assert_eq!(wrong.error("ListAccounts", json!({})).0, "InvalidSignatureException");
    one.ok("ListAccounts", json!({}));
}

#[test]
fn a_session_ends_with_whose_it_is() {
    let server = Server::start();
    let root = server.client();
    let jane = server.user("jane", &allow("*"));
    let session = begin(&jane, &[("Action", "GetSessionToken")]);
    root.ok("iam:DeleteAccessKey", json!({"AccessKeyId": jane.access_key_id}));
    session.ok("ListAccounts", json!({}));
    root.ok("iam:DeleteUserPolicy", json!({"UserName": "jane", "PolicyName": "policy"}));
    root.ok("iam:DeleteUser", json!({"UserName": "jane"}));
    let unrecognized = || session.error("ListAccounts", json!({})).0;
    assert_eq!(unrecognized(), "UnrecognizedClientException");
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    root.put_user_policy("jane", &allow("*"));
    assert_eq!(unrecognized(), "UnrecognizedClientException", "another of the same name");
}

#[test]
fn a_session_ends_when_its_user_gets_another_name() {
    let server = Server::start();
    let jane = server.user("jane", &allow("*"));
    let session = begin(&jane, &[("Action", "GetSessionToken")]);
    session.ok("ListAccounts", json!({}));
    let rename = json!({"UserName": "jane", "NewUserName": "joan"});
    server.client().ok("iam:UpdateUser", rename);
    assert_eq!(session.error("ListAccounts", json!({})).0, "UnrecognizedClientException");
    assert_eq!(arn(&jane), "arn:aws:iam::111122223333:user/joan");
    begin(&jane, &[("Action", "GetSessionToken")]).ok("ListAccounts", json!({}));
}

#[test]
fn a_session_of_get_session_token_makes_nothing_that_lasts() {
    let server = Server::start();
    let jane = server.user("jane", &allow("*"));
    let clients = [jane, server.client(), server.client_of("444455556666")];
    for client in clients {
        let session = begin(&client, &[("Action", "GetSessionToken")]);
        assert_eq!(arn(&session), arn(&client));
        let (exception, message) = session.error("iam:CreateAccessKey", json!({}));
        assert_eq!(exception, "ForbiddenException");
        assert!(message.ends_with("with credentials of GetSessionToken"), "{message}");
        let again = query(&session, "sts", &[("Action", "GetSessionToken")]);
        assert_eq!(code(&again), "AccessDenied");
        session.ok("ListAccounts", json!({}));
    }
}

#[test]
fn durations_have_limits() {
    let server = Server::start();
    let jane = server.user("jane", &allow("*"));
    let asked = |seconds| [("Action", "GetSessionToken"), ("DurationSeconds", seconds)];
    for seconds in ["899", "129601", "long", "-1"] {
        assert_eq!(code(&query(&jane, "sts", &asked(seconds))), "ValidationError", "{seconds}");
    }
    begin(&jane, &asked("129600"));
    let of_root = query(&server.client(), "sts", &asked("129600"));
    let of_root = with_session(&server.client(), &of_root);
    server.move_time(HOUR);
    assert_eq!(of_root.error("ListAccounts", json!({})).0, "ExpiredTokenException");

    let arn = role(&server, "r", &trust("111122223333", &json!({})), "chime:*");
    let jane = Client { clock: server.client().clock, ..jane };
    let too_long = query(&jane, "sts", &assume(&arn, &[("DurationSeconds", "3601")]));
    assert_eq!(code(&too_long), "ValidationError");
    server.client().ok("iam:UpdateRole", json!({"RoleName": "r", "MaxSessionDuration": 7200}));
    let session = begin(&jane, &assume(&arn, &[("DurationSeconds", "7200")]));
    server.client().put_user_policy("jane", &allow("*"));
    let chained =
        role(&server, "s", &trust("arn:aws:iam::111122223333:role/r", &json!({})), "chime:*");
    let policy = allow("sts:AssumeRole").to_string();
    let more = json!({"RoleName": "r", "PolicyName": "q", "PolicyDocument": policy});
    server.client().ok("iam:PutRolePolicy", more);
    let too_long = query(&session, "sts", &assume(&chained, &[("DurationSeconds", "3601")]));
    assert_eq!(code(&too_long), "ValidationError");
    begin(&session, &assume(&chained, &[]));
}

#[test]
fn a_role_is_assumed_by_whom_it_trusts() {
    let server = Server::start();
    let jane = server.user("jane", &allow("sts:AssumeRole"));
    let bob = server.user("bob", &allow("chime:ListAccounts"));
    let of_account = role(&server, "a", &trust("111122223333", &json!({})), "chime:Create*");
    let user = "arn:aws:iam::111122223333:user/bob";
    let of_user = role(&server, "b", &trust(user, &json!({})), "chime:Create*");

    let session = begin(&jane, &assume(&of_account, &[]));
    assert_eq!(arn(&session), "arn:aws:sts::111122223333:assumed-role/a/night-run");
    session.create_account("a");
    let (exception, message) = session.error("ListAccounts", json!({}));
    assert_eq!(exception, "ForbiddenException");
    assert!(message.contains("assumed-role/a/night-run is not authorized"), "{message}");

    let denied = |client: &Client, role: &str| {
        let answer = query(client, "sts", &assume(role, &[]));
        assert_eq!((answer.status, code(&answer)), (403, "AccessDenied"));
        element(&answer, "Message").to_owned()
    };
    let message = denied(&bob, &of_account);
    assert!(
        message.contains("is not authorized to perform: sts:AssumeRole on resource"),
        "{message}"
    );
    let absent = denied(&bob, "arn:aws:iam::111122223333:role/z");
    assert_eq!(absent, message.replace("role/a", "role/z"), "nobody learns what roles there are");
    denied(&jane, &of_user);
    begin(&bob, &assume(&of_user, &[])).create_account("b");
    let deny = json!({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Action": "sts:*", "Resource": "*"},
    });
    server.client().put_user_policy("bob", &deny);
    denied(&bob, &of_user);
    let roots = denied(&server.client(), &of_account);
    assert_eq!(roots, "Roles may not be assumed by root accounts.");
}

#[test]
fn a_role_of_another_aws_account_needs_both_to_agree() {
    let server = Server::start();
    let other = server.client_of("444455556666");
    let made = other.ok(
        "iam:CreateRole",
        json!({"RoleName": "r", "AssumeRolePolicyDocument": trust("arn:aws:iam::111122223333:user/jane", &json!({}))}),
    );
    let document = allow("chime:*").to_string();
    other.ok(
        "iam:PutRolePolicy",
        json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": document}),
    );
    let arn_of_role = made["Role"]["Arn"].as_str().unwrap();
    let jane = server.user("jane", &allow("chime:*"));
    assert_eq!(code(&query(&jane, "sts", &assume(arn_of_role, &[]))), "AccessDenied");
    server.client().put_user_policy("jane", &allow("sts:AssumeRole"));
    let session = begin(&jane, &assume(arn_of_role, &[]));
    let id = session.create_account("theirs");
    assert_eq!(other.ok("ListAccounts", json!({}))["Accounts"][0]["AccountId"], id);
    assert_eq!(server.client().ok("ListAccounts", json!({}))["Accounts"], json!([]));
}

/// It names an ARN, and not a unique id.
#[test]
fn a_trust_policy_trusts_whoever_has_the_name() {
    let server = Server::start();
    let root = server.client();
    let jane = server.user("jane", &allow("chime:None"));
    let arn = role(&server, "r", &trust("arn:aws:iam::111122223333:user/jane", &json!({})), "*");
    begin(&jane, &assume(&arn, &[]));
    root.ok("iam:DeleteAccessKey", json!({"AccessKeyId": jane.access_key_id}));
    root.ok("iam:DeleteUserPolicy", json!({"UserName": "jane", "PolicyName": "policy"}));
    root.ok("iam:DeleteUser", json!({"UserName": "jane"}));
    let again = server.user("jane", &allow("chime:None"));
    begin(&again, &assume(&arn, &[]));
}

#[test]
fn each_session_name_is_a_caller_within_its_account() {
    let rate = |text: &str| text.parse().unwrap();
    let (one, three) = (rate("0.001/1"), rate("0.001/3"));
    let rates = Rates {
        account_reads: three,
        account_writes: Rate::Unlimited,
        caller_reads: one,
        caller_writes: Rate::Unlimited,
    };
    let limits = Limits { rates, ..Limits::default() };
    let server = Server::start_with(Options { limits, ..Options::default() }, |_| Ok(()));
    let jane = server.user("jane", &allow("sts:AssumeRole"));
    let arn = role(&server, "r", &trust("111122223333", &json!({})), "chime:*");
    let named = |name: &str| {
        let asked = [("Action", "AssumeRole"), ("RoleArn", &arn), ("RoleSessionName", name)];
        begin(&jane, &asked)
    };
    let first = named("first");
    first.ok("ListAccounts", json!({}));
    let refused = |client: &Client| client.error("ListAccounts", json!({})).1;
    assert!(refused(&first).contains("--rate-caller-reads"));
    assert!(refused(&named("first")).contains("--rate-caller-reads"));
    named("second").ok("ListAccounts", json!({}));
    named("third").ok("ListAccounts", json!({}));
    assert!(refused(&named("fourth")).contains("--rate-account-reads"));
}

#[test]
fn a_trust_policy_may_ask_for_more() {
    let server = Server::start();
    let jane = server.user("jane", &allow("sts:AssumeRole"));
    let condition = json!({"StringEquals": {"sts:ExternalId": "for-jane"}});
    let arn = role(&server, "r", &trust("111122223333", &condition), "chime:*");
    let refused = |more: &[(&str, &str)]| {
        assert_eq!(code(&query(&jane, "sts", &assume(&arn, more))), "AccessDenied");
    };
    refused(&[]);
    refused(&[("ExternalId", "for-bob")]);
    begin(&jane, &assume(&arn, &[("ExternalId", "for-jane")])).ok("ListAccounts", json!({}));
}

#[test]
fn a_session_can_be_let_do_less_than_its_role() {
    let server = Server::start();
    let jane = server.user("jane", &allow("sts:AssumeRole"));
    let arn = role(&server, "r", &trust("111122223333", &json!({})), "chime:*");
    let policy = allow("chime:ListAccounts").to_string();
    let session = begin(&jane, &assume(&arn, &[("Policy", &policy)]));
    session.ok("ListAccounts", json!({}));
    assert_eq!(session.error("CreateAccount", json!({"Name": "a"})).0, "ForbiddenException");
    let more = allow("*").to_string();
    let session = begin(&jane, &assume(&arn, &[("Policy", &more)]));
    session.create_account("a");
    assert_eq!(session.error("iam:ListUsers", json!({})).0, "ForbiddenException", "not more");
    let malformed = query(&jane, "sts", &assume(&arn, &[("Policy", "{}")]));
    assert_eq!(code(&malformed), "MalformedPolicyDocument");
}

#[test]
fn what_is_asked_for_and_not_known_is_refused() {
    let server = Server::start();
    let jane = server.user("jane", &allow("sts:AssumeRole"));
    let arn = role(&server, "r", &trust("111122223333", &json!({})), "chime:*");
    for more in [
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/AmazonChimeReadOnly"),
        ("Tags.member.1.Key", "a"),
        ("SourceIdentity", "a"),
        ("SerialNumber", "a"),
        ("TokenCode", "123456"),
    ] {
        let answer = query(&jane, "sts", &assume(&arn, &[more]));
        assert_eq!((answer.status, code(&answer)), (400, "ValidationError"), "{more:?}");
        assert!(element(&answer, "Message").contains(more.0), "{more:?}");
    }
    let unnamed = query(&jane, "sts", &[("Action", "AssumeRole"), ("RoleArn", &arn)]);
    assert!(element(&unnamed, "Message").contains("'RoleSessionName'"), "{unnamed:?}");
}

#[test]
fn a_session_of_a_role_ends_with_the_role_and_its_policies_count_at_once() {
    let server = Server::start();
    let root = server.client();
    let jane = server.user("jane", &allow("sts:AssumeRole"));
    let arn = role(&server, "r", &trust("111122223333", &json!({})), "chime:*");
    let session = begin(&jane, &assume(&arn, &[]));
    session.ok("ListAccounts", json!({}));
    root.ok("iam:DeleteRolePolicy", json!({"RoleName": "r", "PolicyName": "p"}));
    assert_eq!(session.error("ListAccounts", json!({})).0, "ForbiddenException");
    root.ok("iam:DeleteRole", json!({"RoleName": "r"}));
    assert_eq!(session.error("ListAccounts", json!({})).0, "UnrecognizedClientException");
}

#[test]
fn another_deployment_does_not_know_a_session() {
    let (one, other) = (Server::start(), Server::start());
    let session = begin(&one.client(), &[("Action", "GetSessionToken")]);
    let elsewhere = Client { address: other.address, ..session };
    assert_eq!(elsewhere.error("ListAccounts", json!({})).0, "UnrecognizedClientException");
}

#[test]
fn a_session_outlives_a_restart() {
    let server = Server::start();
    if !server.is_durable() {
        return;
    }
    let session = begin(&server.client(), &[("Action", "GetSessionToken")]);
    let server = server.restart();
    Client { address: server.address, ..session }.ok("ListAccounts", json!({}));
}

#[test]
fn who_got_a_session_is_recorded_without_its_secrets() {
    let server = Server::start();
    let jane = server.user("jane", &allow("sts:AssumeRole"));
    let arn = role(&server, "r", &trust("111122223333", &json!({})), "chime:*");
    let answer = query(&jane, "sts", &assume(&arn, &[("ExternalId", "for-jane")]));
    let session = with_session(&jane, &answer);
    session.create_account("a");
    query(&jane, "sts", &assume("arn:aws:iam::111122223333:role/z", &[]));
    let looked_up = |name: &str| {
        let found = server.client().ok("LookupEvents", json!({"EventName": name}));
        let event = |event: &Value| event["CloudTrailEvent"].as_str().unwrap().to_owned();
        found["Events"].as_array().unwrap().iter().map(event).collect::<Vec<_>>()
    };
    let events = looked_up("AssumeRole");
    assert_eq!(events.len(), 2);
    assert!(
        events[0].contains(&arn) && events[0].contains(&session.access_key_id),
        "{}",
        events[0]
    );
    assert!(events[1].contains("AccessDenied"), "{}", events[1]);
    for event in &events {
        assert!(!event.contains(&session.secret_access_key), "{event}");
        assert!(!event.contains(session.session_token.as_ref().unwrap()), "{event}");
    }
    let made: Value = serde_json::from_str(&looked_up("CreateAccount")[0]).unwrap();
    assert_eq!(made["userIdentity"]["type"], "AssumedRole");
    assert_eq!(made["userIdentity"]["arn"], "arn:aws:sts::111122223333:assumed-role/r/night-run");
}

#[test]
fn iam_is_spoken_in_its_own_protocol() {
    let server = Server::start();
    let root = server.client();
    let call = |parameters: &[(&str, &str)]| query(&root, "iam", parameters);
    let made = call(&[("Action", "CreateUser"), ("UserName", "jane")]);
    assert_eq!(element(&made, "Arn"), "arn:aws:iam::111122223333:user/jane");
    let begins = "<CreateUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
                  <CreateUserResult><User><Arn>";
    assert!(made.body.starts_with(begins), "{made:?}");
    let document = allow("chime:*").to_string();
    let put = [
        ("Action", "PutUserPolicy"),
        ("UserName", "jane"),
        ("PolicyName", "p"),
        ("PolicyDocument", &document),
    ];
    let put = call(&put);
    assert!(!put.body.contains("Result"), "it has none: {put:?}");
    let got = call(&[("Action", "GetUserPolicy"), ("UserName", "jane"), ("PolicyName", "p")]);
    assert!(element(&got, "PolicyDocument").starts_with("%7B%22"), "{got:?}");
    let listed = call(&[("Action", "ListUsers"), ("MaxItems", "1")]);
    assert!(listed.body.contains("<Users><member><Arn>"), "{listed:?}");
    assert_eq!(element(&listed, "IsTruncated"), "false");
    let twice = call(&[("Action", "CreateUser"), ("UserName", "jane")]);
    assert_eq!((twice.status, code(&twice)), (409, "EntityAlreadyExists"));
    let absent = call(&[("Action", "GetUser"), ("UserName", "bob")]);
    assert_eq!((absent.status, code(&absent)), (404, "NoSuchEntity"));
    let version =
        call(&[("Action", "CreatePolicy"), ("PolicyName", "p"), ("PolicyDocument", &document)]);
    let arn = element(&version, "Arn");
    let asked = [
        ("Action", "CreatePolicyVersion"),
        ("PolicyArn", arn),
        ("PolicyDocument", &document),
        ("SetAsDefault", "true"),
    ];
    assert_eq!(element(&call(&asked), "IsDefaultVersion"), "true");
    let wrong = [&asked[..3], &[("SetAsDefault", "yes")]].concat();
    assert_eq!(code(&call(&wrong)), "ValidationError");
    let for_sts = query(&root, "sts", &[("Action", "CreateUser"), ("UserName", "a")]);
    assert_eq!(code(&for_sts), "InvalidAction");
}

//! Which requests reach which operation, and what the others are told.

use super::{Request, check};
use crate::harness::http::{self, Connection};
use crate::harness::{Server, exchange};
use serde_json::json;

#[test]
fn an_unknown_path_or_method_is_an_unknown_operation() {
    let server = Server::start();
    let client = server.client();
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("GET", "/Accounts"),
        ("GET", "/%61ccounts"),
        ("GET", "/accounts;a=b"),
        ("PUT", "/accounts"),
        ("DELETE", "/accounts"),
        ("PATCH", "/accounts/a"),
        ("OPTIONS", "/accounts"),
        ("BREW", "/accounts"),
        ("get", "/accounts"),
        ("GET", "/accounts?operation=suspend"),
        ("GET", "/accounts?type=calling"),
        ("GET", "/accounts?operation="),
        ("GET", "/accounts?operation"),
        ("GET", "/consoleaccounts"),
        ("GET", "/console"),
        ("GET", "/console/"),
        ("GET", "/Console/accounts"),
        ("GET", "/console/console/accounts"),
        ("GET", "/accounts/console/accounts"),
    ] {
        let answer = client.send(method, target, b"");
        check(&answer, "UnknownOperationException", &format!("{method} {target}"));
    }
    let encoded = client.send("GET", "/accounts?%6Fperation=suspend", b"");
    check(&encoded, "UnknownOperationException", "GET /accounts?operation=suspend");
    let secretive = client.send("GET", "/nowhere?user-email=jane%40example.com", b"");
    check(&secretive, "UnknownOperationException", "GET /nowhere");
    assert!(!secretive.body.contains("jane"), "the log repeats what is said: {secretive:?}");
}

/// Lines of the service model that are not served yet.
#[test]
fn the_rest_of_the_api_is_unknown_for_now() {
    let server = Server::start();
    let client = server.client();
    for (method, target) in [
        ("POST", "/accounts/a/users/b?operation=associate-phone-number"),
        ("GET", "/accounts/a/bots"),
        ("POST", "/accounts/a/rooms"),
        ("GET", "/accounts/a/bots/b/events-configuration"),
        ("GET", "/phone-numbers/%2B12065550100"),
        ("GET", "/search?type=phone-numbers"),
        ("GET", "/settings"),
    ] {
        for prefix in ["", "/console"] {
            let answer = client.send(method, &format!("{prefix}{target}"), b"");
            check(&answer, "UnknownOperationException", target);
        }
    }
}

#[test]
fn a_path_that_is_not_normal_reaches_nothing() {
    let server = Server::start();
    let client = server.client();
    let id = client.create_account("My");
    for target in [
        "//accounts".to_owned(),
        "/accounts//".to_owned(),
        "/./accounts".to_owned(),
        "/accounts/.".to_owned(),
        "/accounts/..".to_owned(),
        "/console/../accounts".to_owned(),
        "/console//accounts".to_owned(),
        format!("/accounts//{id}"),
        format!("/accounts/./{id}"),
        format!("/accounts/{id}/"),
        format!("/accounts/{id}/."),
        format!("/accounts/{id}/.."),
        format!("/accounts/x/../{id}"),
        format!("/console/accounts/{id}/"),
    ] {
        check(&client.send("GET", &target, b""), "UnknownOperationException", "No operation");
    }
}

/// A client whose account id is empty sends a slash at the end: the id is at fault, not the path.
#[test]
fn an_empty_or_blank_id_is_a_bad_request() {
    let server = Server::start();
    let client = server.client();
    for target in ["/accounts/", "/accounts/%20", "/accounts/%09%0A", "/console/accounts/"] {
        for (method, body) in [("GET", ""), ("DELETE", ""), ("POST", "{}")] {
            let answer = client.send(method, target, body.as_bytes());
            check(&answer, "BadRequestException", "at 'AccountId' failed to satisfy constraint");
        }
    }
}

#[test]
fn an_id_is_decoded_once() {
    let server = Server::start();
    let client = server.client();
    for (segment, id) in [
        ("a%2Fb", "a/b"),
        ("a%2fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("%2B12065550100", "+12065550100"),
        ("a+b", "a+b"),
        ("%2E%2E", ".."),
        ("%C3%BC", "ü"),
        ("%00", "\0"),
        ("a:b@c,d;e=f", "a:b@c,d;e=f"),
    ] {
        let answer = client.send("GET", &format!("/accounts/{segment}"), b"");
        check(&answer, "NotFoundException", &format!("Account {id} not found"));
    }
}

#[test]
fn every_operation_is_also_under_console_where_the_account_is_the_recorded_one() {
    let server = Server::start();
    let client = server.client();
    let console = crate::harness::Client { prefix: "/console", ..client.clone() };
    let id = console.create_account("My");
    let groups = |answer: serde_json::Value| answer["Account"].get("SigninDelegateGroups").cloned();
    assert_eq!(groups(client.ok("GetAccount", json!({"AccountId": id}))), Some(json!([])));
    assert_eq!(groups(console.ok("GetAccount", json!({"AccountId": id}))), None);
    let update = json!({"AccountId": id, "Name": "Yours"});
    assert_eq!(groups(console.ok("UpdateAccount", update)), None);
    let page = console.ok("ListAccounts", json!({}));
    assert_eq!(page["Accounts"][0]["Name"], "Yours");
    assert_eq!(page["Accounts"][0].get("SigninDelegateGroups"), None);
    console.ok("ListAccessKeys", json!({}));
    console.ok("DeleteAccount", json!({"AccountId": id}));
    client.error("GetAccount", json!({"AccountId": id}));
}

#[test]
fn a_target_may_name_its_server() {
    let server = Server::start();
    let mut request = Request::signed(&server.client(), "GET", "/accounts?max-results=1", "");
    request.target = format!("http://{}/accounts?max-results=1", server.address);
    let answer = request.send(server.address);
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn head_is_answered_without_a_body() {
    let server = Server::start();
    let request = Request::signed(&server.client(), "HEAD", "/accounts", "");
    let mut connection = Connection::open(server.address);
    connection.send(&request.bytes());
    let answer = connection.answer_without_body();
    assert_eq!(answer.header("x-amzn-errortype"), Some("UnknownOperationException"));
    assert_eq!(answer.status, 404);
    // The next answer begins where a body would stand.
    connection.send(&Request::signed(&server.client(), "GET", "/accounts", "").bytes());
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn a_stranger_learns_nothing_of_what_there_is() {
    let server = Server::start();
    let mut headers = ::http::HeaderMap::new();
    headers.insert("host", ::http::HeaderValue::from_static("localhost"));
    for (method, target, body) in
        [("GET", "/accounts", ""), ("GET", "/nowhere", ""), ("POST", "/accounts", "{")]
    {
        let request = http::request(method, target, &headers, body.as_bytes());
        let answer = exchange(server.address, &request);
        check(&answer, "MissingAuthenticationTokenException", "Missing Authentication Token");
    }
}

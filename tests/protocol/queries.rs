//! How members are read from the query.

use super::{Request, check};
use crate::harness::{Client, Server};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};

#[track_caller]
fn names(client: &Client, target: &str) -> Vec<String> {
    let answer = client.send("GET", target, b"");
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    let page = answer.json();
    let accounts = page["Accounts"].as_array().unwrap();
    accounts.iter().map(|account| account["Name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_query_that_cannot_be_read_is_refused() {
    let server = Server::start();
    let client = server.client();
    for (query, message) in [
        ("name=%", "a % is not followed by two hex digits"),
        ("name=a%2", "a % is not followed by two hex digits"),
        ("name=%zz", "in '%zz' a % is not followed by two hex digits"),
        ("%zz=a", "a % is not followed by two hex digits"),
        ("unknown=%+1", "a % is not followed by two hex digits"),
        ("name=%FF", "'%FF' decodes to bytes that are not UTF-8"),
        ("name=%ED%A0%80", "not UTF-8"),
        ("name=a&name=a", "'name' stands in it twice"),
        ("name=a&n%61me=b", "'name' stands in it twice"),
        ("name&name=b", "'name' stands in it twice"),
        ("unknown=1&unknown=2", "'unknown' stands in it twice"),
        ("max-results=1&max-results=1", "'max-results' stands in it twice"),
    ] {
        let answer = client.send("GET", &format!("/accounts?{query}"), b"");
        check(&answer, "BadRequestException", message);
    }
    for segment in ["%", "a%2", "%zz", "%FF", "%C3"] {
        let answer = client.send("GET", &format!("/accounts/{segment}"), b"");
        check(&answer, "BadRequestException", "The request's URI must be percent-encoded UTF-8");
    }
    let answer = client.send("POST", "/accounts?a=1&a=2", br#"{"Name":"a"}"#);
    check(&answer, "BadRequestException", "'a' stands in it twice");
}

#[test]
fn a_value_out_of_its_bounds_is_refused_by_name() {
    let server = Server::start();
    let client = server.client();
    for (query, message) in [
        (
            "max-results=0",
            "at 'MaxResults' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        ("max-results=-1", "greater than or equal to 1"),
        (
            "max-results=201",
            "at 'MaxResults' failed to satisfy constraint: Member must have value less than or equal to 200",
        ),
        (
            "max-results=99999999999999999999",
            "at 'MaxResults' failed to satisfy constraint: Member must be an integer",
        ),
        ("max-results=", "Member must be an integer"),
        ("max-results=ten", "Member must be an integer"),
        ("max-results=1.0", "Member must be an integer"),
        ("max-results=+1", "Member must be an integer"),
        ("max-results=1%00", "Member must be an integer"),
        ("name=", "at 'Name' failed to satisfy constraint: Member must have length"),
        (
            "name=%20",
            "at 'Name' failed to satisfy constraint: Member must satisfy regular expression",
        ),
        ("user-email=nobody", "at 'UserEmail' failed to satisfy constraint"),
        ("next-token=", "at 'NextToken' failed to satisfy constraint"),
        ("next-token=nonsense", "at 'NextToken' failed to satisfy constraint"),
    ] {
        let answer = client.send("GET", &format!("/accounts?{query}"), b"");
        check(&answer, "BadRequestException", message);
    }
    let answer = client.send("GET", &format!("/accounts?name={}", "a".repeat(101)), b"");
    check(&answer, "BadRequestException", "less than or equal to 100 (it has 101)");
    for query in ["max-results=1", "max-results=200", "user-email=a@b.c"] {
        assert_eq!(client.send("GET", &format!("/accounts?{query}"), b"").status, 200);
    }
}

#[test]
fn a_name_that_the_api_does_not_write_so_is_ignored() {
    let server = Server::start();
    let client = server.client();
    client.create_account("a");
    for query in [
        "Name=b",
        "NAME=b",
        "-name=b",
        "name-=b",
        "n-ame=b",
        "maxResults=0",
        "max--results=0",
        "max_results=0",
        "Max-Results=0",
        "account-id=b",
        "aws-account-id=b",
        "=b",
        "b",
        "&&",
        "X-Custom=b",
    ] {
        assert_eq!(names(&client, &format!("/accounts?{query}")), ["a"], "{query}");
    }
}

#[test]
fn a_plus_is_a_space_and_its_escape_is_a_plus() {
    let server = Server::start();
    let client = server.client();
    client.create_account("a b");
    client.create_account("a+b");
    for query in ["name=a+b", "name=a%20b", "n%61me=%61+b"] {
        assert_eq!(names(&client, &format!("/accounts?{query}")), ["a b"], "{query}");
    }
    assert_eq!(names(&client, "/accounts?name=a%2Bb"), ["a+b"]);
}

#[test]
fn a_prefix_may_hold_any_character() {
    let server = Server::start();
    let client = server.client();
    let special = [
        "%",
        "%25",
        "*",
        "?",
        "_",
        "&x",
        "=x",
        "+x",
        "#x",
        "/x",
        "\\x",
        "\"x",
        "'x",
        "[x",
        "\0",
        "\0\0x",
        "\u{1}",
        "é",
        "e\u{301}",
        "ÿ",
        "\u{10ffff}",
        "\u{feff}",
        "日本",
        "𝄞",
        "a",
        "A",
    ];
    for prefix in special {
        client.create_account(&format!("{prefix}1"));
        client.create_account(prefix);
    }
    for prefix in special {
        let mut expected: Vec<String> =
            special.iter().flat_map(|name| [format!("{name}1"), (*name).to_owned()]).collect();
        expected.retain(|name| name.starts_with(prefix));
        expected.sort();
        let page = client.ok("ListAccounts", json!({"Name": prefix}));
        let accounts = page["Accounts"].as_array().unwrap();
        let found: Vec<_> =
            accounts.iter().map(|account| account["Name"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{prefix:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A signature holds whatever order the pairs arrive in, and so does the answer.
    #[test]
    fn the_order_of_the_pairs_does_not_count(
        values in proptest::collection::vec("\\PC{0,6}", 3..6),
        rotation in 0usize..6,
    ) {
        let server = shared();
        let client = server.client();
        let mut pairs: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(i, value)| format!("X{i}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .chain(["max-results=1".to_owned(), "name=a".to_owned()])
            .collect();
        let mut request =
            Request::signed(&client, "GET", &format!("/accounts?{}", pairs.join("&")), "");
        let rotation = rotation % pairs.len();
        pairs.rotate_left(rotation);
        request.target = format!("/accounts?{}", pairs.join("&"));
        let answer = request.send(server.address);
        prop_assert_eq!(answer.status, 200, "{:?}", answer);
        prop_assert_eq!(&answer.json()["Accounts"][0]["Name"], &Value::from("a1"));
    }
}

/// One server for all the cases of a property, which only read from it.
fn shared() -> &'static Server {
    static SERVER: std::sync::LazyLock<Server> = std::sync::LazyLock::new(|| {
        let server = Server::start();
        server.client().create_account("a1");
        server
    });
    &SERVER
}

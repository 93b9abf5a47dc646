//! Signatures in the `Authorization` header, and everything that is refused about them.

use super::signer::Unsigned;
use super::{Request, check};
use crate::harness::http::head;
use crate::harness::{Client, ROOT_ACCESS_KEY_ID, Server, exchange};
use serde_json::json;

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
     provided. Check your AWS Secret Access Key and signing method. Consult the service \
     documentation for details.\n\nThe Canonical String for this request should have been\n'";
const UNRECOGNIZED: &str = "The security token included in the request is invalid.";

/// Asserts the exception and the whole message of a refusal.
#[track_caller]
fn check_exactly(server: &Server, request: &Request, exception: &str, message: &str) {
    let found = request.send(server.address).error();
    assert_eq!(found, (exception.to_owned(), message.to_owned()));
}

/// Asserts the refusal of a good request in whose `Authorization` something was replaced.
#[track_caller]
fn check_replaced(server: &Server, from: &str, to: &str, message: &str) {
    let mut request = good(&server.client());
    request.replace_in_header("authorization", from, to);
    check_exactly(server, &request, "InvalidSignatureException", message);
}

fn good(client: &Client) -> Request {
    Request::signed(client, "POST", "/accounts?a=1&b=2", r#"{"Name":"My"}"#)
}

#[test]
fn our_signer_and_that_of_aws_are_both_believed() {
    let server = Server::start();
    let client = server.client();
    assert_eq!(good(&client).send(server.address).status, 201);
    for region in ["us-east-1", "eu-west-1", "local"] {
        let client = Client { region: region.to_owned(), ..client.clone() };
        let unsigned = Unsigned::new(&client, "GET", "/accounts?name=a%2Bb%20c&max-results=2", "");
        let unsigned = unsigned.header("x-amz-target", "a  b").header("accept", "*/*");
        let answer = unsigned.signed(&client).send(server.address);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[test]
fn every_part_of_a_request_is_bound_by_its_signature() {
    type Change = (&'static str, fn(&mut Request));
    let server = Server::start();
    let client = server.client();
    let changes: [Change; 17] = [
        ("method", |it| it.method = "PUT".to_owned()),
        ("path", |it| it.target = it.target.replace("/accounts", "/account")),
        ("path's case", |it| it.target = it.target.replace("/accounts", "/Accounts")),
        ("path's end", |it| it.target = it.target.replace("/accounts", "/accounts/x")),
        ("path's prefix", |it| it.target = format!("/console{}", it.target)),
        ("path's escapes", |it| it.target = it.target.replace("/a", "/%61")),
        ("query's value", |it| it.target = it.target.replace("a=1", "a=2")),
        ("query's name", |it| it.target = it.target.replace("a=1", "c=1")),
        ("query's pair more", |it| it.target.push_str("&c=3")),
        ("query's pair less", |it| it.target = it.target.replace("&b=2", "")),
        ("host", |it| it.set_header("host", "chime.us-east-1.amazonaws.com")),
        ("content type", |it| it.set_header("content-type", "text/plain")),
        ("body", |it| it.body = br#"{"Name":"Mx"}"#.to_vec()),
        ("body's space", |it| it.body.push(b' ')),
        ("no body", |it| it.body.clear()),
        ("region", |it| it.replace_in_header("authorization", "/eu-west-1/", "/eu-west-2/")),
        ("signed headers", |it| it.replace_in_header("authorization", "content-type;", "")),
    ];
    for (part, change) in changes {
        let mut request = good(&client);
        change(&mut request);
        let answer = request.send(server.address);
        assert_eq!(answer.error().0, "InvalidSignatureException", "{part}: {answer:?}");
        check(&answer, "InvalidSignatureException", MISMATCH);
    }
    assert_eq!(client.ok("ListAccounts", json!({}))["Accounts"], json!([]));
}

#[test]
fn every_digit_of_a_signature_counts() {
    let server = Server::start();
    let client = server.client();
    let authorization =
        |request: &Request| request.headers["authorization"].to_str().unwrap().to_owned();
    for i in 0..64 {
        let mut request = good(&client);
        let mut digits = authorization(&request).into_bytes();
        let at = digits.len() - 64 + i;
        digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
        request.set_header("authorization", std::str::from_utf8(&digits).unwrap());
        check(&request.send(server.address), "InvalidSignatureException", MISMATCH);
    }
    let changes: [fn(&str) -> String; 4] = [
        |text| text[..text.len() - 1].to_owned(),
        |text| format!("{text}0"),
        |text| format!("{}{}", &text[..text.len() - 64], "0".repeat(64)),
        |text| format!("{}{}", &text[..text.len() - 64], text[text.len() - 64..].to_uppercase()),
    ];
    for change in changes {
        let mut request = good(&client);
        let other = change(&authorization(&request));
        request.set_header("authorization", &other);
        check(&request.send(server.address), "InvalidSignatureException", MISMATCH);
    }
}

#[test]
fn a_scope_that_cannot_be_is_told_what_is_wrong() {
    let server = Server::start();
    let client = server.client();
    let refused = |from: &str, to: &str, message: &str| check_replaced(&server, from, to, message);
    refused("/chime/", "/s3/", "Credential should be scoped to correct service: 'chime'");
    refused(
        "/aws4_request",
        "/aws5_request",
        "Credential should be scoped with a valid terminator: 'aws4_request'",
    );
    refused(
        "/eu-west-1/",
        "/EU_WEST/",
        "Credential should be scoped to a valid Region, not 'EU_WEST'",
    );
    refused("/eu-west-1/", "//", "Credential should be scoped to a valid Region, not ''");
    let request = good(&client);
    let time = request.headers["x-amz-date"].to_str().unwrap().to_owned();
    let mut request = request;
    request.replace_in_header("authorization", &time[..8], "20150830");
    let message = format!(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
         HTTP: '20150830' != '{}', from '{time}'.",
        &time[..8]
    );
    check_exactly(&server, &request, "InvalidSignatureException", &message);
}

#[test]
fn the_list_of_signed_headers_must_be_whole() {
    let server = Server::start();
    let client = server.client();
    let refused = |from: &str, to: &str, message: &str| check_replaced(&server, from, to, message);
    let host = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
    refused(";host;", ";", host);
    let date = "'x-amz-date' must be a 'SignedHeader' in the AWS Authorization.";
    refused(";host;x-amz-date", ";host", date);
    let absent = "The request has no header 'accept' but SignedHeaders lists it";
    refused("content-type;", "accept;content-type;", absent);
    let order = "SignedHeaders must be lower-case header names in ascending order, separated by \
                 semicolons.";
    refused("content-type;host", "host;content-type", order);
    refused("content-type;host", "Content-Type;host", order);
    refused("content-type;host", "content-type;host;host", order);

    let mut request = good(&client);
    request.set_header("x-amz-target", "Chime.DeleteAccount");
    let unsigned = "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.";
    check_exactly(&server, &request, "InvalidSignatureException", unsigned);

    // What proxies add is nobody's to sign.
    let mut request = good(&client);
    request.set_header("x-forwarded-for", "192.0.2.1");
    request.set_header("user-agent", "changed on the way");
    assert_eq!(request.send(server.address).status, 201);
}

#[test]
fn a_hash_of_the_body_must_be_that_of_the_body() {
    let server = Server::start();
    let client = server.client();
    let with_hash = |hash| {
        let unsigned = Unsigned::new(&client, "GET", "/accounts", "");
        unsigned.header("x-amz-content-sha256", hash).signed(&client).send(server.address)
    };
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(with_hash(empty).status, 200);
    for hash in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""] {
        let message = "The header 'x-amz-content-sha256' is not the SHA-256 of the body";
        check(&with_hash(hash), "InvalidSignatureException", message);
    }
}

#[test]
fn an_incomplete_authorization_is_told_what_is_missing() {
    let server = Server::start();
    let client = server.client();
    for (authorization, message) in [
        ("", "Authorization header cannot be empty"),
        (
            "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host",
            "Authorization header requires 'Signature' parameter.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a, Signature=b",
            "Authorization header requires 'SignedHeaders' parameter.",
        ),
        (
            "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=b",
            "Authorization header requires 'Credential' parameter.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=b",
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term",
        ),
        (
            "Bearer abcdef",
            "Unsupported algorithm or scheme: this service accepts AWS4-HMAC-SHA256 only.",
        ),
        (
            "AWS4-ECDSA-P256-SHA256 Credential=a",
            "Unsupported algorithm or scheme: this service accepts AWS4-HMAC-SHA256 only.",
        ),
    ] {
        let mut request = good(&client);
        request.set_header("authorization", authorization);
        check_exactly(&server, &request, "IncompleteSignatureException", message);
    }
    let mut request = good(&client);
    request.set_header("authorization", "AWS4-HMAC-SHA256 Credential");
    let message = "Invalid key=value pair (missing equal-sign) in Authorization header (hashed \
                   with SHA-256 and encoded with Base64): '";
    check(&request.send(server.address), "IncompleteSignatureException", message);

    let mut request = good(&client);
    request.headers.remove("x-amz-date");
    let message = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                   header.";
    check_exactly(&server, &request, "IncompleteSignatureException", message);
    let mut request = good(&client);
    request.set_header("x-amz-date", "2026-01-01T00:00:00Z");
    let message = "Date must be in ISO-8601 'basic format'. Got '2026-01-01T00:00:00Z'.";
    check_exactly(&server, &request, "IncompleteSignatureException", message);
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let server = Server::start();
    let client = server.client();
    for (name, line) in [
        ("authorization", "authorization: AWS4-HMAC-SHA256 Credential=a\r\n"),
        ("x-amz-date", "x-amz-date: 20150830T123600Z\r\n"),
    ] {
        let request = Request::signed(&client, "GET", "/accounts", "");
        let bytes = head("GET", "/accounts", &request.headers, line);
        let message = format!("The header '{name}' is given more than once.");
        let answer = exchange(server.address, &bytes);
        check(&answer, "IncompleteSignatureException", &message);
    }
    let request = Request::signed(&client, "GET", "/accounts?X-Amz-Signature=00", "");
    let message = "The request is signed twice: in the Authorization header and in the query \
                   string.";
    check_exactly(&server, &request, "IncompleteSignatureException", message);
    let mut request = good(&client);
    let secret = ::http::HeaderValue::from_bytes(b"AWS4-HMAC-SHA256 Credential=\xc3\xbc").unwrap();
    request.headers.insert("authorization", secret);
    let message = "The header 'authorization' is not visible ASCII.";
    check_exactly(&server, &request, "IncompleteSignatureException", message);
}

#[test]
fn clocks_may_be_five_minutes_apart() {
    let server = Server::start();
    let client = server.client();
    let at = |seconds: i64| {
        let client = Client { clock: client.clock.apart(seconds * 1000), ..client.clone() };
        Request::signed(&client, "GET", "/accounts", "")
    };
    for seconds in [-295, 295] {
        assert_eq!(at(seconds).send(server.address).status, 200, "{seconds}");
    }
    let message = |request: &Request| {
        let time = request.headers["x-amz-date"].to_str().unwrap();
        let (exception, message) = request.send(server.address).error();
        assert_eq!(exception, "InvalidSignatureException");
        message.replace(time, "TIME")
    };
    let late = message(&at(-305));
    assert!(late.starts_with("Signature expired: TIME is now earlier than 20"), "{late}");
    assert!(late.ends_with(" - 5 min.)"), "{late}");
    let early = message(&at(310));
    assert!(early.starts_with("Signature not yet current: TIME is still later than 20"), "{early}");
    assert!(early.ends_with(" + 5 min.)"), "{early}");

    // A request that was good is no longer so when somebody sends it again.
    let request = Request::signed(&client, "GET", "/accounts", "");
    assert_eq!(request.send(server.address).status, 200);
    server.move_time(290_000);
    assert_eq!(request.send(server.address).status, 200);
    server.move_time(15_000);
    check(&request.send(server.address), "InvalidSignatureException", "Signature expired: ");
}

#[test]
fn a_key_that_is_unknown_or_deleted_signs_nothing() {
    let server = Server::start();
    let root = server.client();
    let client = server.client_of("444455556666");
    let unknown = Client { access_key_id: "AKIAUNKNOWN".to_owned(), ..client.clone() };
    let request = Request::signed(&unknown, "GET", "/accounts", "");
    check_exactly(&server, &request, "UnrecognizedClientException", UNRECOGNIZED);
    let request = Request::signed(&client, "GET", "/accounts", "");
    assert_eq!(request.send(server.address).status, 200);
    root.ok("DeleteAccessKey", json!({"AccessKeyId": client.access_key_id}));
    check_exactly(&server, &request, "UnrecognizedClientException", UNRECOGNIZED);
    let (exception, _) = client.error("CreateAccount", json!({"Name": "a"}));
    assert_eq!(exception, "UnrecognizedClientException");
}

#[test]
fn a_key_goes_with_its_own_secret() {
    let server = Server::start();
    let (one, other) = (server.client_of("444455556666"), server.client_of("444455556666"));
    let mixed = Client { access_key_id: one.access_key_id.clone(), ..other.clone() };
    let answer = mixed.call("ListAccounts", json!({}));
    check(&answer, "InvalidSignatureException", MISMATCH);
    let mut request = Request::signed(&one, "GET", "/accounts", "");
    request.replace_in_header("authorization", &one.access_key_id, &other.access_key_id);
    check(&request.send(server.address), "InvalidSignatureException", MISMATCH);
    let mut request =
        Request::signed(&one, "POST", "/campanile/iam?operation=list-access-keys", "{}");
    request.replace_in_header("authorization", &one.access_key_id, ROOT_ACCESS_KEY_ID);
    check(&request.send(server.address), "InvalidSignatureException", MISMATCH);
}

#[test]
fn a_key_opens_the_world_of_its_own_aws_account() {
    let server = Server::start();
    let (mine, other) = (server.client(), server.client_of("444455556666"));
    let sibling = server.client_of("444455556666");
    let id = mine.create_account("My");
    let theirs = other.create_account("Their");
    let names = |client: &Client| {
        let page = client.ok("ListAccounts", json!({}));
        let accounts = page["Accounts"].as_array().unwrap().clone();
        accounts.into_iter().map(|account| account["Name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((names(&mine), names(&other)), (vec![json!("My")], vec![json!("Their")]));
    assert_eq!(names(&sibling), [json!("Their")]);
    for operation in ["GetAccount", "UpdateAccount", "DeleteAccount"] {
        for (client, id) in [(&other, &id), (&mine, &theirs)] {
            let error = client.error(operation, json!({"AccountId": id}));
            let message = format!("Account {id} not found");
            assert_eq!(error, ("NotFoundException".to_owned(), message));
        }
    }
    let (exception, message) =
        other.error("ListAccessKeys", json!({"AwsAccountId": "111122223333"}));
    assert_eq!(exception, "ForbiddenException");
    let denied = "User: arn:aws:iam::444455556666:root is not authorized to act in the AWS account \
                  111122223333";
    assert_eq!(message, denied);
}

#[test]
fn a_session_token_is_refused_since_none_was_issued() {
    let server = Server::start();
    let client = server.client();
    let unsigned = || Unsigned::new(&client, "GET", "/accounts", "").session_token("token==");
    for request in [unsigned().signed(&client), unsigned().presigned(&client, 60)] {
        check_exactly(&server, &request, "UnrecognizedClientException", UNRECOGNIZED);
    }
    let mut request = Request::signed(&client, "GET", "/accounts", "");
    request.set_header("x-amz-security-token", "token==");
    check_exactly(&server, &request, "UnrecognizedClientException", UNRECOGNIZED);
}

#[test]
fn a_mismatch_echoes_what_should_have_been_signed_without_any_secret() {
    let server = Server::start();
    let client = server.client();
    let target = "/accounts/%2B1?name=b&X-Amz-Security-Token=hidden1&x-amz-security-token=hidden2";
    let unsigned = Unsigned::new(&client, "GET", target, "");
    let unsigned = unsigned.header("cookie", "hidden3").header("proxy-authorization", "hidden4");
    let mut request = unsigned.signed(&client);
    let time = request.headers["x-amz-date"].to_str().unwrap().to_owned();
    request.replace_in_header("authorization", "Signature=", "Signature=0");
    let (exception, message) = request.send(server.address).error();
    assert_eq!(exception, "InvalidSignatureException");
    let echo = message.strip_prefix(MISMATCH).unwrap();
    let canonical = format!(
        "GET\n/accounts/%252B1\nX-Amz-Security-Token=***&name=b&x-amz-security-token=***\n\
         cookie:***\nhost:{}\n",
        server.address
    );
    assert!(echo.starts_with(&canonical), "{echo}");
    let to_sign = format!(
        "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n{time}\n{}/eu-west-1/chime/\
         aws4_request\n",
        &time[..8]
    );
    assert!(echo.contains(&to_sign), "{echo}");
    for secret in ["hidden", &client.secret_access_key, "Signature="] {
        assert!(!message.contains(secret), "{secret}: {message}");
    }
}

//! AWS's signing test suite, as it is shipped in the package of their signer for Rust.

use super::super::canonical::{Canonical, PathForm, SignedHeader};
use super::super::{sha256_hex, string_to_sign};
use super::*;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Cases that must fail, and why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    (
        "post-sts-header-after",
        "header",
        "The session token is added after signing, as AWS IoT alone wants it; here it is signed.",
    ),
    ("post-sts-header-after", "query", "As above."),
];

/// Cases without credentials, signature or time: only their canonical request can be compared.
///
/// The time in their canonical request is the one that aws-sigv4's own test sets.
const CANONICAL_ONLY: [&str; 2] = ["double-encode-path", "double-url-encode"];

#[test]
fn every_case_of_the_suite_verifies() {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(suite()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 40, "{cases:?}");
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        if CANONICAL_ONLY.contains(&name) {
            check_canonical_only(&case);
            continue;
        }
        for location in ["header", "query"] {
            let excepted = EXCEPTIONS.iter().any(|it| it.0 == name && it.1 == location);
            let outcome = check(&case, location);
            assert_eq!(outcome.is_err(), excepted, "{name}, {location}: {outcome:?}");
        }
    }
}

fn check(case: &Path, location: &str) -> Result<(), String> {
    let read =
        |name: &str| fs::read_to_string(case.join(format!("{location}-{name}.txt"))).unwrap();
    let context = fs::read_to_string(case.join("context.json")).unwrap();
    let context: Value = serde_json::from_str(&context).unwrap();
    let credentials = &context["credentials"];
    let token = credentials["token"].as_str();
    let service = context["service"].as_str().unwrap();
    let time: Timestamp = context["timestamp"].as_str().unwrap().parse().unwrap();

    let request = parse(&read("signed-request"));
    let signed = request.as_signed();
    let signature = Signature::parse(&signed).map_err(|error| error.to_string())?;
    assert_eq!(signature.access_key_id(), credentials["access_key_id"]);
    assert_eq!(signature.session_token(), token);
    assert_eq!(signature.scope().region, context["region"].as_str().unwrap());
    assert_eq!(signature.hmac, read("signature").trim());
    if location == "query" {
        let expires_s = context["expiration_in_seconds"].as_i64();
        assert_eq!(signature.expires.map(|it| it.as_secs()), expires_s);
    }
    let key = credentials["secret_access_key"].as_str().unwrap();
    let key = SigningKey::derive(key, signature.scope());
    signature.verify(&signed, service, time, &key).map_err(|error| error.to_string())?;

    let normalize = context["normalize"].as_bool().unwrap();
    let canonical = Canonical {
        request: &signed,
        signed_headers: &signature.signed_headers,
        headers: headers(&signed, &signature.signed_headers),
        payload_hash: &sha256_hex(signed.body),
        presigned: location == "query",
    };
    let canonical = canonical.bytes(if normalize { PathForm::Normalized } else { PathForm::Raw });
    assert_eq!(String::from_utf8(canonical.clone()).unwrap(), read("canonical-request"));
    let string_to_sign = string_to_sign(&signature.time, signature.scope(), &canonical);
    assert_eq!(String::from_utf8(string_to_sign).unwrap(), read("string-to-sign"));
    Ok(())
}

fn check_canonical_only(case: &Path) {
    assert!(!case.join("context.json").exists());
    assert!(!case.join("query-canonical-request.txt").exists());
    let read = |name: &str| fs::read_to_string(case.join(name)).unwrap();
    let mut request = parse(&read("request.txt"));
    request.headers.insert("x-amz-date", HeaderValue::from_static("20210511T154045Z"));
    let canonical = Canonical {
        request: &request.as_signed(),
        signed_headers: "host;x-amz-date",
        headers: headers(&request.as_signed(), "host;x-amz-date"),
        payload_hash: &sha256_hex(&[]),
        presigned: false,
    };
    let canonical = canonical.bytes(PathForm::Normalized);
    assert_eq!(String::from_utf8(canonical).unwrap(), read("header-canonical-request.txt"));
}

fn headers<'a>(request: &SignedRequest<'a>, names: &'a str) -> Vec<SignedHeader<'a>> {
    names.split(';').map(|name| SignedHeader::of(request.headers, name)).collect()
}

fn suite() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "aws-sigv4").unwrap();
    let manifest_path = Path::new(package["manifest_path"].as_str().unwrap());
    manifest_path.with_file_name("aws-signing-test-suite").join("v4")
}

/// Reads an HTTP request more leniently than a server does.
///
/// Spaces and raw UTF-8 in the target are kept, and folded header lines are unfolded as RFC 9112
/// (5.2) says, so that no case has to be left out.
fn parse(text: &str) -> Request {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let head = head.replace("\n ", " ");
    let mut lines = head.lines();
    let line = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap();
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::new(method, target);
    request.headers.clear();
    request.body = body.as_bytes().to_vec();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    request
}

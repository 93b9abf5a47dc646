//! Every way in which a signature is refused, with the exception and the text that clients see.

use super::*;
use crate::protocol::error::Exception::{
    self, IncompleteSignatureException, InvalidSignatureException,
    MissingAuthenticationTokenException,
};

fn signed() -> Request {
    Request::new("GET", "/accounts/a?b=c").signed()
}

/// A valid presigned request is what AWS's signer makes; these are only refused.
fn presigned(parameters: &str) -> Request {
    let credential = "X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fchime%2Faws4_request";
    let common = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    Request::new("GET", &format!("/accounts?{common}&{credential}&{parameters}"))
}

#[track_caller]
fn check(request: &Request, exception: Exception, message: &str) {
    check_at(request, 0, exception, message);
}

#[track_caller]
fn check_at(request: &Request, offset_s: i64, exception: Exception, message: &str) {
    let error = request.verify_at(now(offset_s), SERVICE).unwrap_err();
    assert_eq!((error.exception(), error.message()), (exception, message));
}

#[track_caller]
fn check_authorization(from: &str, to: &str, exception: Exception, message: &str) {
    let mut request = signed();
    request.replace_header("authorization", from, to);
    check(&request, exception, message);
}

#[test]
fn unsigned() {
    let message = "Missing Authentication Token";
    check(&Request::new("GET", "/"), MissingAuthenticationTokenException, message);
}

#[test]
fn incomplete_authorization() {
    let refused = |authorization: &str, message: &str| {
        let request = Request::new("GET", "/").header("authorization", authorization);
        let request = request.header("x-amz-date", "20150830T123600Z");
        check(&request, IncompleteSignatureException, message);
    };
    refused("", "Authorization header cannot be empty");
    refused(
        "AWS4-HMAC-SHA256 ",
        "Authorization header requires 'Credential' parameter. Authorization header requires \
         'Signature' parameter. Authorization header requires 'SignedHeaders' parameter.",
    );
    refused(
        "AWS4-HMAC-SHA256 SignedHeaders=host,Signature=0",
        "Authorization header requires 'Credential' parameter.",
    );
    refused(
        "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host, Signature=",
        "Authorization header requires 'Signature' parameter.",
    );
    refused(
        "AWS4-HMAC-SHA256 Credential=a,Signature=0",
        "Authorization header requires 'SignedHeaders' parameter.",
    );
    refused(
        "AWS4-HMAC-SHA256 Credential",
        "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 \
         and encoded with Base64): 'KfSoC26UaBDGXxo5AUFS45c1cmAbyLKDOxOTKcZYWt4='.",
    );
    refused(
        "AWS4-HMAC-SHA256 Credential=a,Credential=b",
        "Authorization header has more than one 'Credential' parameter.",
    );
    let unsupported =
        "Unsupported algorithm or scheme: this service accepts AWS4-HMAC-SHA256 only.";
    refused("AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", unsupported);
    refused("AWS4-ECDSA-P256-SHA256 Credential=a", unsupported);
    refused("Bearer secret", unsupported);
}

#[test]
fn credential() {
    let message = "Credential must have exactly 5 slash-delimited elements, e.g. \
                   keyid/date/region/service/term";
    check_authorization("AKIDEXAMPLE/", "", IncompleteSignatureException, message);
    check_authorization("AKID", "AK/ID", IncompleteSignatureException, message);
    let message = "Credential has no access key.";
    check_authorization("=AKIDEXAMPLE/", "=/", IncompleteSignatureException, message);
}

#[test]
fn scope() {
    let refused = |from: &str, to: &str, message: &str| {
        check_authorization(from, to, InvalidSignatureException, message);
    };
    refused(
        "20150830",
        "20150829",
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
         HTTP: '20150829' != '20150830', from '20150830T123600Z'.",
    );
    let region = "Credential should be scoped to a valid Region, not '";
    refused("us-east-1", "", &format!("{region}'"));
    refused("us-east-1", "US East", &format!("{region}US East'"));
    refused("/chime/", "/s3/", "Credential should be scoped to correct service: 'chime'");
    let message = "Credential should be scoped with a valid terminator: 'aws4_request'";
    refused("aws4_request", "aws5_request", message);
}

#[test]
fn clock() {
    let request = signed();
    request.verify_at(now(300), SERVICE).unwrap();
    request.verify_at(now(-300), SERVICE).unwrap();
    check_at(
        &request,
        301,
        InvalidSignatureException,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
         (20150830T124101Z - 5 min.)",
    );
    check_at(
        &request,
        -301,
        InvalidSignatureException,
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
         (20150830T123059Z + 5 min.)",
    );
    let request = presigned("X-Amz-Date=20150830T123600Z&X-Amz-Expires=900");
    let message = "Signature expired: 20150830T125100Z is now earlier than 20150830T125101Z";
    check_at(&request, 901, InvalidSignatureException, message);
    let error = request.verify_at(now(900), SERVICE).unwrap_err();
    assert!(error.message().starts_with("The request signature we calculated"), "{error}");
    let error = request.verify_at(now(-301), SERVICE).unwrap_err();
    assert!(error.message().starts_with("Signature not yet current"), "{error}");
}

#[test]
fn dates() {
    let mut request = signed();
    request.headers.remove("x-amz-date");
    let message =
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
    check(&request, IncompleteSignatureException, message);
    for date in ["20150830T123600", "2015-08-30T12:36:00Z", "20150832T123600Z", "+0150830T123600Z"]
    {
        let message = format!("Date must be in ISO-8601 'basic format'. Got '{date}'.");
        let request = request.clone().header("x-amz-date", date);
        check(&request, IncompleteSignatureException, &message);
    }
    let twice = signed().header("x-amz-date", "20150830T123600Z");
    let message = "The header 'x-amz-date' is given more than once.";
    check(&twice, IncompleteSignatureException, message);
}

#[test]
fn presigned_query() {
    let date = "X-Amz-Date=20150830T123600Z";
    let refused = |parameters: &str, message: &str| {
        check(&presigned(parameters), IncompleteSignatureException, message);
    };
    let must = |name: &str| {
        format!(
            "AWS query-string parameters must include '{name}'. Re-examine the query-string \
             parameters."
        )
    };
    refused("", &must("X-Amz-Date"));
    refused(date, &must("X-Amz-Expires"));
    for expires in ["0", "604801", "-1", "+1", "x", "99999999999"] {
        let message = "X-Amz-Expires must be a number of seconds from 1 to 604800.";
        refused(&format!("{date}&X-Amz-Expires={}", expires.replace('+', "%2B")), message);
    }
    refused(
        &format!("{date}&X%2DAmz-Date=1"),
        "Query parameter 'X-Amz-Date' is given more than once.",
    );
    let mut both = presigned(&format!("{date}&X-Amz-Expires=900"));
    both.headers = signed().headers;
    check(
        &both,
        IncompleteSignatureException,
        "The request is signed twice: in the Authorization header and in the query string.",
    );
    let token = presigned(&format!("{date}&X-Amz-Expires=900&X-Amz-Security-Token=a"))
        .header("x-amz-security-token", "b");
    let message = "The session token is given twice: in a header and in the query.";
    check(&token, IncompleteSignatureException, message);
    let mut request = presigned(&format!("{date}&X-Amz-Expires=900"));
    request.target = request.target.replace("HMAC-SHA256", "ECDSA-P256-SHA256");
    let message = "Unsupported algorithm or scheme: this service accepts AWS4-HMAC-SHA256 only.";
    check(&request, IncompleteSignatureException, message);
}

#[test]
fn signed_headers() {
    let order = "SignedHeaders must be lower-case header names in ascending order, separated by \
                 semicolons.";
    for list in ["x-amz-date;host", "host;host", "Host;x-amz-date", "host;;x-amz-date", ";host"] {
        check_authorization("host;x-amz-date", list, InvalidSignatureException, order);
    }
    check_authorization(
        "host;",
        "",
        InvalidSignatureException,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
    check_authorization(
        "host;",
        "accept;host;",
        InvalidSignatureException,
        "The request has no header 'accept' but SignedHeaders lists it",
    );
    check(
        &signed().header("x-amz-security-token", "stolen"),
        InvalidSignatureException,
        "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization.",
    );
    signed().header("x-amz-cf-id", "added on the way").verify().unwrap();
}

#[test]
fn payload() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let request = |hash: &str| Request::new("GET", "/").header("x-amz-content-sha256", hash);
    request(empty).signed().verify().unwrap();
    for hash in ["UNSIGNED-PAYLOAD", &empty.replace('e', "f")] {
        check(
            &request(hash).signed(),
            InvalidSignatureException,
            "The header 'x-amz-content-sha256' is not the SHA-256 of the body that was received. \
             This service does not accept unsigned or chunked payloads.",
        );
    }
}

#[test]
fn mismatch_shows_what_was_expected_but_no_secret() {
    let credentials = Credentials { session_token: Some("very secret"), ..CREDENTIALS };
    let target = "/phone-numbers/%2B1?x-amz-security-token=hidden&a=b";
    let mut request = Request::new("GET", target).header("cookie", "biscuit");
    request = request.signed_with(&credentials);
    request.target = target.replace("a=b", "a=%62c");
    let error = request.verify().unwrap_err();
    let message = error.message();
    let canonical = "GET\n/phone-numbers/%252B1\na=bc&x-amz-security-token=***\ncookie:***\n\
                     host:chime.us-east-1.amazonaws.com\nx-amz-date:20150830T123600Z\n\
                     x-amz-security-token:***\n\ncookie;host;x-amz-date;x-amz-security-token\n\
                     e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let expected = format!(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details.\n\nThe Canonical String for this request should have been\n'{canonical}'\n\n\
         The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20150830T123600Z\n\
         20150830/us-east-1/chime/aws4_request\n"
    );
    assert!(message.starts_with(&expected), "{message}");
    assert!(message.ends_with("'\n") && message.len() == expected.len() + 64 + 2, "{message}");
    for secret in ["very secret", "hidden", "biscuit"] {
        assert!(!message.contains(secret));
    }
}

#[test]
fn a_signature_has_one_spelling() {
    let mut request = signed();
    let upper = request.headers["authorization"].to_str().unwrap().to_owned();
    let (head, hmac) = upper.split_once("Signature=").unwrap();
    let upper = format!("{head}Signature={}", hmac.to_uppercase());
    request.headers.insert("authorization", upper.parse().unwrap());
    let error = request.verify().unwrap_err();
    assert_eq!(error.exception(), InvalidSignatureException);
}

//! AWS's own signer for Rust signs arbitrary requests; we must agree with it on every one.

use super::*;
use aws_credential_types::Credentials as AwsCredentials;
use aws_sigv4::http_request as aws;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::time::{Duration, SystemTime};

/// What clients leave as it is in a path or query, at the most.
const LENIENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b':')
    .remove(b'@');

fn encoded_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,6}".prop_map(|text| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()),
        ".{0,6}".prop_map(|text| utf8_percent_encode(&text, LENIENT).to_string()),
        select(vec!["%2B12065550100", "%252B1", "u%2F1", "a%20b", "a+b", "%c3%bc", "%7e", "%zz"])
            .prop_map(str::to_owned),
    ]
}

fn segment() -> impl Strategy<Value = String> {
    let odd = select(vec!["", ".", "..", "...", "%2e%2e", "%2E", "=", "accounts"]);
    prop_oneof![3 => encoded_text(), 1 => odd.prop_map(str::to_owned)]
}

fn target() -> impl Strategy<Value = String> {
    let pair = prop_oneof![
        (encoded_text(), encoded_text()).prop_map(|(name, value)| format!("{name}={value}")),
        encoded_text(),
        select(vec!["a=1", "a=0", "a-b=1", "a", "", "=", "operation=logout", "a==", "a=b=c"])
            .prop_map(str::to_owned),
    ];
    let path = prop::collection::vec(segment(), 1..6);
    let query = prop::option::of(prop::collection::vec(pair, 0..6));
    (path, query).prop_map(|(path, query)| {
        let query = query.map_or(String::new(), |query| format!("?{}", query.join("&")));
        format!("/{}{query}", path.join("/"))
    })
}

fn request() -> impl Strategy<Value = Request> {
    let method = select(vec!["GET", "POST", "PUT", "DELETE"]);
    let name = select(vec!["accept", "content-type", "my-header", "x-amz-target"]);
    let headers = prop::collection::vec((name, "[ -~]{0,12}"), 0..5);
    let body = prop::collection::vec(any::<u8>(), 0..40);
    (method, target(), headers, body).prop_map(|(method, target, headers, body)| {
        let mut request = Request::new(method, &target);
        request.body = body;
        headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    })
}

/// Signs with aws-sigv4, in the query when `presigned`.
fn aws_signed(request: &Request, presigned: bool, token: Option<&str>) -> Request {
    let mut settings = aws::SigningSettings::default();
    if presigned {
        settings.signature_location = aws::SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_mins(15));
    }
    let token = token.map(str::to_owned);
    let credentials = AwsCredentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, token, None, "test");
    let identity = credentials.into();
    let parameters = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name(SERVICE)
        .time(SystemTime::from(now(0)))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = request.headers.iter();
    let signable = aws::SignableRequest::new(
        &request.method,
        format!("https://{HOST}{}", request.target),
        headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())),
        aws::SignableBody::Bytes(&request.body),
    );
    let (instructions, _) = aws::sign(signable.unwrap(), &parameters).unwrap().into_parts();
    let mut signed = request.clone();
    for (name, value) in instructions.headers() {
        signed = signed.header(name, value);
    }
    for (name, value) in instructions.params() {
        let separator = if signed.target.contains('?') { '&' } else { '?' };
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        signed.target = format!("{}{separator}{name}={value}", signed.target);
    }
    signed
}

/// Changes one thing, or returns `false` if the request has no such thing.
fn mutate(request: &mut Request, mutation: &str, index: Index) -> bool {
    let presigned = !request.headers.contains_key("authorization");
    let path_end = request.as_signed().path().len();
    let change = |request: &mut Request, from: &str, to: &str| {
        if presigned {
            let changed = request.target.replace(from, to);
            assert_ne!(changed, request.target);
            request.target = changed;
        } else {
            request.replace_header("authorization", from, to);
        }
    };
    match mutation {
        "method" => "PATCH".clone_into(&mut request.method),
        "path" => request.target.insert(1 + index.index(path_end), 'x'),
        "query name" if request.target.len() > path_end => request.target.insert(path_end + 1, 'x'),
        "query value" if request.target[path_end..].contains('=') => {
            let end = path_end + request.target[path_end..].find('=').unwrap();
            request.target.insert(end + 1, 'x');
        }
        "query pair" => {
            let separator = if request.target.contains('?') { '&' } else { '?' };
            request.target.push(separator);
            request.target.push_str("added");
        }
        "header" => {
            let name = if request.headers.contains_key("my-header") { "my-header" } else { "host" };
            request.headers.insert(name, HeaderValue::from_static("another"));
        }
        "header twice" => *request = request.clone().header("host", "another"),
        "header gone" => drop(request.headers.remove("host")),
        "amz header" => *request = request.clone().header("x-amz-another", "1"),
        "body" if !request.body.is_empty() => {
            let byte = index.index(request.body.len());
            request.body[byte] ^= 1;
        }
        "body length" => request.body.push(0),
        "scope date" => change(request, "20150830", "20150831"),
        "time" if presigned => change(request, "T123600Z", "T123601Z"),
        "time" => request.replace_header("x-amz-date", "T123600Z", "T123601Z"),
        "region" if presigned => change(request, "us%2Deast%2D1", "us-east-2"),
        "region" => change(request, REGION, "us-east-2"),
        "access key" => change(request, ACCESS_KEY_ID, "AKIDANOTHER"),
        "expires" if presigned => change(request, "Expires=900", "Expires=901"),
        "signature" => {
            let text = if presigned { "X-Amz-Signature=" } else { " Signature=" };
            let holder = if presigned {
                request.target.clone()
            } else {
                request.headers["authorization"].to_str().unwrap().to_owned()
            };
            let start = holder.find(text).unwrap() + text.len();
            let hmac = &holder[start..start + 64];
            let at = index.index(64);
            let digit = if &hmac[at..=at] == "0" { "1" } else { "0" };
            let changed = format!("{}{digit}{}", &hmac[..at], &hmac[at + 1..]);
            change(request, hmac, &changed);
        }
        _ => return false,
    }
    true
}

const MUTATIONS: &[&str] = &[
    "method",
    "path",
    "query name",
    "query value",
    "query pair",
    "header",
    "header twice",
    "header gone",
    "amz header",
    "body",
    "body length",
    "scope date",
    "time",
    "region",
    "access key",
    "expires",
    "signature",
];

/// Decoded path segments and query pairs.
type Route = (Vec<Vec<u8>>, Vec<(Vec<u8>, Vec<u8>)>);

/// Returns the resource and parameters that a router finds, as `Signature::verify` wants it.
fn routed(target: &str) -> Option<Route> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let pair = pair.replace('+', " ");
        let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
        (decoded(name), decoded(value))
    });
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort();
    path_is_normal(path).then(|| (path.split('/').map(decoded).collect(), pairs))
}

/// Targets out of few parts, so that two of them often mean the same.
fn small_target() -> impl Strategy<Value = String> {
    let path = select(vec!["/", "/", "a", "%61", ".", "..", "%2e", "%2F", "%252e"]);
    let query = select(vec!["&", "=", "a", "b", "%61", "+", "%20", "%2B", "%26", "%3D", "%"]);
    (prop::collection::vec(path, 0..5), prop::collection::vec(query, 0..4))
        .prop_map(|(path, query)| format!("/{}?{}", path.concat(), query.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn aws_signatures_verify(
        request in request(),
        presigned: bool,
        token in prop::option::of(Just("FwoGZXIvYXdzEJr//+a=")),
    ) {
        let signed = aws_signed(&request, presigned, token);
        let outcome = signed.verify();
        prop_assert!(outcome.is_ok(), "{signed:?}\n{}", outcome.unwrap_err());
        let signed = signed.as_signed();
        let signature = Signature::parse(&signed).unwrap();
        prop_assert_eq!(signature.session_token(), token);
    }

    #[test]
    fn our_signatures_are_those_of_aws(
        request in request(),
        session_token in prop::option::of(Just("FwoGZXIvYXdzEJr//+a=")),
    ) {
        let aws = aws_signed(&request, false, session_token);
        let ours = request.signed_with(&Credentials { session_token, ..CREDENTIALS });
        prop_assert_eq!(&ours.headers, &aws.headers);
        prop_assert!(ours.verify().is_ok());
    }

    #[test]
    fn a_changed_request_does_not_verify(
        request in request(),
        presigned: bool,
        mutation in select(MUTATIONS),
        index: Index,
    ) {
        let signed = aws_signed(&request, presigned, None);
        let mut changed = signed.clone();
        prop_assume!(mutate(&mut changed, mutation, index));
        if changed.verify().is_ok() {
            // Only what is no resource at all may be spelled in more than one way.
            prop_assert_eq!(mutation, "path");
            prop_assert!(!path_is_normal(changed.as_signed().path()), "{:?}", changed);
        }
    }

    #[test]
    fn one_signature_reaches_one_resource(signed in small_target(), sent in small_target()) {
        let mut request = Request::new("GET", &signed).signed();
        request.target.clone_from(&sent);
        if request.verify().is_ok() {
            match (routed(&signed), routed(&sent)) {
                (Some(signed), Some(sent)) => prop_assert_eq!(signed, sent),
                // What is not routed harms nobody. If the signer normalised a path that was not
                // routed, then it signed the other one knowingly.
                _ => prop_assert!(![&signed, &sent].into_iter().all(|it| routed(it).is_some())),
            }
        } else {
            prop_assert_ne!(signed, sent);
        }
    }

    #[test]
    fn nothing_panics(
        method in ".{0,4}",
        target in "[/?&=%+.aX\u{e9}-]{0,20}(X-Amz-(Signature|Algorithm|Date|Expires)=.{0,8}&?){0,4}",
        authorization in prop::option::of("(AWS4-HMAC-SHA256)?[ ,=/aCredentialSignedHeaders;]{0,40}"),
        credential in "[/a-z0-9,=]{0,20}",
        date in "[0-9TZ]{14,17}",
        body in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut request = Request::new("GET", &target);
        request.method = method;
        request.body = body;
        let request = request.header("x-amz-date", &date);
        let whole = format!(
            "AWS4-HMAC-SHA256 Credential=a/{credential}/aws4_request,SignedHeaders=host,Signature="
        );
        let whole = request.clone().header("authorization", &whole);
        drop(whole.verify());
        if let Some(authorization) = authorization {
            drop(request.header("authorization", &authorization).verify());
        } else {
            drop(request.verify());
        }
    }
}

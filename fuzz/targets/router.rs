//! Routes: no target makes the router panic, what it refuses it refuses with a 4xx, and a member
//! that a client encoded comes out as it went in.
//!
//! The input is a method, a space, and a target; the target's text is also sent as a member.

#![no_main]

use campanile::operations::table;
use campanile::protocol::route::Router;
use campanile::protocol::sigv4::path_is_normal;
use http::Method;
use libfuzzer_sys::{Corpus, fuzz_target};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::LazyLock;

static ROUTER: LazyLock<Router> = LazyLock::new(|| Router::new(table(), Vec::new()));
/// What RFC 3986 leaves as it is; a lone dot segment is escaped all the same.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

fn routed(method: &Method, target: &str) {
    match ROUTER.route(method, target) {
        Ok(routed) => {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            assert!(path_is_normal(path), "{target}");
            assert_eq!(routed.operation.method, *method);
            let bound = routed.operation.uri.matches('{').count();
            let most = if method == Method::GET { query.split('&').count() } else { 0 };
            assert!((bound..=bound + most).contains(&routed.members.len()), "{target}");
        }
        Err(error) => assert!(error.exception().status().is_client_error(), "{error}"),
    }
}

fn comes_out_as_it_went_in(text: &str) {
    for set in [UNRESERVED, NON_ALPHANUMERIC] {
        let encoded = utf8_percent_encode(text, set);
        for prefix in ["", "/console"] {
            let target = format!("{prefix}/accounts/{encoded}");
            let routed = ROUTER.route(&Method::DELETE, &target).expect("it is an account's");
            assert_eq!(routed.operation.name, "DeleteAccount");
            assert_eq!(routed.members, [("AccountId".into(), text.into())]);

            let target = format!("{prefix}/accounts?name={encoded}&unknown&user-email={encoded}");
            let routed = ROUTER.route(&Method::GET, &target).expect("it is that of the accounts");
            assert_eq!(routed.operation.name, "ListAccounts");
            let member = |name: &str| {
                let found = routed.members.iter().find(|(other, _)| other == name);
                found.map(|(_, value)| value.as_ref())
            };
            assert_eq!((member("Name"), member("UserEmail")), (Some(text), Some(text)));
        }
    }
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((method, target)) =
        std::str::from_utf8(input).ok().and_then(|input| input.split_once(' '))
    else {
        return Corpus::Reject;
    };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return Corpus::Reject };
    routed(&method, target);
    for method in [Method::GET, Method::POST, Method::DELETE] {
        routed(&method, target);
    }
    comes_out_as_it_went_in(target);
    Corpus::Keep
});

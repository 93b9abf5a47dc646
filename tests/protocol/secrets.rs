//! What is secret stays so when the server's parts are printed.

use crate::harness::{ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY};
use campanile::access::{Deployment, RootSettings, Secret};
use campanile::clock::Clock;
use campanile::protocol::{Api, Request};
use campanile::store::{Memory, Store};
use http::{HeaderMap, HeaderValue, Method};
use std::sync::Arc;

#[test]
fn nothing_that_is_printed_for_debugging_shows_a_secret() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::over(Arc::new(Memory::default()));
        let secret = Secret::new(ROOT_SECRET_ACCESS_KEY.to_owned());
        let root = RootSettings {
            access_key: Some((ROOT_ACCESS_KEY_ID.to_owned(), secret)),
            aws_account_id: None,
        };
        let clock = Clock::system();
        let deployment = Deployment::open(&store, root, clock.now()).await.unwrap();
        let token_secret = deployment.token_secret.expose().to_owned();
        let api = Arc::new(Api::new(store, deployment.clone(), clock.clone()));
        // A request that is verified leaves its signing key in the server's memory.
        api.respond(&signed(&clock)).await;
        let printed = format!("{api:?} {deployment:?} {:?}", deployment.root());
        assert!(printed.contains(ROOT_ACCESS_KEY_ID));
        for secret in [ROOT_SECRET_ACCESS_KEY, &token_secret] {
            assert!(!printed.contains(secret), "{printed}");
        }
    });
}

fn signed(clock: &Clock) -> Request {
    use campanile::protocol::sigv4::SignedRequest;
    use campanile::protocol::sigv4::client::{Credentials, sign};
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost"));
    let credentials = Credentials {
        access_key_id: ROOT_ACCESS_KEY_ID,
        secret_access_key: ROOT_SECRET_ACCESS_KEY,
        session_token: None,
    };
    let request =
        SignedRequest { method: "GET", target: "/accounts", headers: &headers, body: b"" };
    let added = sign(&request, &credentials, "us-east-1", "chime", clock.now().into()).unwrap();
    headers.extend(added);
    Request {
        method: Method::GET,
        target: "/accounts".to_owned(),
        headers,
        body: bytes::Bytes::new(),
    }
}

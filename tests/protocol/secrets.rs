//! What is secret stays so when the server's parts are printed.

use crate::harness::{Client, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY};
use campanile::access::{
    AccessKeyRecord, Deployment, KEY_BYTES, MasterKey, RootSettings, Secret, StoredSecret,
};
use campanile::clock::Clock;
use campanile::protocol::{Api, Outcome, Peer, Request, SIGNING_NAME, Setup};
use campanile::server::{MailSettings, MasterKeySource, Rotation};
use campanile::store::{Memory, Store};
use http::Method;
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
        let master_key = MasterKey::new([0xab; KEY_BYTES]);
        let deployment =
            Deployment::open(&store, root, master_key.clone(), clock.now()).await.unwrap();
        let token_secret = deployment.token_secret.expose().to_owned();
        let (key, key_secret) = AccessKeyRecord::generate(
            String::new(),
            None,
            clock.now(),
            &[0xcd; 52],
            &deployment.seal,
        );
        let clear = StoredSecret::Clear(key_secret.clone());
        let api = Arc::new(Api::new(Arc::new(store), deployment.clone(), clock, Setup::default()));
        // A request that is verified leaves its signing key in the server's memory.
        assert_eq!(api.respond(&signed()).await.status(), 200);
        let smtp_url = Secret::new("smtps://me:s3cret@mail.example".to_owned());
        let mail = MailSettings::new(&smtp_url, "chime@example.com").unwrap();
        let (old, new) = (master_key.clone(), master_key.clone());
        let sources = (MasterKeySource::Given(old.clone()), Rotation::Given { old, new });
        let printed = format!(
            "{api:?} {deployment:?} {:?} {mail:?} {master_key:?} {sources:?} {key:?} {clear:?}",
            deployment.root()
        );
        assert!(printed.contains(ROOT_ACCESS_KEY_ID));
        let bytes = format!("{:?}", [0xab_u8; 3]);
        let written = master_key.text();
        let of_keys = [key_secret.expose(), written.expose(), bytes.trim_matches(['[', ']'])];
        for secret in [ROOT_SECRET_ACCESS_KEY, &token_secret, "s3cret"].iter().chain(&of_keys) {
            assert!(!printed.contains(secret), "{printed}");
        }
    });
}

fn signed() -> Request {
    let (method, target) = (Method::GET, "/accounts");
    let client = Client::of_root(([127, 0, 0, 1], 8018).into());
    let headers = client.signed(method.as_str(), target, b"", SIGNING_NAME);
    let peer = Peer { source_ip: [127, 0, 0, 1].into(), secure_transport: false };
    let outcome = Outcome::default();
    Request { method, target: target.to_owned(), headers, body: bytes::Bytes::new(), peer, outcome }
}

//! Links and sessions: no text opens an invite or a session but the tokens that the deployment made.
//!
//! The input is tried as a token, and as what is changed of the bits of each good one.

#![no_main]

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use campanile::operations::users::links::LinkKey;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static KEY: LazyLock<LinkKey> = LazyLock::new(|| LinkKey::new(b"the secret of this deployment"));
const INVITE_ID: &str = "01a20000-0000-7000-8000-000000000000";

fn check(text: &str) {
    if let Some(invite_id) = KEY.invite_id(text) {
        assert_eq!(KEY.invite_token(&invite_id).as_deref(), Some(text), "one id has one token");
        assert!(KEY.session(text).is_none(), "an invite is no session");
    }
    assert!(LinkKey::new(b"another secret").invite_id(text).is_none());
}

fuzz_target!(|input: &[u8]| {
    check(&String::from_utf8_lossy(input));
    check(&BASE64_URL_SAFE_NO_PAD.encode(input));

    let good = KEY.invite_token(INVITE_ID).expect("it is a UUID");
    assert_eq!(KEY.invite_id(&good).as_deref(), Some(INVITE_ID));
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&good).expect("it is base64");
    for (byte, change) in bytes.iter_mut().zip(input) {
        *byte ^= change;
    }
    let changed = BASE64_URL_SAFE_NO_PAD.encode(bytes);
    assert_eq!(KEY.invite_id(&changed).is_some(), changed == good);
    assert!(KEY.session(&changed).is_none());
});

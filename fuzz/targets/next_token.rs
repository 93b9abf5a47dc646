//! `NextToken`: no text opens a list but the tokens that this list returned.
//!
//! The input is tried as a token, and as what is changed of the bits of each good one.

#![no_main]

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use campanile::access::policy::Decision;
use campanile::access::quotas::Quotas;
use campanile::access::{Caller, KEY_BYTES, Origin, Seal};
use campanile::clock::Timestamp;
use campanile::operations::users::links::LinkKey;
use campanile::operations::{Admission, Context, Form, Operation, Terms, TokenKey, table};
use campanile::protocol::decode::Members;
use campanile::protocol::error::{Exception, Result};
use campanile::store::{Memory, Store};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

static LISTS: LazyLock<Lists> = LazyLock::new(Lists::filled);

/// A store with accounts of two AWS accounts, and every token that their lists return.
struct Lists {
    store: Store,
    operation: Operation,
    terms: Terms,
    /// Whose list, its prefix, and a token of it.
    tokens: Vec<(&'static str, &'static str, String)>,
}

const CALLERS: [&str; 2] = ["111122223333", "444455556666"];
const PREFIXES: [&str; 2] = ["", "a"];

impl Lists {
    fn filled() -> Self {
        let find = |name| table().into_iter().find(|it| it.name == name).expect("it is there");
        let mut lists = Self {
            store: Store::over(Arc::new(Memory::default())),
            operation: find("ListAccounts"),
            terms: Terms {
                token_key: TokenKey::new(b"the secret of this deployment"),
                verify_domains: false,
                sends_mail: false,
                link_key: LinkKey::new(b"the secret of this deployment"),
                seal: Seal::new(&[1; KEY_BYTES]),
                public_url: "http://127.0.0.1:8018".to_owned(),
                quotas: Quotas::default(),
            },
            tokens: Vec::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        let create = find("CreateAccount");
        for caller in CALLERS {
            for name in ["a", "a\0", "aé", "b"] {
                let body = serde_json::json!({ "Name": name }).to_string();
                let call = Members::new(Vec::new(), body.as_bytes())
                    .and_then(|members| create.prepare(&members))
                    .expect("the body is good");
                let (admission, terms) = (admission(caller), lists.terms.clone());
                let write =
                    lists.store.write(move |tx| call(&mut Context::new(tx, &admission, &terms)));
                runtime.block_on(write).expect("memory does not fail");
            }
            for prefix in PREFIXES {
                lists.keep_tokens(caller, prefix);
            }
        }
        assert_eq!(lists.tokens.len(), 2 * (3 + 2));
        lists
    }

    fn keep_tokens(&mut self, caller: &'static str, prefix: &'static str) {
        let mut token = None;
        loop {
            let page = self.page(caller, prefix, token.as_deref()).expect("the token is ours");
            let page: Value = serde_json::from_slice(&page).expect("answers are JSON");
            let Some(next) = page["NextToken"].as_str() else { return };
            self.tokens.push((caller, prefix, next.to_owned()));
            token = Some(next.to_owned());
        }
    }

    fn page(&self, caller: &str, prefix: &str, token: Option<&str>) -> Result<Vec<u8>> {
        let mut members = vec![(Cow::Borrowed("MaxResults"), Cow::Borrowed("1"))];
        if !prefix.is_empty() {
            members.push((Cow::Borrowed("Name"), Cow::Borrowed(prefix)));
        }
        if let Some(token) = token {
            members.push((Cow::Borrowed("NextToken"), Cow::Borrowed(token)));
        }
        let call = self.operation.prepare(&Members::new(members, b"")?)?;
        let admission = admission(caller);
        self.store.read_blocking(|tx| call(&mut Context::new(tx, &admission, &self.terms)))
    }

    fn check(&self, text: &str) {
        for caller in CALLERS {
            for prefix in PREFIXES {
                let ours =
                    self.tokens.iter().any(|token| *token == (caller, prefix, text.to_owned()));
                match self.page(caller, prefix, Some(text)) {
                    Ok(_) => assert!(ours, "{text} opened the list of {caller} under '{prefix}'"),
                    Err(error) => {
                        assert!(!ours, "{text} is refused: {error}");
                        assert_eq!(error.exception(), Exception::BadRequestException);
                    }
                }
            }
        }
    }
}

fn admission(aws_account_id: &str) -> Admission {
    Admission {
        caller: Caller::root(aws_account_id.to_owned(), "AKIAIOSFODNN7EXAMPLE".to_owned()).into(),
        now: Timestamp::from_millisecond(0).expect("it is in range"),
        form: Form::Current,
        seed: [0; 32],
        request_id: String::new(),
        origin: Origin {
            source_ip: IpAddr::from([127, 0, 0, 1]),
            secure_transport: false,
            user_agent: None,
            region: "us-east-1".to_owned(),
        },
        decision: Decision::Allowed,
    }
}

fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        LISTS.check(text);
    }
    LISTS.check(&BASE64_URL_SAFE_NO_PAD.encode(input));
    for (_, _, token) in &LISTS.tokens {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token).expect("ours are base64");
        let length = bytes.len().max(input.len());
        bytes.resize(length, 0);
        bytes.iter_mut().zip(input).for_each(|(byte, change)| *byte ^= change);
        LISTS.check(&BASE64_URL_SAFE_NO_PAD.encode(bytes));
    }
});

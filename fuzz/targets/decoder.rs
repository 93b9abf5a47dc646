//! Bodies: nothing makes the decoder of any operation panic; what it refuses is BadRequest, and
//! what it takes is a JSON object whose members satisfy their constraints.
//!
//! The input is a line of URI members (`AccountId=a&MaxResults=1`), then the body.

#![no_main]

use campanile::operations::{Operation, table};
use campanile::protocol::decode::Members;
use campanile::protocol::error::{Exception, Result};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

static TABLE: LazyLock<Vec<Operation>> = LazyLock::new(table);

fn prepare(operation: &Operation, uri: &[(Cow<'_, str>, Cow<'_, str>)], body: &[u8]) -> Result<()> {
    operation.prepare(&Members::new(uri.to_vec(), body)?).map(drop)
}

/// Says of what a general reader makes of the body whether `CreateAccount` may take it.
fn is_account_name(name: Option<&Value>) -> bool {
    name.and_then(Value::as_str).is_some_and(|name| {
        (1..=100).contains(&name.chars().count()) && name.chars().any(|c| !c.is_whitespace())
    })
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else { return Corpus::Reject };
    let (line, body) = (&input[..end], &input[end + 1..]);
    let Ok(line) = std::str::from_utf8(line) else { return Corpus::Reject };
    let pairs = line.split('&').filter_map(|pair| pair.split_once('='));
    let uri: Vec<_> =
        pairs.map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect();

    for operation in TABLE.iter() {
        let taken = prepare(operation, &uri, body);
        match &taken {
            Ok(()) => {
                let object = serde_json::from_slice::<HashMap<String, IgnoredAny>>(body);
                assert!(body.is_empty() || object.is_ok(), "{operation:?}");
            }
            Err(error) => {
                assert_eq!(error.exception(), Exception::BadRequestException, "{error}");
                assert!(!error.message().is_empty());
            }
        }
        let again = prepare(operation, &uri, body);
        assert_eq!(taken.map_err(|it| it.to_string()), again.map_err(|it| it.to_string()));
    }

    let create = TABLE.iter().find(|it| it.name == "CreateAccount").expect("it is in the table");
    let taken = prepare(create, &[], body);
    if let Ok(members) = serde_json::from_slice::<Map<String, Value>>(body) {
        match taken {
            Ok(()) => assert!(is_account_name(members.get("Name"))),
            Err(error) if error.message().contains("stands in it twice") => {}
            Err(error) => assert!(!is_account_name(members.get("Name")), "{error}"),
        }
    }
    Corpus::Keep
});

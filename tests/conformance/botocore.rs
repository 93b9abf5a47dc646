//! Every operation of the model as botocore signs it, byte for byte over the wire.

use super::{operations, server};
use crate::harness::{ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY, exchange};
use crate::model::{absent, check, model, python};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/sign_all.py");

/// A line of the script.
#[derive(Debug, Deserialize)]
struct Signed {
    operation: String,
    form: String,
    /// What the ids and texts of the request are.
    text: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Signed {
    fn has_dot_segment(&self) -> bool {
        let path = self.target.split('?').next().unwrap();
        path.split('/').any(|segment| segment == "." || segment == "..")
    }

    fn bytes(&self) -> Vec<u8> {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let headers: String = headers.collect();
        format!("{} {} HTTP/1.1\r\n{headers}\r\n{}", self.method, self.target, self.body).into()
    }
}

#[test]
fn every_operation_is_served_as_botocore_signs_it() {
    let server = server();
    let ours: BTreeSet<_> = operations().iter().map(|operation| &*operation.name).collect();
    let mut seen = BTreeSet::new();
    for signed in signed(&format!("http://{}", server.address)) {
        let answer = exchange(server.address, &signed.bytes());
        check(&signed.method, &signed.target, &answer);
        let outcome = if answer.status < 300 { String::new() } else { answer.error().0 };
        // A dot segment is no id: a path with one reaches nothing.
        let expected: &[&str] = if ours.contains(&*signed.operation) && !signed.has_dot_segment() {
            &["", "BadRequestException", "NotFoundException"]
        } else {
            &["UnknownOperationException"]
        };
        assert!(expected.contains(&&*outcome), "{signed:?}: {answer:?}");
        seen.insert((signed.operation, signed.form, signed.text));
    }
    let texts: BTreeSet<_> = seen.iter().map(|(_, _, text)| text).collect();
    assert!(texts.contains(&"+12065550100".to_owned()));
    let modelled = model().operations.values().filter(|it| !it.is_extension()).count();
    assert_eq!(seen.len(), modelled * texts.len() * 2, "header and presigned");
}

/// Returns the requests of all operations, signed for an endpoint and for `/console` below it.
fn signed(endpoint: &str) -> Vec<Signed> {
    let python = python();
    let output = Command::new(&python)
        .args([SCRIPT, endpoint])
        .env("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_ACCESS_KEY)
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .output()
        .unwrap_or_else(|error| absent(&format!("{}: {error}", python.display())));
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("No module named 'botocore'") {
        absent(&format!("{} has no botocore", python.display()));
    }
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

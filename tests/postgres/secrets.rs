//! What whoever reads the database finds there, and what not.

use crate::harness::postgres::{self, serve, sql};
use crate::harness::process::Process;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

#[test]
fn no_secret_can_be_read_in_the_database() {
    let (url, master_key) = (postgres::url(), BASE64_STANDARD.encode([7; 32]));
    let server = Process::start_with(&mut serve(&url, &master_key));
    let client = server.client();
    client.create_account("What is no secret");
    // What a call is answered is kept for its next attempt.
    let client = client.attempt("one", 1);
    let key = &client.ok("iam:CreateAccessKey", json!({}))["AccessKey"];
    let (id, secret) = (&key["AccessKeyId"], &key["SecretAccessKey"]);
    // The keys as well as the values, and each in a line of its own.
    let entries = "SELECT string_agg(encode(key, 'escape') || encode(value, 'escape'), chr(10)) \
                   FROM entries";
    let entries = sql(&url, entries).unwrap();
    for found in ["What is no secret", id.as_str().unwrap()] {
        assert!(entries.contains(found), "{found}");
    }
    for hidden in [secret.as_str().unwrap(), &master_key, crate::harness::ROOT_SECRET_ACCESS_KEY] {
        assert!(!entries.contains(hidden), "{entries}");
    }
}

//! Data folders that every release left behind still open: `tests/fixtures` keeps them for good.
//!
//! A fixture is a folder `data` as a server left it, packed, and beside it what that server had
//! answered. Each release adds one that was stopped and one that was killed; none is ever deleted
//! or made again.

use crate::harness::Server;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_string_lossy().ends_with(".tar.gz")).collect()
}

fn check(fixture: &Path) {
    let folder = tempfile::tempdir().unwrap();
    tar::Archive::new(GzDecoder::new(File::open(fixture).unwrap())).unpack(folder.path()).unwrap();
    let expected = fixture.to_string_lossy().replace(".tar.gz", ".json");
    let expected: Value = serde_json::from_str(&fs::read_to_string(expected).unwrap()).unwrap();

    let server = Server::start_on(folder);
    let root = server.client();
    let accounts = &expected["Accounts"];
    assert_eq!(root.ok("ListAccounts", json!({}))["Accounts"], *accounts, "{}", fixture.display());
    for account in accounts.as_array().unwrap() {
        let read = root.ok("GetAccount", json!({"AccountId": account["AccountId"]}));
        assert_eq!(read["Account"], *account, "{}", fixture.display());
    }
    let rest = root.ok("ListAccounts", json!({"NextToken": expected["NextToken"]}));
    assert_eq!(rest["Accounts"][0], accounts[1], "a token of then serves now");
    let deleted = json!({"AccountId": expected["DeletedAccountId"]});
    assert_eq!(root.error("GetAccount", deleted).0, "NotFoundException");

    check_people(&server, &expected);
    let listed = root.ok("ListDeletedAccounts", json!({}));
    let deleted = listed["DeletedAccounts"].as_array().unwrap();
    assert!(deleted.iter().any(|it| it["Account"]["AccountId"] == expected["DeletedAccountId"]));
    let restored = root.ok("RestoreAccount", json!({"AccountId": expected["DeletedAccountId"]}));
    assert_eq!(restored["Account"]["AccountId"], expected["DeletedAccountId"]);

    let other = root.with_key(&expected["AccessKey"]);
    let created = other.ok("CreateAccount", json!({"Name": "a"}));
    assert_eq!(created["Account"]["AwsAccountId"], expected["AccessKey"]["AwsAccountId"]);
}

/// Checks what a release that knew users had answered.
fn check_people(server: &Server, expected: &Value) {
    let Some(invite) = expected.get("Invite") else { return };
    let root = server.client();
    for operation in ["ExportAccounts", "ExportUsers"] {
        assert_eq!(root.ok(operation, json!({})), expected[operation]);
    }
    let of = json!({"AccountId": invite["AccountId"], "UserId": invite["UserId"]});
    let found = root.ok("GetInvite", of);
    assert_eq!(found["Invite"], invite["Invite"]);
    let url = found["Url"].as_str().unwrap();
    assert!(url.ends_with(invite["Url"].as_str().unwrap()), "a link of then works now: {url}");
    // What only marks and unique entries tell.
    let account = &expected["ExportAccounts"]["Accounts"][0]["Account"]["AccountId"];
    let delete = root.error("DeleteAccount", json!({"AccountId": account}));
    assert_eq!(delete.0, "UnprocessableEntityException");
    let taken = json!({"AccountId": account, "Email": "JANE.DOE@example.com"});
    assert_eq!(root.error("CreateUser", taken).0, "ConflictException");
}

#[test]
fn the_folders_of_every_release_open() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 2, "there are fixtures: {fixtures:?}");
    for fixture in fixtures {
        check(&fixture);
    }
}

//! A folder is a store again when it is copied back.

use super::run;
use crate::harness::process::Process;
use serde_json::json;
use std::fs;
use std::process::Command;

#[test]
fn a_copied_folder_is_the_store_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let places = ["data", "backups", "keys"].map(|name| folder.path().join(name));
    let [store, backups, keys] = places.each_ref().map(|path| path.to_str().unwrap());
    fs::create_dir(backups).unwrap();
    fs::create_dir(keys).unwrap();
    let places = [("STORE", store), ("BACKUPS", backups), ("KEYS", keys)];
    let server = Process::start(store.as_ref());
    let id = server.client().create_account("Kept");
    let account = server.client().ok("GetAccount", json!({"AccountId": id}));
    let key = server.client().ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    assert_eq!(server.stop().code, Some(0));
    run(Command::new("bash"), "", "embedded-backup", &places);

    let server = Process::start(store.as_ref());
    server.client().ok("DeleteAccount", json!({"AccountId": id}));
    assert_eq!(server.stop().code, Some(0));
    fs::remove_file(format!("{store}.key")).unwrap();
    run(Command::new("bash"), "", "embedded-restore", &places);

    let server = Process::start(store.as_ref());
    assert_eq!(server.client().ok("GetAccount", json!({"AccountId": id})), account);
    server.client().with_key(&key["AccessKey"]).create_account("Another's");
    assert_eq!(server.stop().code, Some(0));
}

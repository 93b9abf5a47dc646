//! What was deleted is there again after a recovery of the database, by the commands of the page.

use super::database::Database;
use super::{exported, run, shell_of_operator, start};
use serde_json::json;
use std::fs;

/// How often what PostgreSQL does beside is looked for, each time as long as a question takes.
const LOOKS_MAX: usize = 1000;

#[test]
fn an_account_that_was_deleted_is_back_after_a_recovery_to_the_time_before() {
    let database = Database::start();
    let server = start(&database.url("campanile"));
    let client = server.client();
    let before = client.create_account("Before the copy");
    // The database is restarted under a server that runs.
    database.run("archive", &[]);
    database.run("base-backup", &[]);
    // The log that it needs is handed over beside it.
    let archived = || {
        let archived = fs::read_dir(database.folder("archive")).unwrap();
        let names = archived.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.collect::<Vec<_>>()
    };
    let mut looks = (0..LOOKS_MAX).map(|_| {
        database.shell("psql -Atc 'SELECT 1'");
        archived().iter().any(|name| name.ends_with(".backup.gz"))
    });
    assert!(looks.any(|is_there| is_there), "{:?}", archived());
    let lost = client.create_account("After the copy");
    client.ok("ClaimDomain", json!({"AccountId": lost, "DomainName": "example.com"}));
    let user = json!({"AccountId": lost, "Email": "jane.doe@example.com"});
    let user = client.ok("CreateUser", user)["User"]["UserId"].clone();
    let of = json!({"AccountId": lost, "UserId": user});
    let user_before = client.ok("GetUser", of.clone());
    let listed = client.ok("ListAccounts", json!({}));
    let target = database.shell("psql -Atc 'SELECT clock_timestamp()'");

    let empty = client.create_account("Deleted");
    client.ok("DeleteAccount", json!({"AccountId": before}));
    client.ok("DeleteAccount", json!({"AccountId": empty}));
    client.ok("BatchSuspendUser", json!({"AccountId": lost, "UserIdList": [user]}));
    let folder = tempfile::tempdir().unwrap();
    let told = run(shell_of_operator(&server, folder.path()), "", "when", &[]);
    assert!(told.contains("DeleteAccount"), "{told}");
    assert_eq!(server.stop().code, Some(0));

    let mut copies = fs::read_dir(database.folder("backups")).unwrap();
    let copy = copies.next().unwrap().unwrap().path();
    assert!(copies.next().is_none(), "one copy was made");
    let chosen = [("RESTORE_TO", target.as_str()), ("BACKUP", copy.to_str().unwrap())];
    assert_eq!(exported("target"), chosen.map(|(name, _)| name.to_owned()).into());
    database.run("restore", &chosen);

    let server = start(&database.url("campanile"));
    let client = server.client();
    assert_eq!(client.ok("ListAccounts", json!({})), listed);
    assert_eq!(client.ok("GetUser", of), user_before);
    assert_eq!(client.ok("ListDeletedAccounts", json!({}))["DeletedAccounts"], json!([]));
    let undone = json!({"AccountId": empty});
    assert_eq!(client.error("GetAccount", undone).0, "NotFoundException");
    let shell = shell_of_operator(&server, folder.path());
    let told = run(shell, "", "check", &[("ACCOUNT_ID", &before)]);
    assert!(told.contains("Before the copy"), "{told}");
    let exported = fs::read_to_string(folder.path().join("restored.jsonl")).unwrap();
    assert!(exported.contains("jane.doe@example.com"), "{exported}");
    // It goes on from there, and so does its archive.
    client.ok("DeleteAccount", json!({"AccountId": before}));
    database.run("base-backup", &[]);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_dump_is_a_store_of_its_own() {
    let database = Database::start();
    let server = start(&database.url("campanile"));
    let client = server.client();
    let id = client.create_account("Kept");
    let key = client.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
    fs::create_dir(database.folder("backups")).unwrap();
    fs::set_permissions(
        database.folder("backups"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    database.run("dump", &[]);
    let account = client.ok("GetAccount", json!({"AccountId": id}));
    client.ok("DeleteAccount", json!({"AccountId": id}));
    assert_eq!(server.stop().code, Some(0));
    database.run("dump-restore", &[]);

    let server = start(&database.url("campanile_restored"));
    let client = server.client();
    assert_eq!(client.ok("GetAccount", json!({"AccountId": id})), account);
    // What is sealed opens, too.
    client.clone().with_key(&key["AccessKey"]).create_account("Another's");
    client.create_account("After it");
    assert_eq!(server.stop().code, Some(0));
}

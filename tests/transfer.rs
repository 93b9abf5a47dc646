//! `campanile import` and `campanile export`: whole directories in and out of a running server.

use crate::harness::process::{Ended, campanile, run};
use crate::harness::{Client, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY, Server};
use crate::operations::{SAMPLE, SAMPLE_ID};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The exit codes of the AWS CLI.
const USAGE: Option<i32> = Some(252);
const SERVICE: Option<i32> = Some(254);
const GENERAL: Option<i32> = Some(255);

/// A command line with the root's credential, which begins in a folder.
fn command(address: SocketAddr, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = campanile();
    command
        .args(arguments)
        .current_dir(folder)
        .env("AWS_ENDPOINT_URL_CHIME", format!("http://{address}"))
        .env("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_ACCESS_KEY);
    command
}

/// Puts files into a folder of their own.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Runs an import that must succeed; returns its summary, the words of each line.
fn imported(server: &Server, folder: &Path, arguments: &[&str]) -> Vec<Vec<String>> {
    let arguments = [&["import"], arguments].concat();
    let ended = run(&mut command(server.address, folder, &arguments));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let words = |line: &str| line.split_whitespace().map(|it| it.replace(',', "")).collect();
    ended.stdout.lines().map(words).collect()
}

/// Asserts that so many accounts and users were created, were there, and were replaced.
fn assert_summary(summary: &[Vec<String>], accounts: [u64; 3], users: [u64; 3]) {
    let line = |name: &str, counts: [u64; 3]| {
        let counts = counts.iter().map(ToString::to_string);
        let line: Vec<_> = [name.to_owned()].into_iter().chain(counts).collect();
        assert!(summary.contains(&line), "no {line:?} in {summary:?}");
    };
    line("accounts", accounts);
    line("users", users);
}

/// Runs an import that must find exactly these faults, and change nothing.
fn assert_faults(server: &Server, folder: &Path, arguments: &[&str], faults: &[&[&str]]) {
    let before = exported(server, &[]);
    let arguments = [&["import"], arguments].concat();
    let ended = run(&mut command(server.address, folder, &arguments));
    assert_eq!((ended.code, ended.stdout.as_str()), (GENERAL, ""), "{ended:?}");
    let mut lines: Vec<_> = ended.stderr.lines().collect();
    let last = lines.pop().unwrap();
    let count = faults.len();
    let plural = if count == 1 { "" } else { "s" };
    assert_eq!(
        last,
        format!("campanile: {count} fault{plural}; nothing was imported"),
        "{ended:?}"
    );
    assert_eq!(lines.len(), count, "{ended:?}");
    for words in faults {
        let found = lines
            .iter()
            .any(|line| line.starts_with(words[0]) && words.iter().all(|word| line.contains(word)));
        assert!(found, "no {words:?} in {lines:#?}");
    }
    assert_eq!(exported(server, &[]), before);
}

fn exported(server: &Server, arguments: &[&str]) -> String {
    let arguments = [&["export"], arguments].concat();
    let ended = run(&mut command(server.address, Path::new("."), &arguments));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    ended.stdout
}

fn piped(server: &Server, arguments: &[&str], input: &str) -> Ended {
    let mut child = command(server.address, Path::new("."), arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A directory with a value in every member.
fn full() -> String {
    [
        json!({"Account": {
            "AccountId": "full", "AccountStatus": "Active", "AccountType": "EnterpriseOIDC",
            "Admins": [{"Email": "admin@example.com"}], "AwsAccountId": "111122223333",
            "BillingType": "Other", "CreatedTimestamp": "2018-12-20T18:38:02.000Z",
            "DefaultLicense": "Plus", "DelegationStatus": "Delegated", "DirectoryId": "d-1",
            "Domains": ["x"], "Groups": [{"GroupId": "g", "License": "ProTrial"}],
            "Name": "Füll \u{1f600} \"\\\u{7}", "Owner": {"A": 1.5e300},
            "SigninDelegateGroups": [{"GroupName": "b"}, {"GroupName": "a"}],
            "SupportedLicenses": ["ProTrial", "Plus"], "UnknownMember": {"z": [0.1, null], "a": 1},
            "UseProTrialLicense": true,
        }}),
        json!({"AccountSettings": {
            "DisableRemoteControl": true, "EnableDialOut": true, "UnknownSetting": "x",
        }}),
        json!({"RetentionSettings": {
            "ConversationRetentionSettings": {"RetentionDays": 1},
            "RoomRetentionSettings": {"RetentionDays": 5475},
        }, "InitiateDeletionTimestamp": "2030-01-01T00:00:00.001Z"}),
        json!({"Domains": [
            {"AccountId": "full", "ClaimedTimestamp": "2019-01-01T00:00:00.000Z",
                "DomainName": "example.com", "DomainStatus": "Verified",
                "VerificationRecord": null, "VerifiedTimestamp": "2019-01-02T00:00:00.000Z"},
            {"AccountId": "full", "ClaimedTimestamp": "2019-01-01T00:00:00.000Z",
                "DomainName": "example.net", "DomainStatus": "PendingVerification",
                "VerificationRecord": {"Name": "example.net", "Type": "TXT", "Value": "v"},
                "VerifiedTimestamp": null},
        ]}),
        json!({"OpenIdConfig": {"ClientId": "c", "Issuer": "https://id.example.com"}}),
        json!({"User": {
            "AccountId": "full",
            "AlexaForBusinessMetadata": {
                "AlexaForBusinessRoomArn": "arn:a", "IsAlexaForBusinessEnabled": true,
            },
            "Delegates": ["d"], "Devices": {"a": 1}, "DisplayName": "Zoë", "EmailAlias": ["e@x.y"],
            "FullName": "Zoë Ω", "InvitedOn": "2019-01-01T00:00:00.120Z", "IsProTrial": true,
            "LastActiveOn": "yesterday", "LicenseType": "ProTrial", "PersonalPIN": "0000000001",
            "PresenceVisibility": "Private", "PrimaryEmail": "Zoe@Example.COM",
            "PrimaryProvisionedNumber": "+12065550100",
            "RegisteredOn": "2019-01-02T00:00:00.000Z", "UnknownMember": true, "UserId": "u",
            "UserInvitationStatus": "Failed", "UserLocale": "en",
            "UserRegistrationStatus": "Suspended", "UserType": "SharedDevice", "Vanity": "zoe",
        }}),
        json!({"UserSettings": {
            "Telephony": {"InboundCalling": true, "OutboundCalling": false, "SMS": true},
        }}),
    ]
    .iter()
    // As they are exported, these two do not stand in the order of their names.
    .map(|document| match document.get("RetentionSettings") {
        None => format!("{document}\n"),
        Some(retention) => format!(
            "{{\"RetentionSettings\":{retention},\"InitiateDeletionTimestamp\":{}}}\n",
            document["InitiateDeletionTimestamp"]
        ),
    })
    .collect()
}

#[test]
fn the_sample_of_the_api_reference_moves_in_as_a_file() {
    let server = Server::start();
    let folder = folder(&[("get-account.json", SAMPLE)]);
    assert_summary(&imported(&server, folder.path(), &["."]), [1, 0, 0], [0, 0, 0]);
    let console = Client { prefix: "/console", ..server.client() };
    assert_eq!(console.call("GetAccount", json!({"AccountId": SAMPLE_ID})).body, SAMPLE);
}

#[test]
fn what_is_exported_and_imported_is_exported_the_same_to_the_byte() {
    let (first, second) = (Server::start(), Server::start());
    let files = folder(&[("full.jsonl", &full())]);
    assert_summary(&imported(&first, files.path(), &["full.jsonl"]), [1, 0, 0], [1, 0, 0]);
    let out = files.path().join("out.jsonl");
    let out = out.to_str().unwrap();
    assert_eq!(exported(&first, &["--output", out]), "");
    let text = fs::read_to_string(out).unwrap();
    assert_eq!(text, full(), "everything is kept, in the order of the documents");
    assert_summary(&imported(&second, files.path(), &["out.jsonl"]), [1, 0, 0], [1, 0, 0]);
    assert_eq!(exported(&second, &[]), text);
    // A repeat changes nothing, with or without --overwrite.
    assert_summary(&imported(&second, files.path(), &["out.jsonl"]), [0, 1, 0], [0, 1, 0]);
    let overwrite = ["--overwrite", "out.jsonl"];
    assert_summary(&imported(&second, files.path(), &overwrite), [0, 1, 0], [0, 1, 0]);
    assert_eq!(exported(&second, &[]), text);
}

/// Any directory, and what the API does to it afterwards.
#[test]
fn any_directory_moves_without_a_loss() {
    let text = || "[ -~\u{a1}-\u{24f}\u{1f600}-\u{1f64f}]{0,12}[a-z]";
    let license = || prop::sample::select(vec!["Basic", "Plus", "Pro", "ProTrial"]);
    let unknown = || {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 6, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(text(), inner, 0..3)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    };
    let account = (text(), license(), unknown(), any::<[bool; 6]>(), 0..4_102_444_800_000_i64)
        .prop_map(|(name, license, unknown, bits, created)| {
            let types = ["EnterpriseLWA", "EnterpriseDirectory", "EnterpriseOIDC", "Team"];
            let created = campanile::clock::Timestamp::from_millisecond(created).unwrap();
            json!({
                "Name": name, "DefaultLicense": license, "UnknownMember": unknown,
                "AccountType": types[usize::from(bits[0]) + 2 * usize::from(bits[1])],
                "AccountStatus": if bits[2] { "Active" } else { "Suspended" },
                "SupportedLicenses": ["Basic", "Plus", "Pro", "ProTrial"],
                "UseProTrialLicense": bits[3], "CreatedTimestamp": created,
                "Settings": {"DisableRemoteControl": bits[4], "EnableDialOut": bits[5]},
            })
        });
    let user = (0..3_usize, text(), license(), unknown(), any::<[bool; 7]>()).prop_map(
        |(account, name, license, unknown, bits)| {
            let status = ["Registered", "Unregistered", "Suspended"][account];
            json!({
                "Account": account, "DisplayName": name, "LicenseType": license,
                "Vanity": unknown, "UserRegistrationStatus": status, "IsProTrial": bits[0],
                "UserType": if bits[1] { "PrivateUser" } else { "SharedDevice" },
                "HasEmail": bits[2], "HasPin": bits[3],
                "Settings": {"InboundCalling": bits[4], "OutboundCalling": bits[5], "SMS": bits[6]},
            })
        },
    );
    let directory = (prop::collection::vec(account, 3), prop::collection::vec(user, 0..12));
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    runner
        .run(&directory, |(accounts, users)| {
            let documents = documents(accounts, users);
            let files = folder(&[("directory.json", &documents)]);
            let (first, second) = (Server::start(), Server::start());
            imported(&first, files.path(), &["directory.json"]);
            let text = exported(&first, &[]);
            fs::write(files.path().join("out.jsonl"), &text).unwrap();
            imported(&second, files.path(), &["out.jsonl"]);
            prop_assert_eq!(&exported(&second, &[]), &text);
            Ok(())
        })
        .unwrap();
}

/// Writes a directory as the AWS CLI would, the users before their accounts.
fn documents(accounts: Vec<Value>, users: Vec<Value>) -> String {
    let mut documents = String::new();
    for (index, mut user) in users.into_iter().enumerate() {
        let settings = user["Settings"].take();
        let has = |name: &str| user[name] == true;
        let email = has("HasEmail").then(|| format!("U{index}@Example.com"));
        let pin = has("HasPin").then(|| format!("{index:010}"));
        let account = user["Account"].take();
        let members = user.as_object_mut().unwrap();
        for name in ["Settings", "HasEmail", "HasPin", "Account"] {
            members.remove(name);
        }
        user["PrimaryEmail"] = json!(email);
        user["PersonalPIN"] = json!(pin);
        user["AccountId"] = json!(format!("account {account}"));
        user["UserId"] = json!(format!("user {index}"));
        let settings = json!({"UserSettings": {"Telephony": settings}});
        write!(documents, "{}{settings}", json!({"User": user})).unwrap();
    }
    for (index, mut account) in accounts.into_iter().enumerate() {
        let settings = account["Settings"].take();
        account.as_object_mut().unwrap().remove("Settings");
        account["AccountId"] = json!(format!("account {index}"));
        let settings = json!({"AccountSettings": settings});
        writeln!(documents, "{:#}\n{settings}", json!({"Account": account})).unwrap();
    }
    documents
}

/// What the AWS CLI prints is taken from files of any division, in folders, in any order.
#[test]
fn documents_come_in_many_files_and_say_together_what_is_known() {
    let server = Server::start();
    let account = "11111111-2222-3333-4444-555555555555";
    let user = "66666666-7777-8888-9999-000000000000";
    let files = folder(&[
        (
            "in/list-users.json",
            &json!({"Users": [
                {"UserId": user, "AccountId": account, "LicenseType": "Pro",
                    "PrimaryEmail": "a@example.com", "PersonalPIN": null,
                    "RegisteredOn": "2018-12-20T18:45:25.231000+00:00"},
                {"UserId": "other", "AccountId": account},
            ], "NextToken": null, "ResponseMetadata": {"RetryAttempts": 0}})
            .to_string(),
        ),
        (
            "in/users/u.json",
            &json!({"User": {"UserId": user, "AccountId": account, "PersonalPIN": "0123456789",
                "RegisteredOn": "2018-12-20T18:45:25.231Z"}})
            .to_string(),
        ),
        (
            &format!("in/settings/get-user-settings-{user}.json"),
            r#"{"UserSettings": {"Telephony": {"SMS": true}}}"#,
        ),
        (&format!("in/{account}/settings.JSON"), r#"{"AccountSettings": {"EnableDialOut": true}}"#),
        (
            &format!("in/{account}/deeper/retention.json"),
            r#"{"RetentionSettings": {"RoomRetentionSettings": {"RetentionDays": 3}}}"#,
        ),
        ("in/notes.txt", "this is no document"),
        (
            "in/z/accounts.jsonl",
            // As Windows begins a file.
            &format!(
                "\u{feff}{}",
                json!({"Accounts": [{"AccountId": account, "Name": "a",
                    "AccountType": "EnterpriseLWA"}]})
            ),
        ),
    ]);
    assert_summary(&imported(&server, files.path(), &["in"]), [1, 0, 0], [2, 0, 0]);
    let client = server.client();
    let of_account = json!({"AccountId": account});
    let of_user = json!({"AccountId": account, "UserId": user});
    let found = client.ok("GetUser", of_user.clone());
    assert_eq!(found["User"]["PersonalPIN"], "0123456789");
    assert_eq!(found["User"]["RegisteredOn"], "2018-12-20T18:45:25.231Z");
    let settings = client.ok("GetUserSettings", of_user);
    assert_eq!(settings["UserSettings"]["Telephony"]["SMS"], true);
    let settings = client.ok("GetAccountSettings", of_account.clone());
    assert_eq!(settings["AccountSettings"]["EnableDialOut"], true);
    let retention = client.ok("GetRetentionSettings", of_account);
    let room = &retention["RetentionSettings"]["RoomRetentionSettings"];
    assert_eq!(room["RetentionDays"], 3);
    // Parts of it again, and standard input, change nothing.
    let parts = ["in/users", "in/z/accounts.jsonl"];
    assert_summary(&imported(&server, files.path(), &parts), [0, 1, 0], [0, 1, 0]);
    let input = fs::read_to_string(files.path().join("in/list-users.json")).unwrap();
    for arguments in [&["import", "-"][..], &["import"]] {
        let ended = piped(&server, arguments, &input);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        assert!(ended.stdout.contains("users               0            2"), "{ended:?}");
    }
}

#[test]
fn every_fault_is_told_with_its_file_and_path_and_nothing_is_imported() {
    let server = Server::start();
    let account = r#"{"Account": {"AccountId": "a", "Name": "a"}}"#;
    let users = json!({"Users": [
        {"UserId": "1", "AccountId": "a", "LicenseType": "Gold", "IsProTrial": "False",
            "PersonalPIN": "XXXXXXXXXX", "PrimaryEmail": "null"},
        {"UserId": "2", "AccountId": "a", "RegisteredOn": "2018-12-20T18:38:02.1811Z"},
        {"UserId": "3"},
        {"AccountId": "a"},
        "4",
        {"UserId": "5", "AccountId": "a", "LicenseType": "Pro", "PrimaryEmail": "x@y.z",
            "PersonalPIN": "0123456789"},
        {"UserId": "6", "AccountId": "a", "PrimaryEmail": "X@y.z"},
        {"UserId": "7", "AccountId": "a", "PersonalPIN": "0123456789"},
        {"UserId": "5", "AccountId": "b"},
    ]});
    let files = folder(&[
        ("a.json", account),
        ("users.json", &users.to_string()),
        ("more.json", r#"{"User": {"UserId": "5", "AccountId": "a", "LicenseType": "Basic"}}"#),
        ("broken.json", "{\"Users\": [\n{\"UserId\": \"8\", \"AccountId\": \"a\"},\n{oops"),
        ("cut.json", r#"{"Accounts": [{"AccountId": "b""#),
        ("array.json", r#"[{"UserId": "9"}]"#),
        ("twice.json", r#"{"User": {"UserId": "9", "AccountId": "a", "UserId": "10"}}"#),
        ("other.json", r#"{"NextToken": null} {"Bots": []} {"User": 1}"#),
        ("settings.json", r#"{"AccountSettings": {"EnableDialOut": "True"}}"#),
        ("nobodys.json", r#"{"UserSettings": {"Telephony": {}}}{"AccountSettings": {}}"#),
        ("kept.json", r#"{"UserSettings": {"Telephony": {"Fax": true}}}"#),
        ("days.json", r#"{"RetentionSettings": {"RoomRetentionSettings": {"RetentionDays": 0}}}"#),
        ("domains.json", r#"{"Domains": [{"AccountId": "c", "DomainName": "c.example.com"}, {}]}"#),
        ("control.json", "{\"User\": {\"UserId\": \"\u{0}\"}}"),
    ]);
    let write = |name: &str, bytes: &[u8]| fs::write(files.path().join(name), bytes).unwrap();
    write("utf-16.json", b"\xff\xfe{\x00}\x00");
    write("latin-1.json", b"{\"User\": {\"DisplayName\": \"Zo\xeb\"}}");
    write("endless.json", &[b"{\"User\": \"".as_slice(), &vec![b'x'; 3 << 20]].concat());
    let faults: &[&[&str]] = &[
        &["./utf-16.json: ", "UTF-16", "Save it as UTF-8"],
        &["./latin-1.json: ", "invalid"],
        &["./endless.json: ", "more than 1048576 bytes"],
        &["./users.json: Users[0].LicenseType: ", "Gold", "Basic, Plus, Pro, ProTrial"],
        &["./users.json: Users[0].IsProTrial: ", "a boolean"],
        &["./users.json: Users[0].PersonalPIN: ", "ten digits"],
        &["./users.json: Users[0].PrimaryEmail: ", "no address"],
        &["./users.json: Users[1].RegisteredOn: ", "whole milliseconds"],
        &["./users.json: Users[2].AccountId: ", "must not be null"],
        &["./users.json: Users[3].UserId: ", "must not be null"],
        &["./users.json: Users[4]: ", "object"],
        &["./", ".PrimaryEmail: another user has the same: ./users.json: Users["],
        &["./", ".PersonalPIN: another user has the same: ./users.json: Users["],
        &["./", ".UserId: another user has the same: ./"],
        &["./", "LicenseType: it differs from what ./", "LicenseType says"],
        &["./broken.json: ", "line 3 column 2"],
        &["./cut.json: ", "EOF", "line 1"],
        &["./array.json: ", "an object as the AWS CLI prints it"],
        &["./twice.json: User: ", "'UserId' stands in it twice"],
        &["./other.json: ", "nothing in it to import"],
        &["./other.json: document 2: Bots: ", "nothing that can be imported", "UserSettings"],
        &["./other.json: document 3: User: ", "object"],
        &["./settings.json: AccountSettings.EnableDialOut: ", "a boolean"],
        &["./nobodys.json: UserSettings: ", "name of the file", "aws chime get-user"],
        &["./nobodys.json: document 2: AccountSettings: ", "aws chime get-account"],
        &["./kept.json: UserSettings.Telephony.Fax: ", "unknown field"],
        &["./days.json: RetentionSettings.RoomRetentionSettings.RetentionDays: ", "1"],
        &["./domains.json: Domains[1].DomainName: ", "must not be null"],
        &["./domains.json: Domains[0]: ", "account c", "get-account --account-id c"],
        &["./control.json: ", "control character"],
    ];
    assert_faults(&server, files.path(), &["."], faults);
}

#[test]
fn one_domain_of_two_accounts_is_told_before_anything_is_sent() {
    let server = Server::start();
    let files = folder(&[(
        "shared.json",
        r#"{"Account": {"AccountId": "a", "Name": "a"}}{"Account": {"AccountId": "b", "Name": "b"}}
        {"Domains": [{"AccountId": "a", "DomainName": "Example.com"},
        {"AccountId": "b", "DomainName": "example.COM"}]}"#,
    )]);
    let faults: &[&[&str]] = &[&[
        "shared.json: document 3: Domains[1].DomainName: the domain belongs to another account, \
         too: shared.json: document 3: Domains[0]",
    ]];
    assert_faults(&server, files.path(), &["shared.json"], faults);
}

/// What only the server knows is a fault like the others, and told with the file and the path.
#[test]
fn faults_that_the_server_finds_are_told_in_the_same_way() {
    let server = Server::start();
    let client = server.client();
    let files = folder(&[
        (
            "there.json",
            r#"{"Account": {"AccountId": "a", "Name": "a"}}{"User": {"AccountId": "a",
            "UserId": "1", "PrimaryEmail": "a@example.com", "PersonalPIN": "0123456789"}}"#,
        ),
        (
            "differs.json",
            r#"{"Account": {"AccountId": "a", "Name": "b"}}{"User": {"AccountId": "a",
            "UserId": "1", "PrimaryEmail": "b@example.com"}}"#,
        ),
        (
            "foreign.json",
            r#"{"Account": {"AccountId": "f", "Name": "f",
            "AwsAccountId": "444455556666"}}"#,
        ),
        (
            "new.json",
            r#"{"Account": {"AccountId": "n", "Name": "n", "SupportedLicenses": ["Pro"]}}
            {"Users": [{"AccountId": "n", "UserId": "2", "LicenseType": "Basic"},
            {"AccountId": "n", "UserId": "3", "PrimaryEmail": "A@example.com"},
            {"AccountId": "n", "UserId": "4", "PersonalPIN": "0123456789"},
            {"AccountId": "none", "UserId": "5"}]}"#,
        ),
    ]);
    imported(&server, files.path(), &["there.json"]);
    let faults: &[&[&str]] = &[
        &["differs.json: Account: ", "Account a in Name", "Overwrite"],
        &["differs.json: document 2: User: ", "User 1 in PrimaryEmail"],
        &["foreign.json: Account.AwsAccountId: ", "444455556666"],
        &["new.json: document 2: Users[0].LicenseType: ", "[Pro]"],
        &["new.json: document 2: Users[1].PrimaryEmail: ", "user 1 of account a"],
        &["new.json: document 2: Users[2].PersonalPIN: ", "user 1 of account a"],
        &["new.json: document 2: Users[3].AccountId: ", "Account none not found"],
    ];
    let paths = ["differs.json", "foreign.json", "new.json"];
    assert_faults(&server, files.path(), &paths, faults);
    // A dry run finds the same, and where there is no fault says what would become.
    assert_faults(&server, files.path(), &[&["--dry-run"], &paths[..]].concat(), faults);
    let overwrite = ["--overwrite", "differs.json"];
    let dry = [&overwrite[..], &["--dry-run"]].concat();
    let before = exported(&server, &[]);
    assert_summary(&imported(&server, files.path(), &dry), [0, 0, 1], [0, 0, 1]);
    assert_eq!(exported(&server, &[]), before);
    assert_summary(&imported(&server, files.path(), &overwrite), [0, 0, 1], [0, 0, 1]);
    let found = client.ok("GetUser", json!({"AccountId": "a", "UserId": "1"}));
    let member = |name: &str| found["User"][name].as_str().unwrap();
    assert_eq!((member("PrimaryEmail"), member("PersonalPIN")), ("b@example.com", "0123456789"));
}

#[test]
fn the_root_imports_for_another_aws_account_and_is_told_how_its_owner_gets_in() {
    let server = Server::start();
    let document =
        r#"{"Account": {"AccountId": "a", "Name": "a", "AwsAccountId": "444455556666"}}"#;
    let files = folder(&[("a.json", document)]);
    // An AWS account that all the documents are of need not be named.
    let summary = imported(&server, files.path(), &["a.json"]);
    let hint = "campanile keys create --aws-account-id 444455556666";
    assert_eq!(summary.last().unwrap().join(" "), hint);
    assert_eq!(exported(&server, &[]), "");
    let repeat = imported(&server, files.path(), &["--aws-account-id", "444455556666", "a.json"]);
    assert_summary(&repeat, [0, 1, 0], [0, 0, 0]);
    let theirs = exported(&server, &["--aws-account-id", "444455556666"]);
    assert!(theirs.contains("\"AccountId\":\"a\""), "{theirs}");
    let key = server.client().ok("CreateAccessKey", json!({"AwsAccountId": "777788889999"}));
    let text = |name: &str| key["AccessKey"][name].as_str().unwrap();
    for arguments in [&["import", "a.json"][..], &["export"]] {
        let arguments = [arguments, &["--aws-account-id", "444455556666"]].concat();
        let mut refused = command(server.address, files.path(), &arguments);
        refused
            .env("AWS_ACCESS_KEY_ID", text("AccessKeyId"))
            .env("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"));
        let ended = run(&mut refused);
        assert_eq!(ended.code, SERVICE, "{ended:?}");
        assert!(ended.stderr.contains("ForbiddenException"), "{ended:?}");
    }
}

#[test]
fn what_cannot_be_read_written_or_called_is_said() {
    let server = Server::start();
    let files = folder(&[("empty/readme.txt", ""), ("empty.json", " \n")]);
    let refused = |arguments: &[&str], code: Option<i32>, words: &[&str]| {
        let ended = run(&mut command(server.address, files.path(), arguments));
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "no '{word}' in {ended:?}");
        }
    };
    refused(&["import", "none.json"], USAGE, &["none.json", "No such file"]);
    refused(&["import", "empty"], USAGE, &["empty holds no file", "*.json"]);
    refused(&["import", "empty.json"], USAGE, &["nothing in it to import"]);
    refused(&["import", "--overwrit"], USAGE, &["--overwrite"]);
    refused(&["export", "--output", "none/out.jsonl"], GENERAL, &["none/out.jsonl"]);
    let console = format!("http://{}/console", server.address);
    refused(&["export", "--endpoint-url", &console], USAGE, &["without /console"]);
    let nowhere = ["export", "--endpoint-url", "http://127.0.0.1:1", "--output", "out.jsonl"];
    refused(&nowhere, GENERAL, &["127.0.0.1:1"]);
    let left: Vec<_> = fs::read_dir(files.path()).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "a failed export leaves nothing: {left:?}");
}

#[test]
fn an_import_that_was_interrupted_is_finished_by_a_repeat() {
    const USERS: u64 = 4000;
    let server = Server::start();
    let users: Vec<_> = (0..USERS)
        .map(|number| json!({"AccountId": "a", "UserId": format!("{number:05}")}))
        .collect();
    let account = json!({"Account": {"AccountId": "a", "Name": "a"}});
    let text = format!("{}{account}", json!({"Users": users}));
    let files = folder(&[("all.json", &text)]);
    let mut child = command(server.address, files.path(), &["import", "all.json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Until the first users are in; the others are on their way.
    let any = || server.client().ok("ExportUsers", json!({"MaxResults": 1}))["Users"].take();
    while any() == json!([]) {}
    child.kill().unwrap();
    child.wait().unwrap();
    let before = exported(&server, &[]).lines().count() as u64 - 1;
    let summary = imported(&server, files.path(), &["all.json"]);
    let of_users = summary.iter().find(|line| line[0] == "users").unwrap();
    let created: u64 = of_users[1].parse().unwrap();
    // What was on its way when the client died may have come in later.
    assert!(created <= USERS - before, "{summary:?}");
    assert_summary(&summary, [0, 1, 0], [created, USERS - created, 0]);
    assert_eq!(exported(&server, &[]).lines().count() as u64, USERS + 1);
}

//! What the generated requests find: a directory with a value in every member, and whatever an
//! operation needs to succeed.

use crate::harness::{Client, Options, ROOT_ACCESS_KEY_ID, ROOT_AWS_ACCOUNT_ID, Server};
use crate::model::{Operation, model};
use campanile::access::{
    self, AccessKeyLastUsedRecord, AccessKeyRecord, KEY_BYTES, Permissions, PolicyRecord,
    PolicyVersionRecord, RoleRecord, Seal,
};
use campanile::clock::Timestamp;
use campanile::operations::accounts::AccountRecord;
use campanile::operations::accounts::domains::{DomainRecord, DomainStatus};
use campanile::operations::accounts::record::{
    AccountSettings, AccountType, LicenseGroup, OpenIdConfig,
};
use campanile::operations::audit::AuditEventRecord;
use campanile::operations::users::UserRecord;
use campanile::operations::users::invites::{EmailStatus, InviteRecord};
use campanile::operations::users::record::{InviteStatus, RegistrationStatus, UserType};
use campanile::operations::users::settings::TelephonySettings;
use campanile::protocol::shapes::License;
use campanile::store::{self, Tx};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::cell::RefCell;
use uuid::Uuid;

/// An Enterprise account with a value in every member, which every licence suits.
pub const ACCOUNT_ID: &str = "12a3456b-7c89-012d-3456-78901e23fg45";
pub const TEAM_ACCOUNT_ID: &str = "another";
/// A user with a value in every member.
const USER_ID: &str = "1ab2345c-67de-8901-f23g-45h678901j2k";
const INVITED: &str = "invited@example.com";
/// The random bytes of an access key that was used.
const USED_KEY: [u8; 52] = [3; 52];
/// A policy of AWS's own, which every AWS account has.
pub const AWS_POLICY_ARN: &str = "arn:aws:iam::aws:policy/AmazonChimeReadOnly";
/// How many domains are added to one account, which may have 500.
const DOMAINS_MAX: usize = 300;
const POLICY_NAME: &str = "policy";
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"chime:*","Resource":"*"}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}"#;
const LICENSES: [License; 4] = [License::Basic, License::Plus, License::Pro, License::ProTrial];

thread_local! {
    /// The user whose key a request asked for last: the same request may name its owner.
    static OWNER: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Starts a server with what the requests ask for.
pub fn server() -> Server {
    server_with(Options::default())
}

/// Starts such a server in another way.
pub fn server_with(options: Options) -> Server {
    let server = start(options);
    let client = server.client();
    for name in ["one-of-two", "another-one"] {
        let members = json!({
            "UserName": name,
            "RoleName": name,
            "AssumeRolePolicyDocument": TRUST,
            "PolicyName": name,
            "PolicyDocument": ALLOW,
            "Description": "what it is for",
        });
        for operation in ["iam:CreateUser", "iam:CreateRole", "iam:CreatePolicy"] {
            client.ok(operation, members.clone());
        }
    }
    server
}

fn start(options: Options) -> Server {
    Server::start_with(options, |mut tx| {
        let enterprise = account(ACCOUNT_ID);
        tx.insert(&enterprise)?;
        tx.insert(&AccountRecord { account_type: AccountType::Team, ..account(TEAM_ACCOUNT_ID) })?;
        for deleted in ["deleted 1", "deleted 2"] {
            let deleted_timestamp = Some(now());
            tx.insert(&AccountRecord { deleted_timestamp, ..account(deleted) })?;
        }
        tx.insert(&user(&enterprise, USER_ID))?;
        tx.insert(&user(&enterprise, "another"))?;
        tx.insert(&domain("example.com", DomainStatus::Verified))?;
        tx.insert(&domain("example.net", DomainStatus::PendingVerification))?;
        tx.insert(&event("1"))?;
        tx.insert(&event("2"))?;
        for key in [[1; 52], [2; 52]] {
            tx.insert(&access_key("444455556666", None, &key))?;
        }
        let used = access_key(ROOT_AWS_ACCOUNT_ID, Some("one-of-two"), &USED_KEY);
        tx.insert(&AccessKeyLastUsedRecord {
            access_key_id: used.access_key_id.clone(),
            last_used_date: now(),
            service_name: "chime".to_owned(),
            region: "us-east-1".to_owned(),
        })?;
        tx.insert(&used)
    })
}

/// Tells whether a member names something that has to exist.
pub fn is_id(operation: &Operation, member: &str) -> bool {
    match member {
        // It looks for those that were deleted long ago, too.
        "AccountId" if operation.name == "cloudtrail:LookupEvents" => false,
        "AccountId" | "UserId" | "GroupNames" | "AccessKeyId" | "PolicyArn" | "VersionId" => true,
        "UserName" => operation.name != "iam:CreateUser",
        "RoleName" => operation.name != "iam:CreateRole",
        "PolicyName" => of_inline_policy(operation),
        // What is named is in one AWS account.
        "AwsAccountId" => ["UserName", "RoleName"].iter().any(|it| has_id(operation, it)),
        "DomainName" => operation.name == "ReleaseDomain",
        _ => false,
    }
}

/// Tells whether a well-formed value can be in the way of something that is there already.
pub fn may_conflict(operation: &Operation, member: &str) -> bool {
    match member {
        "DirectoryId" | "Email" | "NewUserName" | "SupportedLicenses" => true,
        "UserName" => operation.name == "iam:CreateUser",
        "RoleName" => operation.name == "iam:CreateRole",
        "PolicyName" => operation.name == "iam:CreatePolicy",
        "DomainName" => operation.name == "ClaimDomain",
        _ => false,
    }
}

/// Tells whether a member that need not be there is, so that a request can succeed more than once.
pub fn is_needed(operation: &Operation, member: &str) -> bool {
    let needs_user = ["iam:CreateAccessKey", "iam:GetUser"].contains(&&*operation.name);
    needs_user && member == "UserName"
}

/// Tells whether a request always has a member, and whether that names something that has to exist.
fn has_id(operation: &Operation, member: &str) -> bool {
    let required = &model().input(operation).unwrap().required;
    let is_there = required.iter().any(|it| it == member) || is_needed(operation, member);
    is_there && is_id(operation, member)
}

/// Returns the value of a member that has to name something that exists, or nothing that does.
pub fn existing(client: &Client, operation: &Operation, member: &str) -> Option<Value> {
    let fresh = || Uuid::from_bytes(rand::random()).to_string();
    match member {
        "AccountId" => Some(account_for(client, operation).into()),
        "UserId" if operation.name == "GetInvite" => {
            let invite = json!({"AccountId": TEAM_ACCOUNT_ID, "UserEmailList": [INVITED]});
            client.ok("InviteUsers", invite);
            let filter = json!({"AccountId": TEAM_ACCOUNT_ID, "UserEmail": INVITED});
            Some(client.ok("ListUsers", filter)["Users"][0]["UserId"].clone())
        }
        "UserId" => Some(USER_ID.into()),
        "GroupNames" => {
            let groups = json!([{"GroupName": fresh()}]);
            let members = json!({"AccountId": ACCOUNT_ID, "SigninDelegateGroups": groups});
            client.ok("AssociateSigninDelegateGroupsWithAccount", members);
            Some(json!([groups[0]["GroupName"]]))
        }
        "Email" => Some(format!("{}@example.com", fresh()).into()),
        "DomainName" => {
            let name = format!("{}.example.com", fresh());
            if operation.name == "ReleaseDomain" {
                client.ok("ClaimDomain", json!({"AccountId": ACCOUNT_ID, "DomainName": name}));
            }
            Some(name.into())
        }
        "DirectoryId" => Some("d-906717dc08".into()),
        "SupportedLicenses" => Some(json!(LICENSES)),
        "AccessKeyId" if operation.name == "iam:GetAccessKeyLastUsed" => {
            Some(access_key(ROOT_AWS_ACCOUNT_ID, None, &USED_KEY).access_key_id.into())
        }
        "AccessKeyId" => {
            let user_name = new_identity(client, operation, "User");
            let made = client.ok("CreateAccessKey", json!({"UserName": user_name}));
            OWNER.set(user_name);
            Some(made["AccessKey"]["AccessKeyId"].clone())
        }
        "AwsAccountId" if operation.name.starts_with("iam:") => Some(ROOT_AWS_ACCOUNT_ID.into()),
        "UserName" if operation.name == "iam:CreateUser" => Some(fresh().into()),
        "UserName" if model().input(operation)?.members.contains_key("AccessKeyId") => {
            Some(OWNER.with_borrow(Clone::clone).into())
        }
        "NewUserName" => Some(fresh().into()),
        "UserName" => Some(new_identity(client, operation, "User").into()),
        "RoleName" if operation.name == "iam:CreateRole" => Some(fresh().into()),
        "RoleName" => Some(new_identity(client, operation, "Role").into()),
        "PolicyName" if operation.name == "iam:CreatePolicy" => Some(fresh().into()),
        "PolicyName" => Some(POLICY_NAME.into()),
        "PolicyDocument" if operation.name == "iam:UpdateAssumeRolePolicy" => Some(TRUST.into()),
        "PolicyDocument" => Some(ALLOW.into()),
        "AssumeRolePolicyDocument" => Some(TRUST.into()),
        "PolicyArn" => Some(policy_for(client, operation).into()),
        "VersionId" if operation.name == "iam:DeletePolicyVersion" => Some("v2".into()),
        "VersionId" => Some("v1".into()),
        other => {
            let needed = is_id(operation, other) || may_conflict(operation, other);
            assert!(!needed, "{other} needs a line here");
            None
        }
    }
}

/// Returns an account on which an operation can succeed. What changes an account for the operations
/// that follow gets one of its own.
fn account_for(client: &Client, operation: &Operation) -> String {
    let account_id = match &*operation.name {
        "InviteUsers" | "GetInvite" => return TEAM_ACCOUNT_ID.to_owned(),
        "DeleteAccount"
        | "RestoreAccount"
        | "SuspendAccount"
        | "ActivateAccount"
        | "ConnectDirectory"
        | "DisconnectDirectory"
        | "ConnectOpenId"
        | "DisconnectOpenId"
        | "UpdateSupportedLicenses" => client.create_account("a"),
        _ => return ACCOUNT_ID.to_owned(),
    };
    let call = |operation: &str, mut members: Value| {
        members["AccountId"] = json!(account_id);
        client.ok(operation, members);
    };
    call("UpdateSupportedLicenses", json!({"SupportedLicenses": LICENSES}));
    if operation.name.contains("Connect") || operation.name.starts_with("Disconnect") {
        call("ClaimDomain", json!({"DomainName": format!("{account_id}.example.com")}));
    }
    match &*operation.name {
        "RestoreAccount" => call("DeleteAccount", json!({})),
        "DisconnectDirectory" => call("ConnectDirectory", json!({"DirectoryId": "d-906717dc08"})),
        "DisconnectOpenId" => {
            call("ConnectOpenId", json!({"ClientId": "a", "Issuer": "https://example.com"}));
        }
        _ => {}
    }
    account_id
}

/// Makes a user or a role with what an operation asks for.
fn new_identity(client: &Client, operation: &Operation, kind: &str) -> String {
    let name = Uuid::from_bytes(rand::random()).to_string();
    let call = |operation: &str, mut members: Value| {
        members[format!("{kind}Name")] = json!(name);
        client.ok(operation, members);
    };
    let trust = json!({"AssumeRolePolicyDocument": TRUST});
    call(&format!("iam:Create{kind}"), trust);
    if of_inline_policy(operation) {
        let policy = json!({"PolicyName": POLICY_NAME, "PolicyDocument": ALLOW});
        call(&format!("iam:Put{kind}Policy"), policy);
    }
    if operation.name.contains("Detach") || operation.name.contains("ListAttached") {
        call(&format!("iam:Attach{kind}Policy"), json!({"PolicyArn": AWS_POLICY_ARN}));
    }
    name
}

/// Returns a managed policy with what an operation asks for.
fn policy_for(client: &Client, operation: &Operation) -> String {
    if operation.name.contains("tach") {
        return AWS_POLICY_ARN.to_owned();
    }
    let name = Uuid::from_bytes(rand::random()).to_string();
    let policy = json!({"PolicyName": name, "PolicyDocument": ALLOW});
    let made = client.ok("iam:CreatePolicy", policy);
    let arn = made["Policy"]["Arn"].as_str().unwrap().to_owned();
    if operation.name == "iam:ListEntitiesForPolicy" {
        for kind in ["User", "Role"] {
            let of = json!({format!("{kind}Name"): new_identity(client, operation, kind), "PolicyArn": arn});
            client.ok(&format!("iam:Attach{kind}Policy"), of);
        }
    }
    if operation.name == "iam:DeletePolicyVersion" {
        let version = json!({"PolicyArn": arn, "PolicyDocument": ALLOW});
        client.ok("iam:CreatePolicyVersion", version);
    }
    arn
}

/// Tells whether an operation names an inline policy that has to exist.
fn of_inline_policy(operation: &Operation) -> bool {
    ["iam:GetUser", "iam:GetRole", "iam:DeleteUser", "iam:DeleteRole"]
        .iter()
        .any(|it| *operation.name == format!("{it}Policy"))
}

fn now() -> Timestamp {
    campanile::clock::Clock::system().now()
}

/// Makes a key that nobody can sign with: the server's seal is another.
fn access_key(
    aws_account_id: &str,
    user_name: Option<&str>,
    random: &[u8; AccessKeyRecord::RANDOM_BYTES],
) -> AccessKeyRecord {
    let (seal, user_name) = (Seal::new(&[1; KEY_BYTES]), user_name.map(str::to_owned));
    AccessKeyRecord::generate(aws_account_id.to_owned(), user_name, now(), random, &seal).0
}

fn domain(name: &str, domain_status: DomainStatus) -> DomainRecord {
    DomainRecord {
        aws_account_id: ROOT_AWS_ACCOUNT_ID.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
        domain_name: name.to_owned(),
        domain_status,
        claimed_timestamp: now(),
        verified_timestamp: (domain_status == DomainStatus::Verified).then(now),
        verification_value: Some("campanile-domain-verification=0".to_owned()),
    }
}

fn event(event_id: &str) -> AuditEventRecord {
    let event = json!({
        "a": ROOT_AWS_ACCOUNT_ID,
        "t": now().as_millisecond(),
        "e": event_id,
        "q": event_id,
        "n": "chime:CreateAccount",
        "c": {"k": ROOT_ACCESS_KEY_ID},
        "r": "us-east-1",
        "i": "127.0.0.1",
        "p": {"name": "a"},
    });
    serde_json::from_str(&event.to_string()).unwrap()
}

fn account(account_id: &str) -> AccountRecord {
    let delegates = serde_json::from_value(json!({"GroupName": "delegates"})).unwrap();
    // Its last digits are zeros, which must be written all the same.
    let created = Timestamp::from_millisecond(1_545_331_082_000).unwrap();
    let name = format!("a {account_id}");
    AccountRecord {
        account_type: AccountType::EnterpriseLwa,
        default_license: License::ProTrial,
        directory_id: Some("d-906717dc08".to_owned()),
        groups: vec![LicenseGroup { group_id: "basic_users".to_owned(), license: License::Basic }],
        open_id_config: Some(OpenIdConfig {
            client_id: "campanile".to_owned(),
            issuer: "https://id.example.com".to_owned(),
        }),
        retention: serde_json::from_value(json!({
            "ConversationDays": 1,
            "RoomDays": 5475,
            "InitiateDeletionTimestamp": created,
        }))
        .unwrap(),
        settings: AccountSettings { enable_dial_out: true, ..AccountSettings::default() },
        signin_delegate_groups: vec![delegates],
        supported_licenses: vec![License::Basic, License::Plus, License::Pro, License::ProTrial],
        ..AccountRecord::team(ROOT_AWS_ACCOUNT_ID, account_id.to_owned(), &name, created)
    }
}

fn user(account: &AccountRecord, user_id: &str) -> UserRecord {
    fn of<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }
    let person = user_id == USER_ID;
    let user_type = if person { UserType::PrivateUser } else { UserType::SharedDevice };
    let registered = account.created_timestamp;
    UserRecord {
        alexa_for_business_metadata: of(json!({
            "AlexaForBusinessRoomArn": "arn:aws:a4b:us-east-1:111122223333:room/a/b",
            "IsAlexaForBusinessEnabled": true,
        })),
        display_name: of(json!("Jane Doe")),
        full_name: of(json!("Jane Doe")),
        invited_on: Some(registered),
        personal_pin: person.then(|| of(json!("0123456789"))),
        primary_email: of(json!(format!("{user_id}@example.com"))),
        primary_provisioned_number: of(json!("+12065550100")),
        registered_on: Some(registered),
        registration_status: RegistrationStatus::Registered,
        telephony: TelephonySettings { sms: true, ..TelephonySettings::default() },
        user_invitation_status: Some(InviteStatus::Accepted),
        ..UserRecord::of(account, user_id.to_owned(), user_type)
    }
}

/// Adds so many more of everything that there can be many of.
pub fn add_many(tx: &mut Tx<'_>, count: usize) -> store::Result<()> {
    let enterprise = account(ACCOUNT_ID);
    let team = AccountRecord { account_type: AccountType::Team, ..account(&large_team(count)) };
    tx.insert(&team)?;
    for number in 0..count {
        let name = format!("many-{count}-{number}");
        tx.insert(&account(&name))?;
        let deleted_timestamp = Some(now());
        tx.insert(&AccountRecord { deleted_timestamp, ..account(&format!("deleted {name}")) })?;
        tx.insert(&user(&enterprise, &name))?;
        let registration_status = RegistrationStatus::Suspended;
        tx.insert(&UserRecord { registration_status, ..user(&team, &format!("team-{name}")) })?;
        if number < DOMAINS_MAX {
            tx.insert(&domain(&format!("{name}.example.org"), DomainStatus::Verified))?;
        }
        tx.insert(&event(&name))?;
        tx.insert(&InviteRecord {
            invite_id: name.clone(),
            aws_account_id: ROOT_AWS_ACCOUNT_ID.to_owned(),
            account_id: team.account_id.clone(),
            user_id: format!("team-{name}"),
            email_status: EmailStatus::NotSent,
            expires_timestamp: now(),
        })?;
        add_identities(tx, &name)?;
    }
    Ok(())
}

/// Returns the id of the Team account of so many users, all of them suspended.
pub fn large_team(count: usize) -> String {
    format!("team-of-{count}")
}

/// Adds an IAM user with a key, a role and a policy. All have one policy of AWS's own.
fn add_identities(tx: &mut Tx<'_>, name: &str) -> store::Result<()> {
    let permissions =
        Permissions { attached: [AWS_POLICY_ARN.to_owned()].into(), ..Permissions::default() };
    let random = std::array::from_fn(|_| rand::random());
    tx.insert(&access_key(ROOT_AWS_ACCOUNT_ID, Some(name), &random))?;
    tx.insert(&access::UserRecord {
        aws_account_id: ROOT_AWS_ACCOUNT_ID.to_owned(),
        user_name: name.to_owned(),
        user_id: format!("AIDA{name}"),
        create_date: now(),
        permissions: permissions.clone(),
    })?;
    tx.insert(&RoleRecord {
        aws_account_id: ROOT_AWS_ACCOUNT_ID.to_owned(),
        role_name: name.to_owned(),
        role_id: format!("AROA{name}"),
        create_date: now(),
        description: None,
        assume_role_policy_document: TRUST.to_owned(),
        max_session_duration: 3600,
        permissions,
    })?;
    let version = PolicyVersionRecord { document: ALLOW.to_owned(), create_date: now() };
    tx.insert(&PolicyRecord {
        aws_account_id: ROOT_AWS_ACCOUNT_ID.to_owned(),
        policy_name: name.to_owned(),
        policy_id: format!("ANPA{name}"),
        create_date: now(),
        update_date: now(),
        description: None,
        default_version: 1,
        next_version: 2,
        versions: [(1, version)].into(),
    })
}

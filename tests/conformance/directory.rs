//! What the generated requests find: a directory with a value in every member, and whatever an
//! operation needs to succeed.

use crate::harness::{Client, Options, ROOT_ACCESS_KEY_ID, ROOT_AWS_ACCOUNT_ID, Server};
use crate::model::Operation;
use campanile::access::AccessKeyRecord;
use campanile::clock::Timestamp;
use campanile::operations::accounts::AccountRecord;
use campanile::operations::accounts::domains::{DomainRecord, DomainStatus};
use campanile::operations::accounts::record::{
    AccountSettings, AccountType, LicenseGroup, OpenIdConfig,
};
use campanile::operations::audit::AuditEventRecord;
use campanile::operations::users::UserRecord;
use campanile::operations::users::record::{InviteStatus, RegistrationStatus, UserType};
use campanile::operations::users::settings::TelephonySettings;
use campanile::protocol::shapes::License;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

/// An Enterprise account with a value in every member, which every licence suits.
const ACCOUNT_ID: &str = "12a3456b-7c89-012d-3456-78901e23fg45";
const TEAM_ACCOUNT_ID: &str = "another";
/// A user with a value in every member.
const USER_ID: &str = "1ab2345c-67de-8901-f23g-45h678901j2k";
const INVITED: &str = "invited@example.com";
const LICENSES: [License; 4] = [License::Basic, License::Plus, License::Pro, License::ProTrial];

/// Starts a server with what the requests ask for.
pub fn server() -> Server {
    server_with(Options::default())
}

/// Starts such a server in another way.
pub fn server_with(options: Options) -> Server {
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
        for key in [[1; 40], [2; 40]] {
            tx.insert(&AccessKeyRecord::generate("444455556666".to_owned(), now(), &key))?;
        }
        Ok(())
    })
}

/// Tells whether a member names something that has to exist.
pub fn is_id(operation: &Operation, member: &str) -> bool {
    match member {
        // It looks for those that were deleted long ago, too.
        "AccountId" if operation.name == "cloudtrail:LookupEvents" => false,
        "AccountId" | "UserId" | "GroupNames" | "AccessKeyId" => true,
        "DomainName" => operation.name == "ReleaseDomain",
        _ => false,
    }
}

/// Tells whether a well-formed value can be in the way of something that is there already.
pub fn may_conflict(operation: &Operation, member: &str) -> bool {
    match member {
        "DirectoryId" | "Email" | "SupportedLicenses" => true,
        "DomainName" => operation.name == "ClaimDomain",
        _ => false,
    }
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
        "AccessKeyId" => {
            let made = client.ok("CreateAccessKey", json!({"AwsAccountId": "444455556666"}));
            Some(made["AccessKey"]["AccessKeyId"].clone())
        }
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

fn now() -> Timestamp {
    campanile::clock::Clock::system().now()
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
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "Root",
            "principalId": ROOT_AWS_ACCOUNT_ID,
            "arn": format!("arn:aws:iam::{ROOT_AWS_ACCOUNT_ID}:root"),
            "accountId": ROOT_AWS_ACCOUNT_ID,
            "accessKeyId": ROOT_ACCESS_KEY_ID,
        },
        "eventTime": now(),
        "eventSource": "chime.amazonaws.com",
        "eventName": "CreateAccount",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        "userAgent": null,
        "requestParameters": {"name": "a"},
        "responseElements": null,
        "requestID": event_id,
        "eventID": event_id,
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ROOT_AWS_ACCOUNT_ID,
        "eventCategory": "Management",
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

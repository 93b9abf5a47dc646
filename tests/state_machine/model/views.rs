//! What clients see of what the model holds. What only the server can know exactly is told by what it
//! must be: `{"between": […]}` is a time, and `{"text": true}` any text.

use super::{Account, Model, Span};
use serde_json::{Value, json};

impl Model {
    pub(super) fn view(&self, account: &Account) -> Value {
        let groups = account.delegates.iter().map(|name| json!({ "GroupName": name }));
        json!({
            "AccountId": account.id,
            "AccountStatus": if account.suspended { "Suspended" } else { "Active" },
            "AccountType": account.kind,
            "Admins": null,
            "AwsAccountId": self.aws_account_id,
            "BillingType": "SeatBilling",
            "CreatedTimestamp": account.created.view(),
            "DefaultLicense": account.license,
            "DelegationStatus": "NoDelegation",
            "DirectoryId": account.directory,
            "Domains": null,
            "Groups": account.groups,
            "Name": account.name,
            "Owner": null,
            "SigninDelegateGroups": groups.collect::<Vec<_>>(),
            "SupportedLicenses": account.supported,
            "UseProTrialLicense": false,
        })
    }
}

impl Account {
    pub(super) fn domain(&self, name: &str, claimed: Span) -> Value {
        json!({
            "AccountId": self.id,
            "ClaimedTimestamp": claimed.view(),
            "DomainName": name,
            "DomainStatus": "Verified",
            "VerificationRecord": null,
            "VerifiedTimestamp": claimed.view(),
        })
    }

    pub(super) fn user_view(&self, user: usize, presence: impl Into<Value>, pin: bool) -> Value {
        let user = &self.users[user];
        json!({
            "AccountId": self.id,
            "AlexaForBusinessMetadata": {
                "AlexaForBusinessRoomArn": user.room_arn,
                "IsAlexaForBusinessEnabled": user.alexa,
            },
            "Delegates": null,
            "Devices": null,
            "DisplayName": user.name,
            "EmailAlias": [],
            "FullName": user.name,
            "InvitedOn": user.invited.map(|(_, span)| span.view()),
            "IsProTrial": false,
            "LastActiveOn": null,
            "LicenseType": user.license,
            "PersonalPIN": user.pin.as_ref().filter(|_| pin),
            "PresenceVisibility": presence.into(),
            "PrimaryEmail": user.email,
            "PrimaryProvisionedNumber": null,
            "RegisteredOn": user.registered.map(Span::view),
            "UserId": user.id,
            "UserInvitationStatus": user.invitation,
            "UserLocale": null,
            "UserRegistrationStatus": user.status,
            "UserType": user.kind,
            "Vanity": null,
        })
    }
}

impl Span {
    pub(super) fn view(self) -> Value {
        json!({"between": [self.0, self.1]})
    }
}

/// Returns the answer of `UpdateUser`, which tells no more than who it was.
pub(super) fn only_id(id: &Value) -> Value {
    const NULL: [&str; 21] = [
        "AccountId",
        "AlexaForBusinessMetadata",
        "Delegates",
        "Devices",
        "DisplayName",
        "EmailAlias",
        "FullName",
        "InvitedOn",
        "IsProTrial",
        "LastActiveOn",
        "LicenseType",
        "PersonalPIN",
        "PresenceVisibility",
        "PrimaryEmail",
        "PrimaryProvisionedNumber",
        "RegisteredOn",
        "UserInvitationStatus",
        "UserLocale",
        "UserRegistrationStatus",
        "UserType",
        "Vanity",
    ];
    let mut user = json!({ "UserId": id });
    for member in NULL {
        user[member] = Value::Null;
    }
    json!({ "User": user })
}

/// Tells where an answer is not as it should be.
pub fn difference(expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(members), Value::String(text)) if members.contains_key("between") => {
            let [from, to] = [0, 1].map(|it| expected["between"][it].as_str().unwrap());
            // Of one length, so that their order is that of their letters.
            let is_between = text.len() == from.len() && (from..=to).contains(&text.as_str());
            (!is_between).then(|| format!(": {text} is not from {from} to {to}"))
        }
        (Value::Object(members), Value::String(text)) if members.contains_key("text") => {
            text.is_empty().then(|| ": empty".to_owned())
        }
        (Value::Object(expected), Value::Object(found)) => {
            if !expected.keys().eq(found.keys()) {
                return Some(format!(" has {:?}, should {:?}", found.keys(), expected.keys()));
            }
            let mut members = expected.iter();
            members.find_map(|(name, value)| {
                difference(value, &found[name]).map(|fault| format!(".{name}{fault}"))
            })
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut both = expected.iter().zip(found).enumerate();
            both.find_map(|(index, (expected, found))| {
                difference(expected, found).map(|fault| format!("[{index}]{fault}"))
            })
        }
        _ => (expected != found).then(|| format!(": {found}, should be {expected}")),
    }
}

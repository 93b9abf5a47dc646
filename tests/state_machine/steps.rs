//! Steps: what callers do, an operation each, and how they are drawn.

use campanile::operations::table;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde_json::{Value, json};
use std::fmt;

/// Two steps are no operations: days pass, and a person opens the link of an invite and accepts it.
pub const DAYS_PASS: &str = "DaysPass";
pub const ACCEPT_INVITE: &str = "AcceptInvite";
/// Addresses, each with the name that a user gets of it. Some differ in case alone.
pub const ADDRESSES: [(&str, &str); 7] = [
    ("ann.lee@example.com", "Ann Lee"),
    ("Ann.LEE@Example.com", "Ann LEE"),
    ("bob@example.com", "Bob"),
    ("BOB@example.com", "BOB"),
    ("jürgen@example.com", "Jürgen"),
    ("JÜRGEN@EXAMPLE.COM", "JÜRGEN"),
    ("room-1@example.com", "Room 1"),
];
pub const NAMES: [&str; 4] = ["a", "ab", "B", "é"];
const DOMAINS: [&str; 3] = ["a.example", "b.example", "A.Example"];
const LICENSES: [&str; 4] = ["Basic", "Plus", "Pro", "ProTrial"];
pub const USER_TYPES: [&str; 2] = ["PrivateUser", "SharedDevice"];

/// One thing that a caller does. Whom it means is settled when it is done.
#[derive(Clone)]
pub struct Step {
    pub operation: &'static str,
    account: Pick,
    users: Vec<Pick>,
    members: Value,
}

/// Which of those that there are.
#[derive(Clone, Copy)]
enum Pick {
    Known(usize),
    /// A user of another account.
    Foreign(usize),
    Unknown,
}

/// The ids of the accounts that there are, each with those of its users.
pub type Known = Vec<(String, Vec<String>)>;

/// The users that an operation takes, and where in its request.
#[derive(Clone, Copy)]
enum Users {
    None,
    /// `UserId`
    One,
    /// `UserIdList`
    List,
    /// In each of the `UpdateUserRequestItems`.
    Items,
}

struct Line {
    operation: &'static str,
    weight: u32,
    users: Users,
    members: BoxedStrategy<Value>,
}

/// Returns a strategy for one step.
pub fn step() -> impl Strategy<Value = Step> {
    Union::new_weighted(lines().into_iter().map(Line::into_strategy).collect())
}

/// Returns the names of all that steps do.
pub fn operations() -> Vec<&'static str> {
    lines().iter().map(|line| line.operation).collect()
}

impl Step {
    /// Makes a step on the first account.
    pub fn new(operation: &'static str, members: Value) -> Self {
        Self { operation, account: Pick::Known(0), users: Vec::new(), members }
    }

    /// Returns the members of the request, for those who there are.
    ///
    /// A domain belongs to one account of the whole deployment: it has a prefix, which only one case
    /// uses.
    pub fn members(&self, known: &Known, prefix: &str) -> Value {
        let mut members = self.members.clone();
        let account = self.account(known);
        if takes_account(self.operation) {
            let id = account.map_or("no-such-account", |index| &known[index].0);
            members["AccountId"] = json!(id);
        }
        if let Some(name) = members["DomainName"].as_str() {
            members["DomainName"] = json!(format!("{prefix}.{name}"));
        }
        let users: Vec<_> = self.users.iter().map(|pick| pick.user(known, account)).collect();
        match self.operation {
            "BatchSuspendUser" | "BatchUnsuspendUser" => members["UserIdList"] = json!(users),
            "BatchUpdateUser" => {
                let items = members["UpdateUserRequestItems"].as_array_mut().unwrap();
                items.truncate(users.len());
                for (item, user) in items.iter_mut().zip(users) {
                    item["UserId"] = json!(user);
                }
            }
            _ if !users.is_empty() => members["UserId"] = json!(users[0]),
            _ => {}
        }
        members.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        members
    }

    /// Returns which account is meant; who is to have users is one of those that have some.
    fn account(&self, known: &Known) -> Option<usize> {
        let has_users = |it: &usize| !known[*it].1.is_empty();
        let with_users: Vec<_> = (0..known.len()).filter(has_users).collect();
        if self.users.is_empty() || with_users.is_empty() {
            return self.account.index(known.len());
        }
        self.account.index(with_users.len()).map(|index| with_users[index])
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if takes_account(self.operation) {
            write!(f, " account {:?}", self.account)?;
        }
        if !self.users.is_empty() {
            write!(f, " users {:?}", self.users)?;
        }
        write!(f, " {}", self.members)
    }
}

impl fmt::Debug for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(index) => write!(f, "{index}"),
            Self::Foreign(index) => write!(f, "{index} of another account"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl Pick {
    fn index(self, count: usize) -> Option<usize> {
        match self {
            Self::Known(index) => index.checked_rem(count),
            Self::Foreign(_) | Self::Unknown => None,
        }
    }

    fn user(self, known: &Known, account: Option<usize>) -> &str {
        let nobody = "no-such-user";
        let Some(account) = account else { return nobody };
        let (account, pick) = match self {
            Self::Foreign(index) => ((account + 1) % known.len(), Self::Known(index)),
            pick => (account, pick),
        };
        let users = &known[account].1;
        pick.index(users.len()).map_or(nobody, |index| &users[index])
    }
}

impl Line {
    fn into_strategy(self) -> (u32, BoxedStrategy<Step>) {
        let Self { operation, weight, users, members } = self;
        let count = match users {
            Users::None => 0..1,
            Users::One => 1..2,
            Users::List | Users::Items => 0..5,
        };
        let step = (account(), vec(user(), count), members)
            .prop_map(move |(account, users, members)| Step { operation, account, users, members });
        (weight, step.boxed())
    }
}

/// Tells whether an operation is one on an account.
fn takes_account(operation: &str) -> bool {
    operation == ACCEPT_INVITE
        || table().iter().any(|line| line.name == operation && line.uri.contains("{accountId}"))
}

/// An account; mostly one of two, so that more happens to them.
fn account() -> impl Strategy<Value = Pick> {
    prop_oneof![
        20 => (0..2usize).prop_map(Pick::Known),
        10 => (0..4usize).prop_map(Pick::Known),
        1 => Just(Pick::Unknown),
    ]
}

fn user() -> impl Strategy<Value = Pick> {
    prop_oneof![
        12 => (0..5usize).prop_map(Pick::Known),
        1 => (0..5usize).prop_map(Pick::Foreign),
        1 => Just(Pick::Unknown),
    ]
}

#[rustfmt::skip] // A line an operation, as in the table of operations.
fn lines() -> Vec<Line> {
    use Users::{Items, List, None, One};
    vec![
        line("CreateAccount", 3, None, one("Name", name())),
        line("DeleteAccount", 5, None, nothing()),
        line("GetAccount", 1, None, nothing()),
        line("ListAccounts", 1, None, (option::of(name()), option::of(address()), page()).prop_map(|(name, email, page)| json!({"Name": name, "UserEmail": email, "MaxResults": page}))),
        line("UpdateAccount", 3, None, (option::of(name()), option::of(license())).prop_map(|(name, license)| json!({"Name": name, "DefaultLicense": license}))),

        line("GetAccountSettings", 1, None, nothing()),
        line("UpdateAccountSettings", 2, None, two_flags("DisableRemoteControl", "EnableDialOut").prop_map(|settings| json!({"AccountSettings": settings}))),
        line("AssociateSigninDelegateGroupsWithAccount", 5, None, vec(option::of(group()), 0..4).prop_map(|names| json!({"SigninDelegateGroups": names.iter().map(|name| json!({"GroupName": name})).collect::<Vec<_>>()}))),
        line("DisassociateSigninDelegateGroupsFromAccount", 4, None, vec(group(), 1..3).prop_map(|names| json!({"GroupNames": names}))),
        line("GetRetentionSettings", 1, None, nothing()),
        line("PutRetentionSettings", 3, None, (days(), days()).prop_map(|(room, conversation)| json!({"RetentionSettings": {"RoomRetentionSettings": room, "ConversationRetentionSettings": conversation}}))),

        line("BatchSuspendUser", 8, List, nothing()),
        line("BatchUnsuspendUser", 6, List, nothing()),
        line("BatchUpdateUser", 5, Items, vec(change(), 4).prop_map(|items| json!({"UpdateUserRequestItems": items}))),
        line("CreateUser", 14, None, (option::of(select(&["Zoe", ""][..])), option::weighted(0.9, address()), option::of(user_type())).prop_map(|(name, email, kind)| json!({"Username": name, "Email": email, "UserType": kind}))),
        line("GetUser", 1, One, nothing()),
        line("GetUserSettings", 1, One, nothing()),
        line("InviteUsers", 14, None, (vec(address(), 0..5), option::of(user_type())).prop_map(|(emails, kind)| json!({"UserEmailList": emails, "UserType": kind}))),
        line("ListUsers", 1, None, (option::of(address()), option::of(user_type()), page()).prop_map(|(email, kind, page)| json!({"UserEmail": email, "UserType": kind, "MaxResults": page}))),
        line("LogoutUser", 1, One, nothing()),
        line("ResetPersonalPIN", 2, One, nothing()),
        line("UpdateUser", 4, One, change()),
        line("UpdateUserSettings", 2, One, any::<[bool; 3]>().prop_map(|[inbound, outbound, sms]| json!({"UserSettings": {"Telephony": {"InboundCalling": inbound, "OutboundCalling": outbound, "SMS": sms}}}))),

        line("ActivateAccount", 8, None, nothing()),
        line("SuspendAccount", 3, None, nothing()),
        line("ListDeletedAccounts", 3, None, one("MaxResults", page())),
        line("RestoreAccount", 5, None, nothing()),
        line("ClaimDomain", 14, None, one("DomainName", select(&DOMAINS[..]))),
        line("ListDomains", 1, None, one("MaxResults", page())),
        line("ReleaseDomain", 7, None, one("DomainName", select(&DOMAINS[..]))),
        line("ConnectDirectory", 4, None, (select(&["d-1", "d-2"][..]), option::of(vec(license(), 0..3))).prop_map(|(id, licenses)| json!({"DirectoryId": id, "Groups": licenses.map(|licenses| groups(&licenses))}))),
        line("DisconnectDirectory", 3, None, nothing()),
        line("ConnectOpenId", 4, None, select(&["https://id.example", "https://id.example", "http://id.example"][..]).prop_map(|issuer| json!({"ClientId": "campanile", "Issuer": issuer}))),
        line("DisconnectOpenId", 3, None, nothing()),
        line("UpdateSupportedLicenses", 4, None, vec(license(), 1..5).prop_map(|licenses| json!({"SupportedLicenses": licenses}))),

        line("GetInvite", 2, One, nothing()),
        line(ACCEPT_INVITE, 8, One, nothing()),
        line(DAYS_PASS, 4, None, one("Days", select(&[1, 29, 30, 59, 90][..]))),
    ]
}

fn line(
    operation: &'static str,
    weight: u32,
    users: Users,
    members: impl Strategy<Value = Value> + 'static,
) -> Line {
    Line { operation, weight, users, members: members.boxed() }
}

fn nothing() -> impl Strategy<Value = Value> {
    Just(json!({}))
}

fn one<T: fmt::Debug + Into<Value>>(
    member: &'static str,
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Value> {
    value.prop_map(move |value| json!({ member: value.into() }))
}

fn two_flags(first: &'static str, second: &'static str) -> impl Strategy<Value = Value> {
    any::<[Option<bool>; 2]>().prop_map(move |[a, b]| json!({first: a, second: b}))
}

fn name() -> impl Strategy<Value = &'static str> {
    select(&NAMES[..])
}

fn address() -> impl Strategy<Value = &'static str> {
    select(&ADDRESSES[..]).prop_map(|(address, _)| address)
}

/// A licence; more often one that every account supports at first.
fn license() -> impl Strategy<Value = &'static str> {
    prop_oneof![2 => select(&["Basic", "Pro"][..]), 1 => select(&LICENSES[..])]
}

fn user_type() -> impl Strategy<Value = &'static str> {
    select(&USER_TYPES[..])
}

fn group() -> impl Strategy<Value = &'static str> {
    select(&["g1", "g2", "G2"][..])
}

fn page() -> impl Strategy<Value = u32> {
    1..4u32
}

fn groups(licenses: &[&str]) -> Value {
    licenses.iter().map(|license| json!({"GroupId": "everybody", "License": license})).collect()
}

/// Retention settings: none, switched off, or some days.
fn days() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        select(&[1, 30, 5475][..]).prop_map(|days| json!({"RetentionDays": days})),
    ]
}

/// The members of `UpdateUser` besides whom it is about.
fn change() -> impl Strategy<Value = Value> {
    let alexa = (option::of(Just("arn:aws:a4b:room")), any::<Option<bool>>()).prop_map(
        |(arn, enabled)| {
            json!({"AlexaForBusinessRoomArn": arn, "IsAlexaForBusinessEnabled": enabled})
        },
    );
    (option::weighted(0.7, license()), option::weighted(0.3, user_type()), option::weighted(0.3, alexa))
        .prop_map(|(license, kind, alexa)| {
            json!({"LicenseType": license, "UserType": kind, "AlexaForBusinessMetadata": alexa})
        })
}

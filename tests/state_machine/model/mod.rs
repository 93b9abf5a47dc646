//! What the directory should hold, and what it should answer: as little as that takes, and none of
//! the server's own code.

mod accounts;
mod users;
mod views;

pub use views::difference;

use super::steps::{ACCEPT_INVITE, ADDRESSES, DAYS_PASS, Known};
use campanile::clock::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;

pub type Outcome = Result<Value, &'static str>;

const BAD_REQUEST: &str = "BadRequestException";
const CONFLICT: &str = "ConflictException";
const FORBIDDEN: &str = "ForbiddenException";
const NOT_FOUND: &str = "NotFoundException";
const UNPROCESSABLE: &str = "UnprocessableEntityException";

/// For how many days a deleted account can be restored.
const RESTORABLE_DAYS: i64 = 90;
const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;
/// For how many days an invite can be accepted.
const ACCEPTABLE_DAYS: i64 = 30;
/// What a person who accepts an invite is called.
pub const NEWCOMER: &str = "Newcomer";
/// What is answered by an invite that has ended.
pub const ENDED: &str = "the invite has ended";
/// The operations on a suspended account that are not refused, or not at once.
const ON_SUSPENDED: [&str; 12] = [
    ACCEPT_INVITE,
    "ActivateAccount",
    "DeleteAccount",
    "GetAccount",
    "GetAccountSettings",
    "GetInvite",
    "GetRetentionSettings",
    "GetUser",
    "GetUserSettings",
    "ListDomains",
    "ListUsers",
    "SuspendAccount",
];

/// All that an AWS account has.
#[derive(Default)]
pub struct Model {
    aws_account_id: String,
    days: i64,
    accounts: Vec<Account>,
}

struct Account {
    id: String,
    name: String,
    kind: &'static str,
    suspended: bool,
    created: Span,
    license: String,
    supported: Vec<String>,
    directory: Value,
    groups: Value,
    delegates: Vec<String>,
    settings: BTreeMap<String, Value>,
    /// Of rooms and of conversations.
    retention: [Value; 2],
    deletion_of_messages: Option<Span>,
    domains: BTreeMap<String, Span>,
    /// On which day, and when exactly.
    deleted: Option<(i64, Span)>,
    users: Vec<User>,
}

struct User {
    /// Empty until somebody asks for it, since `InviteUsers` does not tell.
    id: String,
    email: Option<String>,
    name: Option<String>,
    kind: String,
    license: String,
    status: &'static str,
    pin: Option<String>,
    invite: Value,
    /// On which day, and when exactly.
    invited: Option<(i64, Span)>,
    invitation: Option<&'static str>,
    registered: Option<Span>,
    room_arn: Value,
    alexa: Value,
    telephony: Value,
}

/// Between when and when something happened.
#[derive(Clone, Copy)]
pub struct Span(pub Timestamp, pub Timestamp);

/// A request, and what only the server could know of its answer.
pub struct Heard<'a> {
    pub operation: &'a str,
    pub members: &'a Value,
    pub answer: &'a Value,
    pub span: Span,
}

impl Model {
    pub fn new(aws_account_id: &str) -> Self {
        Self { aws_account_id: aws_account_id.to_owned(), ..Self::default() }
    }

    /// Does what a request asks for, and returns what should be answered.
    pub fn apply(&mut self, heard: &Heard<'_>) -> Outcome {
        match heard.operation {
            DAYS_PASS => {
                self.days += heard.members["Days"].as_i64().unwrap();
                return Ok(Value::Null);
            }
            "CreateAccount" => return Ok(self.create_account(heard)),
            "ListAccounts" => return Ok(self.list_accounts(heard.members)),
            "ListDeletedAccounts" => return Ok(self.list_deleted_accounts()),
            "RestoreAccount" => return self.restore_account(heard.members),
            _ => {}
        }
        let is_meant = |it: &Account| it.deleted.is_none() && heard.members["AccountId"] == *it.id;
        let account = self.accounts.iter().position(is_meant).ok_or(NOT_FOUND)?;
        if self.accounts[account].suspended && !ON_SUSPENDED.contains(&heard.operation) {
            return Err(FORBIDDEN);
        }
        if ["User", "PIN", "Invite"].iter().any(|it| heard.operation.contains(it)) {
            self.apply_to_users(account, heard)
        } else {
            self.apply_to_account(account, heard)
        }
    }

    /// Tells whether it is certain what an operation on an address does. A user of an account that
    /// can no longer be restored keeps its address until it is removed, which may take a while.
    pub fn is_certain(&self, members: &Value) -> bool {
        let invited = members["UserEmailList"].as_array().into_iter().flatten();
        let mut emails = invited.chain([&members["Email"]]).filter_map(Value::as_str);
        emails.all(|email| {
            self.owner(email).is_none_or(|(account, _)| !self.is_expired(&self.accounts[account]))
        })
    }

    pub fn known(&self) -> Known {
        let accounts = self.accounts.iter();
        accounts
            .map(|it| (it.id.clone(), it.users.iter().map(|it| it.id.clone()).collect()))
            .collect()
    }

    /// Returns the users whose ids are to be asked for: with the account's id, and the address.
    pub fn nameless(&mut self) -> Vec<(String, String, &mut String)> {
        let mut nameless = Vec::new();
        for account in &mut self.accounts {
            for user in account.users.iter_mut().filter(|it| it.id.is_empty()) {
                nameless.push((account.id.clone(), user.email.clone().unwrap(), &mut user.id));
            }
        }
        nameless
    }

    /// Returns requests that together read everything, in pages of these sizes.
    pub fn reads(&self, pages: Range<u32>) -> Vec<(&'static str, Value)> {
        let mut reads = Vec::new();
        for page in pages.clone() {
            for name in [json!(null), json!("a"), json!("ab")] {
                reads.push(("ListAccounts", json!({"Name": name, "MaxResults": page})));
            }
            reads.push(("ListDeletedAccounts", json!({"MaxResults": page})));
        }
        for (email, _) in ADDRESSES {
            reads.push(("ListAccounts", json!({"UserEmail": email})));
        }
        for account in &self.accounts {
            account.add_reads(&mut reads, pages.clone());
        }
        reads
    }

    /// Returns the account and the user that have an address.
    fn owner(&self, email: &str) -> Option<(usize, usize)> {
        self.accounts.iter().enumerate().find_map(|(account, it)| {
            let user = it.users.iter().position(|user| user.has_address(email))?;
            Some((account, user))
        })
    }

    fn is_expired(&self, account: &Account) -> bool {
        account.deleted.is_some_and(|(day, _)| self.days - day >= RESTORABLE_DAYS)
    }
}

impl Account {
    fn add_reads(&self, reads: &mut Vec<(&'static str, Value)>, pages: Range<u32>) {
        let id = &self.id;
        for operation in ["GetAccount", "GetAccountSettings", "GetRetentionSettings"] {
            reads.push((operation, json!({"AccountId": id})));
        }
        for page in pages {
            reads.push(("ListDomains", json!({"AccountId": id, "MaxResults": page})));
            for kind in [json!(null), json!("PrivateUser"), json!("SharedDevice")] {
                let members = json!({"AccountId": id, "UserType": kind, "MaxResults": page});
                reads.push(("ListUsers", members));
            }
        }
        for (email, _) in ADDRESSES {
            reads.push(("ListUsers", json!({"AccountId": id, "UserEmail": email})));
        }
        for user in &self.users {
            for operation in ["GetInvite", "GetUser", "GetUserSettings"] {
                reads.push((operation, json!({"AccountId": id, "UserId": user.id})));
            }
            for kind in ["PrivateUser", "SharedDevice"] {
                let members = json!({"AccountId": id, "UserEmail": user.email, "UserType": kind});
                reads.push(("ListUsers", members));
            }
        }
    }

    fn is_enterprise(&self) -> bool {
        self.kind != "Team"
    }

    fn supports(&self, license: &Value) -> bool {
        self.supported.iter().any(|it| license == it)
    }
}

impl User {
    fn has_address(&self, email: &str) -> bool {
        self.email.as_ref().is_some_and(|it| it.to_lowercase() == email.to_lowercase())
    }
}

impl Span {
    fn plus_days(self, days: i64) -> Self {
        let later = |it: Timestamp| it.plus(days * DAY_MILLISECONDS);
        Self(later(self.0), later(self.1))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

//! Users and roles as they are stored: who can sign requests, and what their policies let them do.

use super::policy::{ROLE_POLICIES_CHARACTERS_MAX, USER_POLICIES_CHARACTERS_MAX};
use super::quotas::Quota;
use crate::clock::Timestamp;
use crate::store::{Key, Record, Result, Table, Tx};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A person or a program of an AWS account, with access keys of its own.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserRecord {
    /// The AWS account that the user is of.
    pub aws_account_id: String,
    /// The name, unique in the AWS account without regard to case.
    pub user_name: String,
    /// What tells the user from a later one of the same name: AIDA….
    pub user_id: String,
    /// When the user was made.
    pub create_date: Timestamp,
    /// What the user may do.
    pub permissions: Permissions,
}

/// What callers become for a while who are trusted with it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RoleRecord {
    /// The AWS account that the role is of.
    pub aws_account_id: String,
    /// The name, unique in the AWS account without regard to case.
    pub role_name: String,
    /// What tells the role from a later one of the same name: AROA….
    pub role_id: String,
    /// When the role was made.
    pub create_date: Timestamp,
    /// What the role is for.
    pub description: Option<String>,
    /// Who may assume the role: its trust policy.
    pub assume_role_policy_document: String,
    /// For how many seconds a session may last.
    pub max_session_duration: u32,
    /// What a session may do.
    pub permissions: Permissions,
}

/// The policies of a user or a role.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Permissions {
    /// The documents of its own, inline policies, by name.
    pub inline: BTreeMap<String, String>,
    /// The ARNs of the managed policies that are attached to it.
    pub attached: BTreeSet<String>,
}

/// A user or a role: what has permissions.
pub trait Identity: Record + Clone {
    /// What stands in its ARN before the name.
    const KIND: &'static str;
    /// How many managed policies it may have.
    const ATTACHED_QUOTA: Quota;
    /// How many characters that are not blank its inline policies may have together.
    const INLINE_CHARACTERS_MAX: usize;

    /// Returns the AWS account that it is of.
    fn aws_account_id(&self) -> &str;

    /// Returns its name.
    fn name(&self) -> &str;

    /// Returns what it may do.
    fn permissions(&self) -> &Permissions;

    /// Returns the same with other permissions.
    #[must_use]
    fn with_permissions(self, permissions: Permissions) -> Self;
}

impl Identity for UserRecord {
    const KIND: &'static str = "user";
    const ATTACHED_QUOTA: Quota = Quota::ManagedPoliciesPerUser;
    const INLINE_CHARACTERS_MAX: usize = USER_POLICIES_CHARACTERS_MAX;

    fn aws_account_id(&self) -> &str {
        &self.aws_account_id
    }

    fn name(&self) -> &str {
        &self.user_name
    }

    fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    fn with_permissions(self, permissions: Permissions) -> Self {
        Self { permissions, ..self }
    }
}

impl Identity for RoleRecord {
    const KIND: &'static str = "role";
    const ATTACHED_QUOTA: Quota = Quota::ManagedPoliciesPerRole;
    const INLINE_CHARACTERS_MAX: usize = ROLE_POLICIES_CHARACTERS_MAX;

    fn aws_account_id(&self) -> &str {
        &self.aws_account_id
    }

    fn name(&self) -> &str {
        &self.role_name
    }

    fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    fn with_permissions(self, permissions: Permissions) -> Self {
        Self { permissions, ..self }
    }
}

impl UserRecord {
    /// Returns the user with a name.
    pub fn find(tx: &Tx<'_>, aws_account_id: &str, user_name: &str) -> Result<Option<Self>> {
        tx.get(&Self::all(aws_account_id).string(&user_name.to_lowercase()))
    }

    /// Returns the beginning of the keys of all users of an AWS account.
    pub fn all(aws_account_id: &str) -> Key {
        Key::of(Table::IamUsers).string(aws_account_id)
    }

    /// Returns the user's ARN.
    pub fn arn(&self) -> String {
        arn::<Self>(&self.aws_account_id, &self.user_name)
    }
}

impl RoleRecord {
    /// Returns the role with a name.
    pub fn find(tx: &Tx<'_>, aws_account_id: &str, role_name: &str) -> Result<Option<Self>> {
        tx.get(&Self::all(aws_account_id).string(&role_name.to_lowercase()))
    }

    /// Returns the beginning of the keys of all roles of an AWS account.
    pub fn all(aws_account_id: &str) -> Key {
        Key::of(Table::IamRoles).string(aws_account_id)
    }

    /// Returns the role's ARN.
    pub fn arn(&self) -> String {
        arn::<Self>(&self.aws_account_id, &self.role_name)
    }
}

/// Returns the ARN of a user or a role. Paths are not kept, so that none stands in it.
pub fn arn<I: Identity>(aws_account_id: &str, name: &str) -> String {
    format!("arn:aws:iam::{aws_account_id}:{}/{name}", I::KIND)
}

impl Record for UserRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Self::all(&self.aws_account_id).string(&self.user_name.to_lowercase())
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn mark_keys(&self) -> Vec<Key> {
        self.permissions.mark_keys(&self.key())
    }
}

impl Record for RoleRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Self::all(&self.aws_account_id).string(&self.role_name.to_lowercase())
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn mark_keys(&self) -> Vec<Key> {
        self.permissions.mark_keys(&self.key())
    }
}

impl Permissions {
    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.inline.is_empty() && self.attached.is_empty()
    }

    /// Returns the beginning of the marks of those to whom a managed policy is attached.
    pub fn attachments_of(policy_arn: &str) -> Key {
        Key::of(Table::PolicyAttachments).string(policy_arn)
    }

    fn mark_keys(&self, of: &Key) -> Vec<Key> {
        let mark = |policy_arn: &String| Self::attachments_of(policy_arn).followed_by(of);
        self.attached.iter().map(mark).collect()
    }
}

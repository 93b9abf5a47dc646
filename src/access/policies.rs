//! Managed policies as they are stored: documents with versions that users and roles share.

use crate::clock::Timestamp;
use crate::store::{Key, Record, Result, Table, Tx};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A managed policy of an AWS account.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyRecord {
    /// The AWS account that the policy is of.
    pub aws_account_id: String,
    /// The name, unique in the AWS account without regard to case.
    pub policy_name: String,
    /// What tells the policy from a later one of the same name: ANPA….
    pub policy_id: String,
    /// When the policy was made.
    pub create_date: Timestamp,
    /// When its default version was last changed.
    pub update_date: Timestamp,
    /// What the policy is for.
    pub description: Option<String>,
    /// The number of the version that is in force.
    pub default_version: u32,
    /// The number that the next version gets: none is used again.
    pub next_version: u32,
    /// The versions that were not deleted.
    pub versions: BTreeMap<u32, PolicyVersionRecord>,
}

/// One version of a managed policy.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyVersionRecord {
    /// The policy document.
    pub document: String,
    /// When the version was made.
    pub create_date: Timestamp,
}

impl PolicyRecord {
    /// Returns the policy with a name.
    pub fn find(tx: &Tx<'_>, aws_account_id: &str, policy_name: &str) -> Result<Option<Self>> {
        tx.get(&Self::all(aws_account_id).string(&policy_name.to_lowercase()))
    }

    /// Returns the beginning of the keys of all policies of an AWS account.
    pub fn all(aws_account_id: &str) -> Key {
        Key::of(Table::IamPolicies).string(aws_account_id)
    }

    /// Returns the policy's ARN.
    pub fn arn(&self) -> String {
        policy_arn(&self.aws_account_id, &self.policy_name)
    }

    /// Returns the document that is in force.
    pub fn default_document(&self) -> Option<&str> {
        self.versions.get(&self.default_version).map(|version| version.document.as_str())
    }
}

/// Returns the ARN of a managed policy; those of AWS itself are of the account `aws`.
pub fn policy_arn(aws_account_id: &str, policy_name: &str) -> String {
    format!("arn:aws:iam::{aws_account_id}:policy/{policy_name}")
}

/// Returns the AWS account and the name that an ARN of IAM holds, if it is of this kind of things: a
/// `role`, a `policy`.
pub fn parse_iam_arn<'a>(arn: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    let (aws_account_id, resource) = arn.strip_prefix("arn:aws:iam::")?.split_once(':')?;
    Some((aws_account_id, resource.strip_prefix(kind)?.strip_prefix('/')?))
}

impl Record for PolicyRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Self::all(&self.aws_account_id).string(&self.policy_name.to_lowercase())
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}

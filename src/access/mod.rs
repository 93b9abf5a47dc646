//! Who may do what: access keys, the callers they belong to, and what a caller is allowed.

mod deployment;
pub mod rates;

pub use deployment::{Deployment, LAYOUT, RootSettings};

use crate::clock::Timestamp;
use crate::store::{Key, Record, Result, Table, Tx};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who makes a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The AWS account whose world the caller sees.
    pub aws_account_id: String,
    /// The caller's ARN.
    pub arn: String,
    /// The caller's unique id; for a root, its AWS account.
    pub user_id: String,
    /// The key that signed.
    pub access_key_id: String,
    /// What kind of caller this is.
    pub principal: Principal,
}

/// The kinds of callers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Principal {
    /// The deployment's own root, who may let other AWS accounts in.
    DeploymentRoot,
    /// The root of an AWS account.
    Root,
}

impl Caller {
    /// Tells whether the caller may do an action.
    ///
    /// Every caller is the root of its AWS account, so that it may do everything in it. Keys reach
    /// beyond an AWS account, so that they are the deployment root's alone.
    pub fn may(&self, action: &str) -> bool {
        self.is_deployment_root()
            || !action.ends_with("AccessKey") && !action.ends_with("AccessKeys")
    }

    /// Tells whether this is the deployment's own root.
    pub fn is_deployment_root(&self) -> bool {
        self.principal == Principal::DeploymentRoot
    }
}

/// A caller with the secret that its requests are signed with.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Whose secret it is.
    pub caller: Caller,
    /// The secret.
    pub secret_access_key: Secret,
}

impl Credential {
    /// Returns the credential that an access key id names, if it is in use.
    pub fn find(tx: &Tx<'_>, deployment: &Deployment, access_key_id: &str) -> Result<Option<Self>> {
        if access_key_id == deployment.root_access_key_id {
            return Ok(Some(deployment.root()));
        }
        let record = AccessKeyRecord::find(tx, access_key_id)?;
        Ok(record.filter(|record| record.status == Status::Active).map(|record| Self {
            caller: Caller {
                arn: record.arn(),
                user_id: record.aws_account_id.clone(),
                aws_account_id: record.aws_account_id,
                access_key_id: record.access_key_id,
                principal: Principal::Root,
            },
            secret_access_key: record.secret_access_key,
        }))
    }
}

/// A secret that no log, error or debug print shows.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// Returns the secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An access key as it is stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKeyRecord {
    /// The public half.
    pub access_key_id: String,
    /// The AWS account whose root the key belongs to.
    pub aws_account_id: String,
    /// When the key was made.
    pub create_date: Timestamp,
    /// The secret half.
    pub secret_access_key: Secret,
    /// Whether requests signed with the key are accepted.
    pub status: Status,
}

/// Whether an access key can be used.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are IAM's")]
pub enum Status {
    Active,
    Inactive,
}

impl AccessKeyRecord {
    /// How many random bytes make a key: 10 for its id, 30 for its secret.
    pub const RANDOM_BYTES: usize = 40;

    /// Makes a key in the form of IAM's, out of random bytes.
    pub fn generate(
        aws_account_id: String,
        create_date: Timestamp,
        random: &[u8; Self::RANDOM_BYTES],
    ) -> Self {
        let (id, secret) = random.split_at(10);
        Self {
            access_key_id: format!("AKIA{}", base32(id)),
            aws_account_id,
            create_date,
            secret_access_key: Secret(BASE64_STANDARD.encode(secret)),
            status: Status::Active,
        }
    }

    /// Returns the key with an id.
    pub fn find(tx: &Tx<'_>, access_key_id: &str) -> Result<Option<Self>> {
        tx.get(&Key::of(Table::AccessKeys).string(access_key_id))
    }

    /// Returns the index of the keys of one AWS account, or of all.
    pub fn by_aws_account(aws_account_id: Option<&str>) -> Key {
        let index = Key::of(Table::AccessKeysByAwsAccount);
        match aws_account_id {
            Some(aws_account_id) => index.string(aws_account_id),
            None => index,
        }
    }

    /// Returns the ARN of whom the key belongs to.
    pub fn arn(&self) -> String {
        root_arn(&self.aws_account_id)
    }
}

impl Record for AccessKeyRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Key::of(Table::AccessKeys).string(&self.access_key_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        let index = Self::by_aws_account(Some(&self.aws_account_id));
        vec![index.string(&self.access_key_id)]
    }
}

fn root_arn(aws_account_id: &str) -> String {
    format!("arn:aws:iam::{aws_account_id}:root")
}

/// Writes five bits a letter, in the letters of IAM's access key ids.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    (0..bytes.len() * 8 / 5)
        .map(|letter| (0..5).fold(0, |value, offset| value << 1 | bit(letter * 5 + offset)))
        .filter_map(|value| LETTERS.get(usize::from(value)))
        .map(|&letter| char::from(letter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_looks_like_one_of_iam() {
        let now = Timestamp::from_millisecond(0).unwrap();
        let key = AccessKeyRecord::generate("111122223333".to_owned(), now, &[0xff; 40]);
        assert_eq!(key.access_key_id, "AKIA7777777777777777");
        assert_eq!(key.secret_access_key.expose().len(), 40);
        assert!(!format!("{key:?}").contains(key.secret_access_key.expose()));
        assert_eq!(base32(b"Hello"), "JBSWY3DP", "RFC 4648");
    }
}

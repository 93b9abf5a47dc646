//! Who may do what: access keys, the callers they belong to, and what a caller is allowed.

mod deployment;
mod seal;

pub use deployment::{Deployment, LAYOUT, RootSettings};
pub use seal::{KEY_BYTES, MasterKey, NONCE_BYTES, Seal, Sealed, StoredSecret};

use crate::clock::Timestamp;
use crate::store::{Error, Key, Record, Result, Table, Tx};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// Who makes a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The AWS account whose world the caller sees.
    pub aws_account_id: String,
    /// The caller's ARN.
    pub arn: String,
    /// Whether this is the deployment's own root, who may let others in.
    pub is_deployment_root: bool,
}

impl Caller {
    /// Tells whether the caller may do an action.
    ///
    /// Every caller is the root of its AWS account, so that it may do everything in it. Keys reach
    /// beyond an AWS account, so that they are the deployment root's alone.
    pub fn may(&self, action: &str) -> bool {
        self.is_deployment_root || !action.ends_with("AccessKey") && !action.ends_with("AccessKeys")
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
        let Some(record) = record.filter(|record| record.status == Status::Active) else {
            return Ok(None);
        };
        Ok(Some(Self {
            secret_access_key: record.secret(&deployment.seal)?,
            caller: Caller {
                arn: record.arn(),
                aws_account_id: record.aws_account_id,
                is_deployment_root: false,
            },
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
    pub secret_access_key: StoredSecret,
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
    /// How many random bytes make a key: 12 to seal it with, 10 for its id, 30 for its secret.
    pub const RANDOM_BYTES: usize = 52;

    /// Makes a key in the form of IAM's, out of random bytes. Its secret is told beside the record,
    /// where it is sealed.
    pub fn generate(
        aws_account_id: String,
        create_date: Timestamp,
        random: &[u8; Self::RANDOM_BYTES],
        seal: &Seal,
    ) -> (Self, Secret) {
        let (&nonce, key) = random.split_first_chunk().expect("there are more bytes than that");
        let (id, secret) = key.split_at(10);
        let access_key_id = format!("AKIA{}", base32(id));
        let secret = Secret(BASE64_STANDARD.encode(secret));
        let sealed = seal.seal(&Self::purpose(&access_key_id), &secret, nonce);
        let record = Self {
            access_key_id,
            aws_account_id,
            create_date,
            secret_access_key: StoredSecret::Sealed(sealed),
            status: Status::Active,
        };
        (record, secret)
    }

    /// Returns the secret half.
    pub fn secret(&self, seal: &Seal) -> Result<Secret> {
        self.secret_access_key.open(seal, &Self::purpose(&self.access_key_id))
    }

    /// Returns the key with its secret sealed, as those of older releases were not.
    #[must_use]
    pub fn sealed(self, seal: &Seal, nonce: [u8; NONCE_BYTES]) -> Self {
        let purpose = Self::purpose(&self.access_key_id);
        Self { secret_access_key: self.secret_access_key.sealed(seal, &purpose, nonce), ..self }
    }

    /// Returns what the secret half of a key is sealed for.
    fn purpose(access_key_id: &str) -> String {
        format!("access-key:{access_key_id}")
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
    const VERSION: u32 = 2;

    fn key(&self) -> Key {
        Key::of(Table::AccessKeys).string(&self.access_key_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        let index = Self::by_aws_account(Some(&self.aws_account_id));
        vec![index.string(&self.access_key_id)]
    }

    /// Version 2 says whether the secret is sealed; in version 1 none was.
    fn upgrade(from: u32, mut record: Value) -> Result<Value> {
        match (from, record.get_mut("SecretAccessKey")) {
            (1, Some(secret)) => {
                *secret = json!({"Clear": secret});
                Ok(record)
            }
            _ => Err(Error::Corrupt(format!("version {from} of an access key is unknown"))),
        }
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
        let (aws_account_id, seal) = ("111122223333".to_owned(), Seal::new(&[1; KEY_BYTES]));
        let (key, secret) = AccessKeyRecord::generate(aws_account_id, now, &[0xff; 52], &seal);
        assert_eq!(key.access_key_id, "AKIA7777777777777777");
        assert_eq!(secret.expose().len(), 40);
        assert_eq!(key.secret(&seal).unwrap(), secret);
        let other = AccessKeyRecord { access_key_id: "AKIA".to_owned(), ..key.clone() };
        assert!(other.secret(&seal).is_err(), "no key opens with the secret of another");
        assert!(!format!("{key:?}").contains(secret.expose()));
        assert_eq!(base32(b"Hello"), "JBSWY3DP", "RFC 4648");
    }
}

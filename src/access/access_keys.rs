//! Access keys as they are stored: what users and roots sign their requests with.

use super::{NONCE_BYTES, Seal, Secret, StoredSecret, UserRecord, arn, base32, root_arn};
use crate::clock::Timestamp;
use crate::store::{Error, Key, Record, Result, Table, Tx};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An access key as it is stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKeyRecord {
    /// The public half.
    pub access_key_id: String,
    /// The AWS account that the key is of.
    pub aws_account_id: String,
    /// The user whom the key belongs to; none, for a key of the root.
    #[serde(default)]
    pub user_name: Option<String>,
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
        user_name: Option<String>,
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
            user_name,
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
    pub(super) fn purpose(access_key_id: &str) -> String {
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

    /// Returns the index of the keys of one user, or of the root.
    pub fn by_user(aws_account_id: &str, user_name: Option<&str>) -> Key {
        let index = Key::of(Table::AccessKeysByUser).string(aws_account_id);
        index.string(&user_name.unwrap_or_default().to_lowercase())
    }

    /// Returns the ARN of whom the key belongs to.
    pub fn arn(&self) -> String {
        match &self.user_name {
            Some(user_name) => arn::<UserRecord>(&self.aws_account_id, user_name),
            None => root_arn(&self.aws_account_id),
        }
    }
}

impl Record for AccessKeyRecord {
    const VERSION: u32 = 2;

    fn key(&self) -> Key {
        Key::of(Table::AccessKeys).string(&self.access_key_id)
    }

    fn index_keys(&self) -> Vec<Key> {
        let by_aws_account = Self::by_aws_account(Some(&self.aws_account_id));
        let by_user = Self::by_user(&self.aws_account_id, self.user_name.as_deref());
        [by_aws_account, by_user].map(|index| index.string(&self.access_key_id)).to_vec()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::KEY_BYTES;

    #[test]
    fn a_generated_key_looks_like_one_of_iam() {
        let now = Timestamp::from_millisecond(0).unwrap();
        let (aws_account_id, seal) = ("111122223333".to_owned(), Seal::new(&[1; KEY_BYTES]));
        let (key, secret) =
            AccessKeyRecord::generate(aws_account_id, None, now, &[0xff; 52], &seal);
        assert_eq!(key.access_key_id, "AKIA7777777777777777");
        assert_eq!(secret.expose().len(), 40);
        assert_eq!(key.secret(&seal).unwrap(), secret);
        let other = AccessKeyRecord { access_key_id: "AKIA".to_owned(), ..key.clone() };
        assert!(other.secret(&seal).is_err(), "no key opens with the secret of another");
        assert!(!format!("{key:?}").contains(secret.expose()));
        assert_eq!(base32(b"Hello"), "JBSWY3DP", "RFC 4648");
    }
}

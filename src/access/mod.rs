//! Who may do what: access keys, the callers they belong to, and what a caller is allowed.

mod access_keys;
mod cache;
mod caller;
mod credentials;
mod deployment;
mod identities;
mod last_used;
mod policies;
pub mod policy;
pub mod quotas;
pub mod rates;
mod seal;
mod sessions;

pub use access_keys::{AccessKeyRecord, Status};
pub use cache::Cache;
pub use caller::{Caller, Origin, Principal};
pub use credentials::{
    AccessGenerationRecord, Credential, Credentials, Found, Grants, Signed, raise_generation,
};
pub use deployment::{Deployment, LAYOUT, RootSettings};
pub use identities::{Identity, Permissions, RoleRecord, UserRecord, arn};
pub use last_used::{AccessKeyLastUsedRecord, KeyUses};
pub use policies::{PolicyRecord, PolicyVersionRecord, parse_iam_arn, policy_arn};
pub use seal::{KEY_BYTES, MasterKey, NONCE_BYTES, Seal, Sealed, StoredSecret};
pub use sessions::{Session, SessionOf, assumed_role_arn};

use serde::{Deserialize, Serialize};
use std::fmt;

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

/// Returns the ARN of the root of an AWS account.
pub fn root_arn(aws_account_id: &str) -> String {
    format!("arn:aws:iam::{aws_account_id}:root")
}

/// Makes a unique id in IAM's form out of random bytes.
pub fn unique_id(prefix: &str, random: &[u8; 11]) -> String {
    format!("{prefix}{}", base32(random))
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

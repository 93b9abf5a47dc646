//! Temporary credentials: what STS gives out for a while.
//!
//! Nothing of a session is stored. Its token holds all of it, sealed, so that any number of sessions
//! costs no writes, and every server of a deployment knows them. A session ends when its time is over,
//! or when the user or the role that it is of is deleted.

use super::{Principal, Seal, Sealed, Secret, base32};
use crate::clock::Timestamp;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

const PURPOSE: &str = "session-token";
/// How long a token may be, in bytes: that of a session with the longest policy is shorter.
const TOKEN_BYTES_MAX: usize = 8192;

/// A session, as its token holds it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Session {
    /// The public half of its access key: ASIA….
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: Secret,
    /// The AWS account that it acts in.
    pub aws_account_id: String,
    /// Who acts.
    pub of: SessionOf,
    /// When it began.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// What bounds its permissions further: a policy document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<String>,
}

/// Whose session it is. A unique id tells a user or a role from a later one of the same name.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all_fields = "PascalCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum SessionOf {
    DeploymentRoot,
    Root,
    User { user_name: String, user_id: String },
    Role { role_name: String, role_id: String, session_name: String },
}

impl Session {
    /// How many random bytes make a session's access key: 10 for its id, 30 for its secret.
    pub const RANDOM_BYTES: usize = 40;

    /// Makes the access key of a session in the form of STS's, out of random bytes.
    pub fn generate_access_key(random: &[u8; Self::RANDOM_BYTES]) -> (String, Secret) {
        let (id, secret) = random.split_at(10);
        (format!("ASIA{}", base32(id)), Secret::new(BASE64_STANDARD.encode(secret)))
    }

    /// Returns the token.
    pub fn token(&self, seal: &Seal, nonce: [u8; super::NONCE_BYTES]) -> Secret {
        let session = serde_json::to_vec(self).expect("a session holds only what JSON can express");
        Secret::new(seal.seal_bytes(PURPOSE, &session, nonce).as_str().to_owned())
    }

    /// Opens a token; `None`, if it is none of this deployment's.
    pub fn open(seal: &Seal, token: &str) -> Option<Self> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let session = seal.open_bytes(PURPOSE, &Sealed::new(token.to_owned()))?;
        serde_json::from_slice(&session).ok()
    }

    /// Returns the kind of caller that the session makes.
    pub fn principal(&self) -> Principal {
        match &self.of {
            SessionOf::DeploymentRoot => Principal::DeploymentRoot,
            SessionOf::Root => Principal::Root,
            SessionOf::User { user_name, .. } => Principal::User { user_name: user_name.clone() },
            SessionOf::Role { role_name, session_name, .. } => Principal::AssumedRole {
                role_name: role_name.clone(),
                session_name: session_name.clone(),
            },
        }
    }
}

/// Returns the ARN of a session of a role.
pub fn assumed_role_arn(aws_account_id: &str, role_name: &str, session_name: &str) -> String {
    format!("arn:aws:sts::{aws_account_id}:assumed-role/{role_name}/{session_name}")
}

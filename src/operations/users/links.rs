//! Links and sessions: how a person who has no access key shows who it is.
//!
//! Both carry what they are for and a tag that only this deployment can make, so that none of them
//! has to be stored, and none that is stored can be stolen.

use super::UserRecord;
use super::record::{RegistrationStatus, user_key};
use crate::clock::Timestamp;
use crate::operations::accounts::AccountRecord;
use crate::operations::accounts::record::account_key;
use crate::store::{self, Tx};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const UUID_BYTES: usize = 16;
const TAG_BYTES: usize = 32;
/// How long a session lasts: a working day.
pub const SESSION_MILLISECONDS: i64 = 12 * 60 * 60 * 1000;

/// The deployment's key for links and sessions.
#[derive(Clone, Debug)]
pub struct LinkKey(hmac::Key);

/// Who is signed in, and since when.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Session {
    aws_account_id: String,
    account_id: String,
    user_id: String,
    signed_in: Timestamp,
}

impl LinkKey {
    /// Derives the key from the deployment's stored secret.
    pub fn new(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = hmac::sign(&secret, b"campanile links and sessions, version 1");
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// Returns what stands in an invite's link.
    pub fn invite_token(&self, invite_id: &str) -> Option<String> {
        let id = Uuid::parse_str(invite_id).ok()?;
        Some(self.token("invite", id.as_bytes()))
    }

    /// Returns the invite whose link has this token.
    pub fn invite_id(&self, token: &str) -> Option<String> {
        let id = self.payload("invite", token)?;
        (id.len() == UUID_BYTES).then(|| Uuid::from_slice(&id).ok()).flatten().map(String::from)
    }

    /// Signs a user in.
    pub fn session_token(&self, user: &UserRecord, now: Timestamp) -> String {
        let session = Session {
            aws_account_id: user.aws_account_id.clone(),
            account_id: user.account_id.clone(),
            user_id: user.user_id.clone(),
            signed_in: now,
        };
        let session = serde_json::to_vec(&session).expect("a session is strings");
        self.token("session", &session)
    }

    /// Returns the session that a token stands for, whether or not it has ended.
    pub fn session(&self, token: &str) -> Option<Session> {
        serde_json::from_slice(&self.payload("session", token)?).ok()
    }

    fn token(&self, purpose: &str, payload: &[u8]) -> String {
        let tag = hmac::sign(&self.0, &signed(purpose, payload));
        BASE64_URL_SAFE_NO_PAD.encode([payload, tag.as_ref()].concat())
    }

    fn payload(&self, purpose: &str, token: &str) -> Option<Vec<u8>> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let length = bytes.len().checked_sub(TAG_BYTES)?;
        let (payload, tag) = bytes.split_at_checked(length)?;
        hmac::verify(&self.0, &signed(purpose, payload), tag).ok()?;
        Some(payload.to_vec())
    }
}

fn signed(purpose: &str, payload: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], payload].concat()
}

impl Session {
    /// Returns who is signed in and where, unless the session has ended: by time, by `LogoutUser`, by
    /// a suspension, or with the user or the account.
    pub fn user(
        &self,
        tx: &Tx<'_>,
        now: Timestamp,
    ) -> store::Result<Option<(UserRecord, AccountRecord)>> {
        let Self { aws_account_id, account_id, user_id, signed_in } = self;
        let account: Option<AccountRecord> = tx.get(&account_key(aws_account_id, account_id))?;
        let user: Option<UserRecord> = tx.get(&user_key(aws_account_id, account_id, user_id))?;
        let (Some(user), Some(account)) = (user, account) else { return Ok(None) };
        let is_before = |ended: Option<Timestamp>| ended.is_none_or(|ended| ended < *signed_in);
        let goes_on = now < signed_in.plus(SESSION_MILLISECONDS)
            && is_before(user.signed_out_timestamp)
            && is_before(account.signed_out_timestamp)
            && user.status_in(&account) == RegistrationStatus::Registered;
        Ok(goes_on.then_some((user, account)))
    }
}

//! `NextToken`: a position in a list that only the same query of the same AWS account can use.

use super::Context;
use crate::protocol::error::{Error, Result};
use crate::store::Position;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Serialize;

/// The first byte of a token; a later form of tokens or of keys takes the next number.
const VERSION: u8 = 1;
const TAG_BYTES: usize = 32;

/// The deployment's key for tokens. It is stored, so that tokens outlive the process.
#[derive(Clone, Debug)]
pub struct TokenKey(hmac::Key);

impl TokenKey {
    /// Makes a key of the deployment's stored secret.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

/// A query whose pages are walked: the operation with all that selects or orders its results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a, F> {
    pub(super) operation: &'a str,
    pub(super) filters: F,
}

impl<F: Serialize> Query<'_, F> {
    /// Returns where the page begins that a token asks for.
    pub(super) fn position(
        &self,
        cx: &Context<'_>,
        token: Option<&str>,
    ) -> Result<Option<Position>> {
        token.map(|token| self.open(cx, token)).transpose()
    }

    /// Returns the token for the page that begins at a position.
    pub(super) fn token(&self, cx: &Context<'_>, next: Option<&Position>) -> Option<String> {
        next.map(|position| {
            let tag = hmac::sign(&cx.terms.token_key.0, &self.signed(cx, position.as_bytes()));
            let token = [&[VERSION], tag.as_ref(), position.as_bytes()].concat();
            BASE64_URL_SAFE_NO_PAD.encode(token)
        })
    }

    /// Returns where the page begins that a marker asks for, as IAM calls a token.
    pub(super) fn marker(
        &self,
        cx: &Context<'_>,
        marker: Option<&str>,
    ) -> Result<Option<Position>> {
        let named =
            |error: Error| Error::bad_request(error.message().replace("'NextToken'", "'Marker'"));
        self.position(cx, marker).map_err(named)
    }

    fn open(&self, cx: &Context<'_>, token: &str) -> Result<Position> {
        let refused = || {
            Error::bad_request(
                "1 validation error detected: Value at 'NextToken' failed to satisfy constraint: \
                 Member must be a token that this operation returned for the same filters",
            )
        };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let (&version, rest) = bytes.split_first().ok_or_else(refused)?;
        let (tag, position) = rest.split_at_checked(TAG_BYTES).ok_or_else(refused)?;
        let valid = hmac::verify(&cx.terms.token_key.0, &self.signed(cx, position), tag).is_ok();
        if version != VERSION || !valid {
            return Err(refused());
        }
        Ok(Position::at(position.to_vec()))
    }

    fn signed(&self, cx: &Context<'_>, position: &[u8]) -> Vec<u8> {
        let query = (VERSION, self.operation, &cx.caller.aws_account_id, &self.filters);
        let mut signed = serde_json::to_vec(&query).expect("filters are strings");
        signed.push(0);
        signed.extend(position);
        signed
    }
}

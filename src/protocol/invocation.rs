//! Which requests are one call: the attempts of a client that did not learn what became of the first.
//!
//! AWS's SDKs send the same `amz-sdk-invocation-id` with every attempt, and count them in
//! `amz-sdk-request` (botocore's `add_retry_headers`, the Rust SDK's `aws-runtime`).

use super::error::Result;
use super::{Request, random_bytes};
use crate::access::{Caller, Seal};
use crate::clock::Timestamp;
use crate::operations::Operation;
use crate::operations::invocations::InvocationRecord;
use crate::store::Tx;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::HeaderName;
use ring::digest::{Context, SHA256};
use std::mem;

const INVOCATION_ID: HeaderName = HeaderName::from_static("amz-sdk-invocation-id");
const ATTEMPT: HeaderName = HeaderName::from_static("amz-sdk-request");
/// SDKs send a UUID. What is longer is nobody's id.
const INVOCATION_ID_BYTES_MAX: usize = 128;
/// How much of the digest is kept: nobody finds two calls of one caller that have as much in common.
const ID_BYTES: usize = 16;

/// One call of a client, however many requests it takes.
#[derive(Debug)]
pub(super) struct Invocation {
    /// Under what the call is known: who makes it, what the client calls it, and what it asks for.
    id: String,
    /// Whether the call may have been done before, so that it has to be looked for.
    may_be_done: bool,
    answers_secret: bool,
}

impl Invocation {
    /// Returns the call that a request belongs to, if its client says so. In a store that is far away, one
    /// that the client has not made before is not looked for: its commit finds out whether that is true.
    pub(super) fn of(
        request: &Request,
        caller: &Caller,
        operation: &Operation,
        is_far_away: bool,
    ) -> Option<Self> {
        let invocation_id = request.headers.get(INVOCATION_ID)?.as_bytes();
        if invocation_id.is_empty() || invocation_id.len() > INVOCATION_ID_BYTES_MAX {
            return None;
        }
        let mut digest = Context::new(&SHA256);
        let parts: [&[u8]; 5] = [
            caller.access_key_id.as_bytes(),
            invocation_id,
            request.method.as_str().as_bytes(),
            request.target.as_bytes(),
            &request.body,
        ];
        for part in parts {
            digest.update(&part.len().to_be_bytes());
            digest.update(part);
        }
        let digest = digest.finish();
        let id: &[u8; ID_BYTES] = digest.as_ref().first_chunk().expect("a digest has 32 bytes");
        Some(Self {
            id: BASE64_URL_SAFE_NO_PAD.encode(id),
            may_be_done: !(is_far_away && is_first(request)),
            answers_secret: operation.answers_secret,
        })
    }

    /// Does what the call asks for and keeps the answer with it; answers as an earlier attempt was, if
    /// that did it.
    pub(super) fn once(
        &mut self,
        tx: &mut Tx<'_>,
        seal: &Seal,
        now: Timestamp,
        run: impl FnOnce(&mut Tx<'_>) -> Result<Result<Vec<u8>>>,
    ) -> Result<Result<Vec<u8>>> {
        // What is run again may have been in the way of another attempt.
        if mem::replace(&mut self.may_be_done, true)
            && let Some(answer) = InvocationRecord::answer(tx, &self.id, seal)?
        {
            return Ok(Ok(answer));
        }
        let outcome = run(tx)?;
        if let Ok(answer) = &outcome {
            let record = InvocationRecord::new(&self.id, now, answer);
            let record =
                if self.answers_secret { record.sealed(seal, random_bytes()) } else { record };
            tx.insert_unasked(&record)?;
        }
        Ok(outcome)
    }
}

fn is_first(request: &Request) -> bool {
    let attempt = request.headers.get(ATTEMPT).and_then(|value| value.to_str().ok());
    let mut pairs = attempt.unwrap_or_default().split(';');
    pairs.any(|pair| pair.trim() == "attempt=1")
}

//! Who asks, and whether they may: settled before the body is looked at, so that a refusal tells
//! nothing about what exists.

use super::Api;
use super::error::{Error, Exception, Result};
use super::sigv4::{Signature, SignedRequest, SigningKey};
use crate::access::{Caller, Credential, Secret};
use crate::operations::Operation;
use crate::store::Tx;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

impl Api {
    /// Returns whose request this is, once its signature has been verified, and the region
    /// that it was signed for.
    pub(super) fn authenticate(
        &self,
        request: &SignedRequest<'_>,
        tx: &Tx<'_>,
        service: &str,
    ) -> Result<(Credential, String)> {
        let unrecognized = || {
            Error::new(
                Exception::UnrecognizedClientException,
                "The security token included in the request is invalid.",
            )
        };
        let signature = Signature::parse(request)?;
        if signature.session_token().is_some() {
            // None are issued, so that none can be ours.
            return Err(unrecognized());
        }
        let credential = Credential::find(tx, &self.deployment, signature.access_key_id())?
            .ok_or_else(unrecognized)?;
        let now = self.clock.now().into();
        // Before a key is derived, so that only keys of these days and this service are kept.
        signature.verify_scope(service, now)?;
        let key = self.signing_keys.get(&signature, &credential);
        signature.verify(request, service, now, &key)?;
        Ok((credential, signature.scope().region.to_string()))
    }
}

/// Refuses a caller who may not do what it asks for.
pub(super) fn authorise(caller: &Caller, operation: &Operation) -> Result<()> {
    let action = operation.action();
    if caller.may(action) {
        return Ok(());
    }
    Err(Error::forbidden(format!("User: {} is not authorized to perform: {action}", caller.arn)))
}

/// The keys that requests were verified with, so that a day's first request pays for the others.
#[derive(Debug, Default)]
pub(super) struct SigningKeys(RwLock<HashMap<String, (Secret, SigningKey)>>);

impl SigningKeys {
    /// A key is some 300 bytes; whoever fills the map only makes it begin again.
    const MAX: usize = 1024;

    /// Returns the key for a credential's scope. An access key id that got another secret gets
    /// another key.
    fn get(&self, signature: &Signature<'_>, credential: &Credential) -> SigningKey {
        let scope = signature.scope();
        let secret = &credential.secret_access_key;
        let name =
            [signature.access_key_id(), &scope.date, &scope.region, &scope.service].join("/");
        match self.0.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            Some((of, key)) if of == secret => return key.clone(),
            _ => {}
        }
        let key = SigningKey::derive(secret.expose(), scope);
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= Self::MAX {
            keys.clear();
        }
        keys.insert(name, (secret.clone(), key.clone()));
        key
    }
}

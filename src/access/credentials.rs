//! From the id of an access key to who signed with it, and to what policies say of that caller.
//!
//! What is found is kept until anything of it changes: every change of users, roles, policies or keys
//! raises one number in its own transaction, and what was found under another number is found anew.

use super::policies::parse_policy_arn;
use super::policy::{Decision, Kind, Managed, Policy, Request, decide};
use super::{
    AccessKeyRecord, Caller, Deployment, Identity, Permissions, PolicyRecord, Principal, Seal,
    Secret, Status, UserRecord,
};
use crate::store::{Error, Key, Record, Result, Table, Tx};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// A caller, the secret that its requests are signed with, and what it may do.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Whose credential it is.
    pub caller: Caller,
    /// The secret.
    pub secret_access_key: Secret,
    /// What the caller may do.
    pub grants: Grants,
}

/// What a caller may do.
#[derive(Clone, Debug)]
pub enum Grants {
    /// Everything: a root.
    All,
    /// What policies allow.
    Policies(Vec<Arc<Policy>>),
}

impl Grants {
    /// Decides what is asked for.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        match self {
            Self::All => Decision::Allowed,
            Self::Policies(policies) => decide(policies.iter().map(Arc::as_ref), request),
        }
    }
}

/// The credentials that were found lately, and the policies that were compiled for them.
#[derive(Debug, Default)]
pub struct Credentials {
    found: RwLock<HashMap<String, (u64, Arc<Credential>)>>,
    compiled: RwLock<HashMap<String, Arc<Policy>>>,
}

impl Credentials {
    /// Whoever fills a map only makes it begin again.
    const MAX: usize = 1024;

    /// Returns the credential that an access key id names, if it is in use.
    pub fn find(
        &self,
        tx: &Tx<'_>,
        deployment: &Deployment,
        access_key_id: &str,
    ) -> Result<Option<Arc<Credential>>> {
        if access_key_id == deployment.root_access_key_id {
            return Ok(Some(Arc::new(deployment.root())));
        }
        let generation = generation(tx)?;
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, credential)) = found.get(access_key_id)
            && *of == generation
        {
            return Ok(Some(Arc::clone(credential)));
        }
        drop(found);
        let loaded = self.load(tx, &deployment.seal, access_key_id)?;
        let Some(credential) = loaded.map(Arc::new) else {
            return Ok(None);
        };
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= Self::MAX {
            found.clear();
        }
        found.insert(access_key_id.to_owned(), (generation, Arc::clone(&credential)));
        Ok(Some(credential))
    }

    fn load(&self, tx: &Tx<'_>, seal: &Seal, access_key_id: &str) -> Result<Option<Credential>> {
        let record = AccessKeyRecord::find(tx, access_key_id)?;
        let Some(record) = record.filter(|record| record.status == Status::Active) else {
            return Ok(None);
        };
        let secret_access_key = record.secret(seal)?;
        let AccessKeyRecord { aws_account_id, user_name, .. } = record;
        let access_key_id = access_key_id.to_owned();
        let Some(user_name) = user_name else {
            let caller = Caller::root(aws_account_id, access_key_id);
            return Ok(Some(Credential { caller, secret_access_key, grants: Grants::All }));
        };
        let user = UserRecord::find(tx, &aws_account_id, &user_name)?.ok_or_else(|| {
            Error::Corrupt(format!("the user of the access key {access_key_id} is gone"))
        })?;
        let caller = Caller {
            arn: user.arn(),
            user_id: user.user_id.clone(),
            access_key_id,
            aws_account_id,
            principal: Principal::User { user_name: user.user_name.clone() },
        };
        let grants = Grants::Policies(self.policies_of(tx, &user)?);
        Ok(Some(Credential { caller, secret_access_key, grants }))
    }

    /// Returns the policies of a user or a role, compiled.
    fn policies_of(&self, tx: &Tx<'_>, identity: &impl Identity) -> Result<Vec<Arc<Policy>>> {
        let Permissions { inline, attached } = identity.permissions();
        let mut policies = Vec::with_capacity(inline.len() + attached.len());
        for document in inline.values() {
            policies.push(self.compiled(document)?);
        }
        for arn in attached {
            let document = managed_document(tx, arn)?.ok_or_else(|| {
                Error::Corrupt(format!("the policy {arn} is attached, and does not exist"))
            })?;
            policies.push(self.compiled(&document)?);
        }
        Ok(policies)
    }

    /// Compiles a document, if that was not done before: once for a version of a policy.
    fn compiled(&self, document: &str) -> Result<Arc<Policy>> {
        let compiled = self.compiled.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = compiled.get(document) {
            return Ok(Arc::clone(policy));
        }
        drop(compiled);
        let policy = Policy::parse(document, Kind::Identity)
            .map_err(|fault| Error::Corrupt(format!("a stored policy is malformed: {fault}")))?;
        let policy = Arc::new(policy);
        let mut compiled = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= Self::MAX {
            compiled.clear();
        }
        compiled.insert(document.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }
}

/// Returns the document of a managed policy that is in force.
fn managed_document(tx: &Tx<'_>, arn: &str) -> Result<Option<String>> {
    if let Some(policy) = Managed::find(arn) {
        return Ok(Some(policy.document.to_owned()));
    }
    let Some((aws_account_id, policy_name)) = parse_policy_arn(arn) else { return Ok(None) };
    let policy = PolicyRecord::find(tx, aws_account_id, policy_name)?;
    Ok(policy.and_then(|policy| policy.default_document().map(str::to_owned)))
}

/// Which state of users, roles, policies and keys this is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessGenerationRecord {
    generation: u64,
}

impl AccessGenerationRecord {
    fn find(tx: &Tx<'_>) -> Result<Option<Self>> {
        tx.get(&Key::of(Table::AccessGeneration))
    }
}

/// Notes that what callers may do has changed: in the transaction of the change, so that no request
/// that begins after it is answered by what was before.
pub fn raise_generation(tx: &mut Tx<'_>) -> Result<()> {
    match AccessGenerationRecord::find(tx)? {
        None => tx.insert(&AccessGenerationRecord { generation: 1 }),
        Some(old) => tx.update(&old, &AccessGenerationRecord { generation: old.generation + 1 }),
    }
}

fn generation(tx: &Tx<'_>) -> Result<u64> {
    Ok(AccessGenerationRecord::find(tx)?.unwrap_or_default().generation)
}

impl Record for AccessGenerationRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Key::of(Table::AccessGeneration)
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}

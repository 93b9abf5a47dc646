//! From the id of an access key to who signed with it, and to what policies say of that caller.
//!
//! What is found is kept until anything of it changes: every change of users, roles, policies or keys
//! raises one number in its own transaction, and what was found under another number is found anew.

use super::policy::{Decision, Kind, Managed, Policy, Request, decide};
use super::{
    AccessKeyRecord, Cache, Caller, Deployment, Identity, Permissions, PolicyRecord, Principal,
    RoleRecord, Seal, Secret, Session, SessionOf, Status, UserRecord, assumed_role_arn,
    parse_iam_arn,
};
use crate::clock::Timestamp;
use crate::store::{Error, Key, Record, Result, Table, Tx};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// A caller, the secret that its requests are signed with, and what it may do.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Whose credential it is: every request of it has the same.
    pub caller: Arc<Caller>,
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
    /// What the policies of a user or a role allow, and what bounds a session of it allows too.
    Policies {
        /// The policies.
        of_identity: Vec<Arc<Policy>>,
        /// What bounds the session.
        of_session: Option<Arc<Policy>>,
    },
}

/// What became of looking for a credential.
#[derive(Debug)]
pub enum Found {
    /// It is in use.
    Credential(Arc<Credential>),
    /// Nobody has it.
    Unknown,
    /// Its time is over.
    Expired,
}

impl Grants {
    /// Decides what is asked for.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        match self {
            Self::All => Decision::Allowed,
            Self::Policies { of_identity, of_session } => {
                let decision = decide(of_identity.iter().map(Arc::as_ref), request);
                match of_session {
                    Some(bound) if decision == Decision::Allowed => {
                        decide([bound.as_ref()], request)
                    }
                    _ => decision,
                }
            }
        }
    }
}

/// What a request names of the credential that it is signed with.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The public half of the access key.
    pub access_key_id: &'a str,
    /// The token, if the credential is temporary.
    pub session_token: Option<&'a str>,
}

/// The credentials that were found lately, and the policies that were compiled for them.
#[derive(Debug, Default)]
pub struct Credentials {
    /// The deployment root's, which is in no map.
    root: OnceLock<Arc<Credential>>,
    /// By access key id, each with the generation that it was found in.
    found: Cache<(u64, Arc<Credential>)>,
    /// By document.
    compiled: Cache<Arc<Policy>>,
}

impl Credentials {
    /// Returns the credential that an access key id names; that of a session, with its token.
    pub fn find(
        &self,
        tx: &Tx<'_>,
        deployment: &Deployment,
        signed: &Signed<'_>,
        now: Timestamp,
    ) -> Result<Found> {
        let Signed { access_key_id, session_token } = *signed;
        let session = match session_token {
            None if access_key_id == deployment.root_access_key_id => {
                let root = self.root.get_or_init(|| Arc::new(deployment.root()));
                return Ok(Found::Credential(Arc::clone(root)));
            }
            None => None,
            Some(token) => match Session::open(&deployment.seal, token) {
                Some(session) if session.access_key_id != access_key_id => {
                    return Ok(Found::Unknown);
                }
                Some(session) if session.expires <= now => return Ok(Found::Expired),
                Some(session) => Some(session),
                None => return Ok(Found::Unknown),
            },
        };
        let generation = generation(tx)?;
        // A session's key without its token is nobody's, also where the two were seen together.
        let is_session = session.is_some();
        let found = self.found.get(access_key_id, |(of, credential)| {
            let is_current =
                *of == generation && credential.caller.session_issued.is_some() == is_session;
            is_current.then(|| Arc::clone(credential))
        });
        if let Some(credential) = found {
            return Ok(Found::Credential(credential));
        }
        let loaded = match session {
            None => self.load(tx, &deployment.seal, access_key_id)?,
            Some(session) => self.load_session(tx, session)?,
        };
        let Some(credential) = loaded.map(Arc::new) else { return Ok(Found::Unknown) };
        self.found.put(access_key_id.to_owned(), (generation, Arc::clone(&credential)));
        Ok(Found::Credential(credential))
    }

    fn load(&self, tx: &Tx<'_>, seal: &Seal, access_key_id: &str) -> Result<Option<Credential>> {
        let record = AccessKeyRecord::find(tx, access_key_id)?;
        let Some(record) = record.filter(|record| record.status == Status::Active) else {
            return Ok(None);
        };
        let secret_access_key = record.secret(seal)?;
        let AccessKeyRecord { aws_account_id, user_name, .. } = record;
        let root = Caller::root(aws_account_id, access_key_id.to_owned());
        let (caller, grants) = match user_name {
            None => (root, Grants::All),
            Some(user_name) => {
                let user = UserRecord::find(tx, &root.aws_account_id, &user_name)?;
                let user = user.ok_or_else(|| {
                    let id = access_key_id;
                    Error::Corrupt(format!("the user of the access key {id} is gone"))
                })?;
                self.as_user(tx, root, &user)?
            }
        };
        Ok(Some(Credential { caller: Arc::new(caller), secret_access_key, grants }))
    }

    /// Returns the credential of a session, if whose session it is still exists.
    fn load_session(&self, tx: &Tx<'_>, session: Session) -> Result<Option<Credential>> {
        let principal = session.principal();
        let root = Caller::root(session.aws_account_id, session.access_key_id);
        let root = Caller { session_issued: Some(session.issued), principal, ..root };
        let (caller, grants) = match session.of {
            SessionOf::DeploymentRoot | SessionOf::Root => (root, Grants::All),
            SessionOf::User { user_name, user_id } => {
                let user = UserRecord::find(tx, &root.aws_account_id, &user_name)?;
                match user.filter(|user| user.user_id == user_id) {
                    Some(user) => self.as_user(tx, root, &user)?,
                    None => return Ok(None),
                }
            }
            SessionOf::Role { role_name, role_id, session_name } => {
                let role = RoleRecord::find(tx, &root.aws_account_id, &role_name)?;
                let Some(role) = role.filter(|role| role.role_id == role_id) else {
                    return Ok(None);
                };
                let of_identity = self.policies_of(tx, &role)?;
                let of_session = session.policy.map(|policy| self.compiled(&policy)).transpose()?;
                let caller = Caller {
                    arn: assumed_role_arn(&root.aws_account_id, &role.role_name, &session_name),
                    user_id: format!("{}:{session_name}", role.role_id),
                    ..root
                };
                (caller, Grants::Policies { of_identity, of_session })
            }
        };
        let secret_access_key = session.secret_access_key;
        Ok(Some(Credential { caller: Arc::new(caller), secret_access_key, grants }))
    }

    /// Returns a user of an AWS account in the place of its root, and what that user may do.
    fn as_user(&self, tx: &Tx<'_>, root: Caller, user: &UserRecord) -> Result<(Caller, Grants)> {
        let caller = Caller {
            arn: user.arn(),
            user_id: user.user_id.clone(),
            principal: Principal::User { user_name: user.user_name.clone() },
            ..root
        };
        let of_identity = self.policies_of(tx, user)?;
        Ok((caller, Grants::Policies { of_identity, of_session: None }))
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
        if let Some(policy) = self.compiled.get(document, |policy| Some(Arc::clone(policy))) {
            return Ok(policy);
        }
        let policy = Policy::parse(document, Kind::Identity)
            .map_err(|fault| Error::Corrupt(format!("a stored policy is malformed: {fault}")))?;
        let policy = Arc::new(policy);
        self.compiled.put(document.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }
}

/// Returns the document of a managed policy that is in force.
fn managed_document(tx: &Tx<'_>, arn: &str) -> Result<Option<String>> {
    if let Some(policy) = Managed::find(arn) {
        return Ok(Some(policy.document.to_owned()));
    }
    let Some((aws_account_id, policy_name)) = parse_iam_arn(arn, "policy") else { return Ok(None) };
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

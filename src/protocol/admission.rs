//! Who asks, and whether they may: settled before the body is looked at, so that a refusal tells
//! nothing about what exists.

use super::Api;
use super::error::{Error, Exception, Result};
use super::sigv4::{Signature, SignedRequest, SigningKey};
use crate::access::policy::{self, Decision, Principal};
use crate::access::{
    self, AccessKeyRecord, Cache, Caller, Credential, Found, Grants, Origin, RoleRecord, Secret,
    Signed, UserRecord, policy_arn,
};
use crate::clock::Timestamp;
use crate::operations::{Operation, Resource};
use crate::store::Tx;
use std::borrow::Cow;
use std::iter;
use std::sync::Arc;

/// The operations whose model has `AccessDeniedException`; the others have `ForbiddenException`.
pub const ACCESS_DENIED_OPERATIONS: [&str; 5] = [
    "AssociatePhoneNumberWithUser",
    "CreateMeetingDialOut",
    "CreatePhoneNumberOrder",
    "ListSupportedPhoneNumberCountries",
    "SearchAvailablePhoneNumbers",
];

impl Api {
    /// Returns whose request this is, once its signature has been verified, and the region
    /// that it was signed for.
    pub(super) fn authenticate(
        &self,
        request: &SignedRequest<'_>,
        tx: &Tx<'_>,
        service: &str,
    ) -> Result<(Arc<Credential>, String)> {
        let unrecognized = || {
            Error::new(
                Exception::UnrecognizedClientException,
                "The security token included in the request is invalid.",
            )
        };
        let signature = Signature::parse(request)?;
        let now = self.clock.now();
        let signed = Signed {
            access_key_id: signature.access_key_id(),
            session_token: signature.session_token(),
        };
        let credential = match self.credentials.find(tx, &self.deployment, &signed, now)? {
            Found::Credential(credential) => credential,
            Found::Unknown => return Err(unrecognized()),
            Found::Expired => {
                // aws-amplify/aws-sdk-android#3648
                let message = "The security token included in the request is expired";
                return Err(Error::new(Exception::ExpiredTokenException, message));
            }
        };
        let instant = now.into();
        // Before a key is derived, so that only keys of these days and this service are kept.
        signature.verify_scope(service, instant)?;
        let key = self.signing_keys.get(&signature, &credential);
        signature.verify(request, service, instant, &key)?;
        let region = signature.scope().region.to_string();
        self.key_uses.note(&credential.caller, service, &region, now);
        Ok((credential, region))
    }
}

/// What of a request decides whether its caller may make it.
pub(super) struct Asked<'a> {
    pub(super) credential: &'a Credential,
    pub(super) operation: &'a Operation,
    pub(super) origin: &'a Origin,
    pub(super) now: Timestamp,
}

impl Asked<'_> {
    /// Refuses a caller who may not do what it asks for; else returns what its own policies say, which
    /// is not the last word where an operation asks others, too. Of the members, only the one that
    /// names the resource is looked at, and only for operations that have one.
    pub(super) fn authorise(
        &self,
        tx: &Tx<'_>,
        member: impl Fn(&str) -> Option<String>,
    ) -> Result<Decision> {
        let Credential { caller, grants, .. } = self.credential;
        if self.operation.resource == Resource::Caller {
            return Ok(Decision::Allowed);
        }
        self.refuse_sessions()?;
        // A root need not be asked about.
        if matches!(grants, Grants::All) {
            return Ok(Decision::Allowed);
        }
        let kind = self.operation.resource;
        let renamed = match kind {
            Resource::RenamedUser => member("NewUserName"),
            _ => None,
        };
        let arn = |name: String| access::arn::<UserRecord>(&caller.aws_account_id, &name);
        let renamed = renamed.map(|name| Cow::Owned(arn(name)));
        let mut decision = Decision::Allowed;
        for resource in iter::once(resource(kind, caller, tx, &member)?).chain(renamed) {
            decision = self.decide(&resource);
            // The role itself may trust the caller.
            let has_role_a_say =
                decision == Decision::ImplicitDeny && kind == Resource::RoleToAssume;
            if decision != Decision::Allowed && !has_role_a_say {
                return Err(self.refusal(decision, &resource, &member));
            }
        }
        Ok(decision)
    }

    /// Returns what the caller's own policies say of what is asked for.
    fn decide(&self, resource: &str) -> Decision {
        let Credential { caller, grants, .. } = self.credential;
        let arns = caller.arns();
        let principal = Principal {
            aws_account_id: &caller.aws_account_id,
            arns: &arns.iter().map(Cow::as_ref).collect::<Vec<_>>(),
        };
        let context = &self.origin.conditions(caller, self.now);
        let action = self.operation.action();
        grants.decide(&policy::Request { principal: &principal, action, resource, context })
    }

    fn refusal(
        &self,
        decision: Decision,
        resource: &str,
        member: &impl Fn(&str) -> Option<String>,
    ) -> Error {
        let action = self.operation.action();
        let because = match decision {
            Decision::ExplicitDeny => {
                "with an explicit deny in an identity-based policy".to_owned()
            }
            Decision::Allowed | Decision::ImplicitDeny => {
                format!("because no identity-based policy allows the {action} action")
            }
        };
        let on = match self.operation.resource {
            Resource::Any | Resource::Caller => String::new(),
            // Whose it is, and whether there is such a key, is not told.
            Resource::AccessKey => {
                format!(" on resource: access key {}", member("AccessKeyId").unwrap_or_default())
            }
            _ => format!(" on resource: {resource}"),
        };
        let arn = &self.credential.caller.arn;
        let message = format!("User: {arn} is not authorized to perform: {action}{on} {because}");
        Error::new(denial(self.operation), message)
    }

    /// Keeps the sessions of `GetSessionToken` from IAM, as AWS does where no second factor was shown:
    /// whoever finds one must not make a key of it that lasts.
    fn refuse_sessions(&self) -> Result<()> {
        let caller = &self.credential.caller;
        let is_of_role = matches!(caller.principal, access::Principal::AssumedRole { .. });
        let action = self.operation.action();
        if caller.session_issued.is_none() || is_of_role || !action.starts_with("iam:") {
            return Ok(());
        }
        Err(Error::forbidden(format!(
            "User: {} is not authorized to perform: {action} with credentials of GetSessionToken",
            caller.arn
        )))
    }
}

/// Returns what a policy would call what an operation is about.
fn resource(
    resource: Resource,
    caller: &Caller,
    tx: &Tx<'_>,
    member: &impl Fn(&str) -> Option<String>,
) -> Result<Cow<'static, str>> {
    let account = &caller.aws_account_id;
    let named = match resource {
        Resource::Any | Resource::Caller => None,
        Resource::RoleToAssume => member("RoleArn"),
        Resource::User | Resource::RenamedUser => {
            let own = match &caller.principal {
                access::Principal::User { user_name } => Some(user_name.clone()),
                _ => None,
            };
            member("UserName").or(own).map(|name| access::arn::<UserRecord>(account, &name))
        }
        Resource::AccessKey => match member("AccessKeyId") {
            Some(access_key_id) => owner(tx, account, &access_key_id)?,
            None => None,
        },
        Resource::Role => member("RoleName").map(|name| access::arn::<RoleRecord>(account, &name)),
        Resource::Policy => {
            let new = || member("PolicyName").map(|name| policy_arn(account, &name));
            member("PolicyArn").or_else(new)
        }
    };
    Ok(named.map_or("*".into(), Cow::Owned))
}

/// Returns the ARN of the user of an AWS account whose key this is.
fn owner(tx: &Tx<'_>, aws_account_id: &str, access_key_id: &str) -> Result<Option<String>> {
    let key = AccessKeyRecord::find(tx, access_key_id)?;
    let key = key.filter(|key| key.aws_account_id == aws_account_id && key.user_name.is_some());
    Ok(key.map(|key| key.arn()))
}

/// Returns the exception of a denial: what the service model knows of the operation.
fn denial(operation: &Operation) -> Exception {
    if ACCESS_DENIED_OPERATIONS.contains(&operation.name) {
        Exception::AccessDeniedException
    } else {
        Exception::ForbiddenException
    }
}

/// The keys that requests were verified with, so that a day's first request pays for the others.
#[derive(Debug, Default)]
pub(super) struct SigningKeys(Cache<(Secret, SigningKey)>);

impl SigningKeys {
    /// Returns the key for a credential's scope. An access key id that got another secret gets
    /// another key.
    fn get(&self, signature: &Signature<'_>, credential: &Credential) -> SigningKey {
        let scope = signature.scope();
        let secret = &credential.secret_access_key;
        let name =
            [signature.access_key_id(), &scope.date, &scope.region, &scope.service].join("/");
        let kept = self.0.get(&name, |(of, key)| (of == secret).then(|| key.clone()));
        kept.unwrap_or_else(|| {
            let key = SigningKey::derive(secret.expose(), scope);
            self.0.put(name, (secret.clone(), key.clone()));
            key
        })
    }
}

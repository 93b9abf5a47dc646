//! Who makes a request.

use super::policy::ConditionContext;
use super::{RoleRecord, arn, root_arn};
use crate::clock::Timestamp;
use std::borrow::Cow;
use std::net::IpAddr;

/// Who makes a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The AWS account whose world the caller sees.
    pub aws_account_id: String,
    /// The caller's ARN.
    pub arn: String,
    /// The caller's unique id; for a root, its AWS account.
    pub user_id: String,
    /// The key that signed.
    pub access_key_id: String,
    /// When the session began, if the credential is temporary.
    pub session_issued: Option<Timestamp>,
    /// What kind of caller this is.
    pub principal: Principal,
}

/// The kinds of callers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Principal {
    /// The deployment's own root, who may let other AWS accounts in.
    DeploymentRoot,
    /// The root of an AWS account.
    Root,
    /// A user of an AWS account.
    User {
        /// The name of the user.
        user_name: String,
    },
    /// A session of a role.
    AssumedRole {
        /// The name of the role.
        role_name: String,
        /// What whoever assumed the role called the session.
        session_name: String,
    },
}

impl Caller {
    /// Returns the root of an AWS account, who signs with a key.
    pub fn root(aws_account_id: String, access_key_id: String) -> Self {
        Self {
            arn: root_arn(&aws_account_id),
            user_id: aws_account_id.clone(),
            aws_account_id,
            access_key_id,
            session_issued: None,
            principal: Principal::Root,
        }
    }

    /// Returns the ARN that `aws:PrincipalArn` means: of a session, that of its role.
    pub fn principal_arn(&self) -> Cow<'_, str> {
        match &self.principal {
            Principal::AssumedRole { role_name, .. } => {
                arn::<RoleRecord>(&self.aws_account_id, role_name).into()
            }
            _ => Cow::Borrowed(&self.arn),
        }
    }

    /// Returns the ARNs that trust policies can know the caller by: a session's, and that of its role.
    pub fn arns(&self) -> Vec<Cow<'_, str>> {
        let mut arns = vec![Cow::Borrowed(self.arn.as_str()), self.principal_arn()];
        arns.dedup();
        arns
    }

    /// Tells whether this is the deployment's own root.
    pub fn is_deployment_root(&self) -> bool {
        self.principal == Principal::DeploymentRoot
    }
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address of who sent it.
    pub source_ip: IpAddr,
    /// Whether it came by TLS.
    pub secure_transport: bool,
    /// What its client calls itself.
    pub user_agent: Option<String>,
    /// The region that it was signed for.
    pub region: String,
}

impl Origin {
    /// Returns what conditions and policy variables can ask about a request.
    pub fn conditions<'a>(&'a self, caller: &'a Caller, now: Timestamp) -> ConditionContext<'a> {
        ConditionContext::asking(move |key| self.condition(key, caller, now))
    }

    fn condition(&self, key: &str, caller: &Caller, now: Timestamp) -> Option<String> {
        Some(match key {
            "aws:currenttime" => now.to_string(),
            "aws:epochtime" => (now.as_millisecond() / 1000).to_string(),
            "aws:principalaccount" => caller.aws_account_id.clone(),
            "aws:principalarn" => caller.principal_arn().into_owned(),
            "aws:principaltype" => match &caller.principal {
                Principal::DeploymentRoot | Principal::Root => "Account".to_owned(),
                Principal::User { .. } => "User".to_owned(),
                Principal::AssumedRole { .. } => "AssumedRole".to_owned(),
            },
            "aws:requestedregion" => self.region.clone(),
            "aws:securetransport" => self.secure_transport.to_string(),
            "aws:sourceip" => self.source_ip.to_string(),
            "aws:tokenissuetime" => caller.session_issued?.to_string(),
            "aws:useragent" => self.user_agent.clone()?,
            "aws:userid" => caller.user_id.clone(),
            "aws:username" => match &caller.principal {
                Principal::User { user_name } => user_name.clone(),
                _ => return None,
            },
            "aws:viaawsservice" => "false".to_owned(),
            _ => return None,
        })
    }
}

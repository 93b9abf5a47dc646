//! Whom a managed policy is attached to.

use super::policies::{self, Found};
use crate::access::{Permissions, RoleRecord, UserRecord};
use crate::operations::Context;
use crate::operations::next_token::Query;
use crate::protocol::error::Result;
use crate::protocol::shapes::{MaxItems, PolicyArn};
use crate::store::{Key, Position};
use serde::{Deserialize, Serialize};

// Shapes.

/// The request of `ListEntitiesForPolicy`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListEntitiesForPolicyRequest {
    policy_arn: PolicyArn,
    entity_filter: Option<EntityFilter>,
    marker: Option<String>,
    #[serde(default)]
    max_items: MaxItems,
}

/// Which kind of identities is listed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names are IAM's")]
pub enum EntityFilter {
    Role,
    User,
}

/// The answer of `ListEntitiesForPolicy`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListEntitiesForPolicyResponse {
    is_truncated: bool,
    marker: Option<String>,
    policy_roles: Vec<PolicyRole>,
    policy_users: Vec<PolicyUser>,
}

/// A role that a policy is attached to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyRole {
    role_id: String,
    role_name: String,
}

/// A user whom a policy is attached to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyUser {
    user_id: String,
    user_name: String,
}

// Operations.

/// Lists the users, then the roles, to whom a managed policy is attached. Of a policy of AWS's own,
/// only those of the caller's AWS account.
pub(in crate::operations) fn list_entities_for_policy(
    cx: &mut Context<'_>,
    request: &ListEntitiesForPolicyRequest,
) -> Result<ListEntitiesForPolicyResponse> {
    let (arn, aws_account_id) = match policies::find(cx, &request.policy_arn)? {
        Found::Aws(managed) => (managed.arn.to_owned(), cx.caller.aws_account_id.clone()),
        Found::Own(record) => (record.arn(), record.aws_account_id),
    };
    let filters = (&arn, &aws_account_id, request.entity_filter);
    let query = Query { operation: "iam:ListEntitiesForPolicy", filters };
    let after = query.marker(cx, request.marker.as_deref())?;
    let attachments = Permissions::attachments_of(&arn);
    let max = request.max_items.get();
    let mut found: Vec<(EntityFilter, Key)> = Vec::new();
    // In the order of their marks, so that a position in the one kind is before all of the other.
    for kind in [EntityFilter::User, EntityFilter::Role] {
        if request.entity_filter.is_none_or(|asked| asked == kind) && found.len() <= max {
            let limit = max + 1 - found.len();
            let all = kind.all(&aws_account_id);
            let keys = cx.tx.marked(&attachments, &all, after.as_ref(), limit)?;
            found.extend(keys.into_iter().map(|key| (kind, key)));
        }
    }
    let is_truncated = found.len() > max;
    found.truncate(max);
    let last = found.last().filter(|_| is_truncated);
    let next = last.map(|(_, key)| Position::at(attachments.followed_by(key).into_bytes()));
    let (mut policy_roles, mut policy_users) = (Vec::new(), Vec::new());
    cx.tx.fetch(found.iter().map(|(_, key)| key.clone()))?;
    for (kind, key) in &found {
        match kind {
            EntityFilter::User => {
                policy_users.extend(cx.tx.get::<UserRecord>(key)?.map(PolicyUser::from));
            }
            EntityFilter::Role => {
                policy_roles.extend(cx.tx.get::<RoleRecord>(key)?.map(PolicyRole::from));
            }
        }
    }
    let marker = query.token(cx, next.as_ref());
    Ok(ListEntitiesForPolicyResponse { is_truncated, marker, policy_roles, policy_users })
}

impl EntityFilter {
    /// Returns the beginning of the keys of all identities of the kind.
    fn all(self, aws_account_id: &str) -> Key {
        match self {
            Self::User => UserRecord::all(aws_account_id),
            Self::Role => RoleRecord::all(aws_account_id),
        }
    }
}

impl From<UserRecord> for PolicyUser {
    fn from(record: UserRecord) -> Self {
        Self { user_id: record.user_id, user_name: record.user_name }
    }
}

impl From<RoleRecord> for PolicyRole {
    fn from(record: RoleRecord) -> Self {
        Self { role_id: record.role_id, role_name: record.role_name }
    }
}

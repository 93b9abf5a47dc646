//! Users of an AWS account.

use super::{
    aws_account_of, check_quota, delete_conflict, entity_already_exists, no_such_entity, unique_id,
};
use crate::access::quotas::Quota;
use crate::access::{AccessKeyRecord, Permissions, Principal, UserRecord};
use crate::clock::Timestamp;
use crate::operations::next_token::Query;
use crate::operations::{Context, Empty};
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{AwsAccountId, IamName, IamPath, MaxItems};
use crate::store::{Page, Position, Record};
use serde::{Deserialize, Serialize};

/// How many keys of a renamed user are read at a time.
const KEYS_MAX: usize = 100;

// Shapes.

/// The request of `CreateUser`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateUserRequest {
    aws_account_id: Option<AwsAccountId>,
    user_name: IamName<64>,
    #[serde(rename = "Path")]
    _path: Option<IamPath>,
}

/// A request about one user: the one that it names, or the caller.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserRequest {
    aws_account_id: Option<AwsAccountId>,
    user_name: Option<IamName<64>>,
}

/// The request of `UpdateUser`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateUserRequest {
    aws_account_id: Option<AwsAccountId>,
    user_name: IamName<64>,
    new_user_name: Option<IamName<64>>,
    #[serde(rename = "NewPath")]
    _new_path: Option<IamPath>,
}

/// The request of lists that are walked with a marker.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListRequest {
    pub(super) aws_account_id: Option<AwsAccountId>,
    pub(super) marker: Option<String>,
    #[serde(default)]
    pub(super) max_items: MaxItems,
}

/// The answer of the operations that return a user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserResponse {
    user: User,
}

/// The answer of `ListUsers`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListUsersResponse {
    is_truncated: bool,
    marker: Option<String>,
    users: Vec<User>,
}

/// A user of an AWS account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    arn: String,
    create_date: Timestamp,
    path: &'static str,
    user_id: String,
    user_name: String,
}

impl From<UserRecord> for User {
    fn from(record: UserRecord) -> Self {
        Self {
            arn: record.arn(),
            create_date: record.create_date,
            path: "/",
            user_id: record.user_id,
            user_name: record.user_name,
        }
    }
}

// Operations.

/// Makes a user, who may do nothing yet and has no key.
pub(in crate::operations) fn create_user(
    cx: &mut Context<'_>,
    request: &CreateUserRequest,
) -> Result<UserResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let user_name = &*request.user_name;
    if UserRecord::find(&cx.tx, &aws_account_id, user_name)?.is_some() {
        return Err(entity_already_exists("User", user_name));
    }
    check_quota(cx, Quota::IamUsersPerAccount, &UserRecord::all(&aws_account_id))?;
    let user = UserRecord {
        aws_account_id,
        user_name: user_name.to_owned(),
        user_id: unique_id(cx, "AIDA"),
        create_date: cx.now,
        permissions: Permissions::default(),
    };
    cx.tx.insert(&user)?;
    Ok(UserResponse { user: user.into() })
}

/// Returns a user: the caller, if none is named.
pub(in crate::operations) fn get_user(
    cx: &mut Context<'_>,
    request: &UserRequest,
) -> Result<UserResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let user = named_or_caller(cx, &aws_account_id, request.user_name.as_ref())?;
    Ok(UserResponse { user: user.into() })
}

/// Lists the users of an AWS account by name.
pub(in crate::operations) fn list_users(
    cx: &mut Context<'_>,
    request: &ListRequest,
) -> Result<ListUsersResponse> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let query = Query { operation: "iam:ListUsers", filters: &aws_account_id };
    let after = query.marker(cx, request.marker.as_deref())?;
    let index = UserRecord::all(&aws_account_id);
    let page: Page<UserRecord> = cx.tx.page(&index, after.as_ref(), request.max_items.get())?;
    Ok(ListUsersResponse {
        is_truncated: page.next.is_some(),
        marker: query.token(cx, page.next.as_ref()),
        users: page.items.into_iter().map(User::from).collect(),
    })
}

/// Gives a user another name. Its keys and policies stay its own; its sessions end.
pub(in crate::operations) fn update_user(
    cx: &mut Context<'_>,
    request: &UpdateUserRequest,
) -> Result<Empty> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let old = find(cx, &aws_account_id, &request.user_name)?;
    let Some(new_name) = request.new_user_name.as_deref() else { return Ok(Empty {}) };
    let new = UserRecord { user_name: new_name.to_owned(), ..old.clone() };
    if new.key() == old.key() {
        cx.tx.update(&old, &new)?;
    } else if UserRecord::find(&cx.tx, &aws_account_id, new_name)?.is_some() {
        return Err(entity_already_exists("User", new_name));
    } else {
        cx.tx.delete(&old)?;
        cx.tx.insert(&new)?;
    }
    let keys = AccessKeyRecord::by_user(&aws_account_id, Some(&old.user_name));
    let mut after: Option<Position> = None;
    loop {
        let page: Page<AccessKeyRecord> = cx.tx.page(&keys, after.as_ref(), KEYS_MAX)?;
        for key in page.items {
            let user_name = Some(new.user_name.clone());
            cx.tx.update(&key, &AccessKeyRecord { user_name, ..key.clone() })?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(Empty {});
        }
    }
}

/// Deletes a user who has neither keys nor policies.
pub(in crate::operations) fn delete_user(
    cx: &mut Context<'_>,
    request: &UserRequest,
) -> Result<Empty> {
    let aws_account_id = aws_account_of(cx, request.aws_account_id.as_ref())?;
    let user_name = request.user_name.as_ref().ok_or_else(|| {
        Error::bad_request(
            "1 validation error detected: Value null at 'UserName' failed to satisfy constraint: \
             Member must not be null",
        )
    })?;
    let user = find(cx, &aws_account_id, user_name)?;
    if cx.tx.any(&AccessKeyRecord::by_user(&aws_account_id, Some(user_name)))? {
        return Err(delete_conflict("Cannot delete entity, must delete access keys first."));
    }
    if !user.permissions.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must delete policies first."));
    }
    cx.tx.delete(&user)?;
    Ok(Empty {})
}

// Helpers.

/// Returns the user with a name.
pub(super) fn find(cx: &Context<'_>, aws_account_id: &str, user_name: &str) -> Result<UserRecord> {
    UserRecord::find(&cx.tx, aws_account_id, user_name)?
        .ok_or_else(|| no_such_entity(format!("The user with name {user_name} cannot be found.")))
}

/// Returns the user with a name, or the caller if there is none.
pub(super) fn named_or_caller(
    cx: &Context<'_>,
    aws_account_id: &str,
    user_name: Option<&IamName<64>>,
) -> Result<UserRecord> {
    match (user_name, &cx.caller.principal) {
        (Some(user_name), _) => find(cx, aws_account_id, user_name),
        (None, Principal::User { user_name }) => find(cx, aws_account_id, user_name),
        (None, _) => Err(Error::bad_request(format!(
            "Must specify userName when calling with non-User credentials: the caller is {}",
            cx.caller.arn
        ))),
    }
}

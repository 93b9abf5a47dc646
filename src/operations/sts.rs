//! The one operation of AWS STS that scripts call before anything else.

use crate::access::Caller;

/// The answer of `GetCallerIdentity`.
#[derive(Debug)]
pub struct GetCallerIdentityResponse {
    /// The AWS account of the caller.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// The caller's unique id; for a root user, the AWS account id.
    pub user_id: String,
}

/// Says who the caller is.
pub fn get_caller_identity(caller: &Caller) -> GetCallerIdentityResponse {
    GetCallerIdentityResponse {
        account: caller.aws_account_id.clone(),
        arn: caller.arn.clone(),
        user_id: caller.user_id.clone(),
    }
}

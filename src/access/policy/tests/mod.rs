//! Policies are checked against a matrix of what AWS documents, against everything that must be
//! refused, against properties that always hold, and against the crate iam-rs.

mod faults;
mod managed;
mod matrix;
mod oracle;
mod patterns;
mod properties;
mod trust;

use super::*;
use serde_json::{Value, json};

const AWS_ACCOUNT_ID: &str = "111122223333";
const ANN: &str = "arn:aws:iam::111122223333:user/ann";
const PRINCIPAL: Principal<'_> = Principal { aws_account_id: AWS_ACCOUNT_ID, arns: &[ANN] };

type Entries<'a> = [(&'a str, &'a [&'a str])];

fn context(entries: &Entries<'_>) -> ConditionContext<'static> {
    let mut context = ConditionContext::new();
    for (key, values) in entries {
        context.insert_all(*key, values.iter().map(|it| (*it).to_owned()).collect());
    }
    context
}

fn identity(statements: &Value) -> Policy {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    Policy::parse(&document.to_string(), Kind::Identity)
        .unwrap_or_else(|fault| panic!("{fault}: {document}"))
}

fn ask(policies: &[Policy], action: &str, resource: &str, entries: &Entries<'_>) -> Decision {
    let context = context(entries);
    decide(policies, &Request { principal: &PRINCIPAL, action, resource, context: &context })
}

fn ask_one(statements: &Value, action: &str, resource: &str) -> Decision {
    ask(&[identity(statements)], action, resource, &[])
}

/// Tells whether a condition holds, of a statement with either effect.
fn condition_holds(condition: &Value, entries: &Entries<'_>) -> [bool; 2] {
    ["Allow", "Deny"].map(|effect| {
        let statement =
            json!({"Effect": effect, "Action": "*", "Resource": "*", "Condition": condition});
        ask(&[identity(&statement)], "chime:GetUser", "*", entries) != Decision::ImplicitDeny
    })
}

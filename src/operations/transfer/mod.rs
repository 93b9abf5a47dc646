//! Moving in and out: what organisations saved of Amazon Chime comes in as it was, and everything
//! goes out in the same form.
//!
//! Extension operations, with which `campanile import` and `campanile export` work.

pub mod accounts;
pub mod export;
mod saved;
pub mod users;

pub use saved::bytes_max;

use super::Context;
use crate::protocol::decode::Fault;
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::AwsAccountId;
use crate::store::{self, Key};
use serde::Serialize;
use std::collections::HashSet;

/// How many things a request may import. The limit of a body is reached sooner, if they are large.
pub const ITEMS_MAX: usize = 500;

// Shapes.

/// The answer of `ImportAccounts` and `ImportUsers`: what became of the items, and which failed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportResponse {
    created: usize,
    item_errors: Vec<ItemError>,
    overwritten: usize,
    unchanged: usize,
}

/// A fault of one item; an item may have several.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ItemError {
    error_code: &'static str,
    error_message: String,
    /// The place of the item in the request, from 0.
    index: usize,
    /// The path to the member, if one is at fault.
    member: Option<String>,
}

// Helpers.

/// What became of an item.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Created,
    Overwritten,
    Unchanged,
}

/// Why an item is not imported.
#[derive(Debug)]
struct Refusal(Vec<(Option<String>, Error)>);

impl Refusal {
    fn new(error: Error) -> Self {
        Self(vec![(None, error)])
    }

    fn at(member: &str, error: Error) -> Self {
        Self(vec![(Some(member.to_owned()), error)])
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        Self::new(error.into())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

impl From<Vec<Fault>> for Refusal {
    fn from(faults: Vec<Fault>) -> Self {
        let refused = |Fault { member, fault }: Fault| {
            let error = Error::bad_request(format!(
                "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
                 {fault}"
            ));
            (Some(member), error)
        };
        Self(faults.into_iter().map(refused).collect())
    }
}

/// How a request's items are imported, and what became of those before.
#[derive(Debug)]
struct Import {
    aws_account_id: String,
    dry_run: bool,
    overwrite: bool,
    /// What the items of the request have that only one may have. A dry run stores nothing that
    /// could tell.
    claimed: HashSet<Key>,
    response: ImportResponse,
}

impl Import {
    fn new(
        cx: &Context<'_>,
        aws_account_id: Option<&AwsAccountId>,
        dry_run: Option<bool>,
        overwrite: Option<bool>,
    ) -> Result<Self> {
        Ok(Self {
            aws_account_id: target(cx, aws_account_id)?,
            dry_run: dry_run.unwrap_or_default(),
            overwrite: overwrite.unwrap_or_default(),
            claimed: HashSet::new(),
            response: ImportResponse::default(),
        })
    }

    /// Tells whether the item is the first of the request that has this key.
    fn claim(&mut self, key: Key) -> bool {
        self.claimed.insert(key)
    }

    /// Settles what is to become of an item, which is there already or not.
    fn outcome(&self, is_there: bool, differs: impl FnOnce() -> Option<String>) -> Settled {
        if !is_there {
            return Ok(Outcome::Created);
        }
        match differs() {
            None => Ok(Outcome::Unchanged),
            Some(_) if self.overwrite => Ok(Outcome::Overwritten),
            Some(difference) => Err(Refusal::new(Error::conflict(format!(
                "It is there already, and differs: {difference}. Import it with Overwrite to \
                 replace what is there"
            )))),
        }
    }

    /// Adds what became of an item; what went wrong with the server fails the whole.
    fn add(&mut self, index: usize, settled: Settled) -> Result<()> {
        let Refusal(refusal) = match settled {
            Ok(outcome) => {
                *match outcome {
                    Outcome::Created => &mut self.response.created,
                    Outcome::Overwritten => &mut self.response.overwritten,
                    Outcome::Unchanged => &mut self.response.unchanged,
                } += 1;
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        for (member, error) in refusal {
            if error.is_server_fault() {
                return Err(error);
            }
            self.response.item_errors.push(ItemError {
                error_code: error.exception().code(),
                error_message: error.message().to_owned(),
                index,
                member,
            });
        }
        Ok(())
    }
}

type Settled = Result<Outcome, Refusal>;

/// Returns the AWS account that a request is about.
pub(super) fn target(cx: &Context<'_>, aws_account_id: Option<&AwsAccountId>) -> Result<String> {
    cx.aws_account(aws_account_id).ok_or_else(|| {
        Error::forbidden(format!(
            "AWS account {} is not that of {}; only the deployment's root may name another",
            aws_account_id.map_or("", |other| other),
            cx.caller.arn
        ))
    })
}

/// Names the members in which two shown things differ.
fn differing(old: &serde_json::Value, new: &serde_json::Value) -> Vec<String> {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return Vec::new() };
    let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}

//! What an operation knows besides its request.

use super::next_token::TokenKey;
use super::users::links::LinkKey;
use crate::access::policy::Decision;
use crate::access::quotas::Quotas;
use crate::access::{Caller, Origin, Seal};
use crate::clock::Timestamp;
use crate::protocol::shapes::AwsAccountId;
use crate::store::Tx;
use rand::distr::{Distribution, StandardUniform};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use std::sync::Arc;

/// What a deployment settles for all of its requests.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What makes a `NextToken` ours.
    pub token_key: TokenKey,
    /// Whether a domain belongs to an account only once its owner published a DNS record.
    pub verify_domains: bool,
    /// Whether mail that is put into the outbox is sent.
    pub sends_mail: bool,
    /// What makes the link of an invite ours.
    pub link_key: LinkKey,
    /// What seals the secrets that are stored.
    pub seal: Seal,
    /// Where people's browsers find the server.
    pub public_url: String,
    /// How many of a thing an AWS account may have.
    pub quotas: Quotas,
}

/// Everything an operation may know besides its request.
#[derive(Debug)]
pub struct Context<'a> {
    /// The open transaction.
    pub tx: Tx<'a>,
    /// Who asks.
    pub caller: &'a Caller,
    /// When the request arrived.
    pub now: Timestamp,
    /// Where the request came from.
    pub origin: &'a Origin,
    /// What the caller's own policies say, where others have a say, too.
    pub decision: Decision,
    /// In which of its two recorded forms the API answers.
    pub form: Form,
    /// What the deployment settles for all of its requests.
    pub terms: &'a Terms,
    random: StdRng,
    /// How many ids the request has made.
    ids: u16,
}

/// The two recorded forms of the API's answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// The form of today's service model.
    Current,
    /// The form under the path prefix `/console`, as recorded in January 2019.
    Console,
}

impl<'a> Context<'a> {
    /// Makes a context; the same seed makes the same ids again.
    pub fn new(tx: Tx<'a>, request: &'a Admission, terms: &'a Terms) -> Self {
        Self {
            tx,
            caller: &request.caller,
            now: request.now,
            origin: &request.origin,
            decision: request.decision,
            form: request.form,
            terms,
            random: StdRng::from_seed(request.seed),
            ids: 0,
        }
    }

    /// Returns the AWS account that a request is about: the caller's own, unless it names another, as
    /// the deployment's root alone may; nothing, where it may not.
    pub(super) fn aws_account(&self, asked: Option<&AwsAccountId>) -> Option<String> {
        let own = &self.caller.aws_account_id;
        let asked = asked.map_or(own.as_str(), |asked| asked);
        (asked == own || self.caller.is_deployment_root()).then(|| asked.to_owned())
    }

    /// Returns a new UUID that sorts behind the older ones, so that inserts stay local; those of one
    /// request sort in the order in which they are made.
    pub fn new_id(&mut self) -> String {
        let millisecond = self.now.as_millisecond().unsigned_abs();
        let mut random: [u8; 10] = self.random.random();
        // The 12 bits behind the time may hold a counter (RFC 9562, 6.2, method 1).
        let [high, low] = self.ids.to_be_bytes();
        (random[0], random[1]) = (high, low);
        self.ids = self.ids.wrapping_add(1) % (1 << 12);
        uuid::Builder::from_unix_timestamp_millis(millisecond, &random).into_uuid().to_string()
    }

    /// Returns what nobody can guess.
    pub fn random<T>(&mut self) -> T
    where
        StandardUniform: Distribution<T>,
    {
        self.random.random()
    }

    /// Fills an array with bytes that nobody can guess.
    pub fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes[..]);
        bytes
    }
}

/// What is settled about a request before its operation runs.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// When the request arrived.
    pub now: Timestamp,
    /// In which form the API answers.
    pub form: Form,
    /// Where the request's random numbers begin.
    pub seed: [u8; 32],
    /// The id under which the answer and the log know the request.
    pub request_id: String,
    /// Where the request came from.
    pub origin: Origin,
    /// What the caller's own policies say, where others have a say, too.
    pub decision: Decision,
}

/// The answer of an operation that returns no members.
#[derive(Debug, Serialize)]
pub struct Empty {}

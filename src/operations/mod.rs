//! What the API does: a line for each operation.
//!
//! An operation is an ordinary function over one open transaction. It never opens, commits,
//! retries, authenticates, parses or serialises anything, and reads no clock: time and ids come
//! from its [`Context`], so that a second run gives the same answer.

pub mod access_keys;
pub mod accounts;
mod next_token;
pub mod sts;

pub use next_token::TokenKey;

use crate::access::Caller;
use crate::clock::Timestamp;
use crate::protocol::decode::{Members, encode};
use crate::protocol::error::Result;
use crate::store::{Access, Tx};
use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// Returns every operation that the server knows, in the order of the resources.
///
/// A URI's query literal is what tells apart the operations that share a path. What is not here is
/// answered `UnknownOperationException`.
pub fn table() -> Vec<Operation> {
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    vec![
        write("CreateAccount", &post, "/accounts", 201, accounts::create_account),
        write("DeleteAccount", &delete, "/accounts/{accountId}", 204, accounts::delete_account),
        read("GetAccount", &get, "/accounts/{accountId}", 200, accounts::get_account),
        read("ListAccounts", &get, "/accounts", 200, accounts::list_accounts),
        write("UpdateAccount", &post, "/accounts/{accountId}", 200, accounts::update_account),
        // Extension operations: what AWS left to its consoles.
        write(
            "CreateAccessKey",
            &post,
            "/campanile/access-keys",
            201,
            access_keys::create_access_key,
        ),
        write(
            "DeleteAccessKey",
            &delete,
            "/campanile/access-keys/{accessKeyId}",
            204,
            access_keys::delete_access_key,
        ),
        read("ListAccessKeys", &get, "/campanile/access-keys", 200, access_keys::list_access_keys),
    ]
}

/// A line of the table.
pub struct Operation {
    /// The name, as AWS writes it.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path with its placeholders, and the query literal if there is one.
    pub uri: &'static str,
    /// The status of success.
    pub status: u16,
    /// Whether the operation changes anything.
    pub access: Access,
    action: String,
    prepare: Box<Prepare>,
}

type Prepare = dyn Fn(&Members<'_>) -> Result<Call> + Send + Sync;

/// An operation with its decoded request, ready to run, and to run again.
pub type Call = Box<dyn Fn(&mut Context<'_>) -> Result<Vec<u8>> + Send>;

impl Operation {
    /// Decodes a request.
    pub fn prepare(&self, members: &Members<'_>) -> Result<Call> {
        (self.prepare)(members)
    }

    /// Returns the name that policies know the operation by.
    pub fn action(&self) -> &str {
        &self.action
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.method, self.uri)
    }
}

fn read<Q, R>(
    name: &'static str,
    method: &Method,
    uri: &'static str,
    status: u16,
    run: fn(&mut Context<'_>, &Q) -> Result<R>,
) -> Operation
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    let prepare = Box::new(move |members: &Members<'_>| {
        let request: Q = members.decode()?;
        let call: Call = Box::new(move |cx| encode(&run(cx, &request)?));
        Ok(call)
    });
    let service = if uri.starts_with("/campanile/") { "campanile" } else { "chime" };
    let action = format!("{service}:{name}");
    Operation { name, method: method.clone(), uri, status, access: Access::Read, action, prepare }
}

fn write<Q, R>(
    name: &'static str,
    method: &Method,
    uri: &'static str,
    status: u16,
    run: fn(&mut Context<'_>, &Q) -> Result<R>,
) -> Operation
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    Operation { access: Access::Write, ..read(name, method, uri, status, run) }
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
    /// In which of its two recorded forms the API answers.
    pub form: Form,
    /// What makes a `NextToken` ours.
    pub token_key: &'a TokenKey,
    random: StdRng,
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
    pub fn new(tx: Tx<'a>, request: &'a Admission, token_key: &'a TokenKey) -> Self {
        Self {
            tx,
            caller: &request.caller,
            now: request.now,
            form: request.form,
            token_key,
            random: StdRng::from_seed(request.seed),
        }
    }

    /// Returns a new UUID that sorts behind the older ones, so that inserts stay local.
    pub fn new_id(&mut self) -> String {
        let millisecond = self.now.as_millisecond().unsigned_abs();
        uuid::Builder::from_unix_timestamp_millis(millisecond, &self.random.random())
            .into_uuid()
            .to_string()
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
    pub caller: Caller,
    /// When the request arrived.
    pub now: Timestamp,
    /// In which form the API answers.
    pub form: Form,
    /// Where the request's random numbers begin.
    pub seed: [u8; 32],
}

/// The answer of an operation that returns no members.
#[derive(Debug, Serialize)]
pub struct Empty {}

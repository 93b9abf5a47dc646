//! What the API does: a line for each operation.
//!
//! An operation is an ordinary function over one open transaction. It never opens, commits,
//! retries, authenticates, parses or serialises anything, and reads no clock: time and ids come
//! from its [`Context`], so that a second run gives the same answer.

pub mod access_keys;
pub mod accounts;
pub mod audit;
pub mod layout;
mod next_token;
pub mod sts;
pub mod transfer;
pub mod users;

pub use next_token::TokenKey;

use accounts::{directories, domains, life, settings};
use users::links::LinkKey;
use users::{invites, suspension};

use crate::access::Caller;
use crate::clock::Timestamp;
use crate::protocol::decode::{Members, encode};
use crate::protocol::error::Result;
use crate::store::{Access, Tx};
use http::Method;
use rand::distr::{Distribution, StandardUniform};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::net::IpAddr;

/// Returns every operation that the server knows, in the order of the resources.
///
/// A URI's query literal is what tells apart the operations that share a path. What is not here is
/// answered `UnknownOperationException`.
#[rustfmt::skip] // A line an operation: this is the page that shows all of the API.
pub fn table() -> Vec<Operation> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    vec![
        write("CreateAccount", &post, "/accounts", 201, accounts::create_account),
        write("DeleteAccount", &delete, "/accounts/{accountId}", 204, accounts::delete_account),
        read("GetAccount", &get, "/accounts/{accountId}", 200, accounts::get_account),
        read("ListAccounts", &get, "/accounts", 200, accounts::list_accounts),
        write("UpdateAccount", &post, "/accounts/{accountId}", 200, accounts::update_account),

        read("GetAccountSettings", &get, "/accounts/{accountId}/settings", 200, settings::get_account_settings),
        write("UpdateAccountSettings", &put, "/accounts/{accountId}/settings", 204, settings::update_account_settings),
        write("AssociateSigninDelegateGroupsWithAccount", &post, "/accounts/{accountId}?operation=associate-signin-delegate-groups", 200, settings::associate_signin_delegate_groups),
        write("DisassociateSigninDelegateGroupsFromAccount", &post, "/accounts/{accountId}?operation=disassociate-signin-delegate-groups", 200, settings::disassociate_signin_delegate_groups),
        read("GetRetentionSettings", &get, "/accounts/{accountId}/retention-settings", 200, settings::get_retention_settings),
        write("PutRetentionSettings", &put, "/accounts/{accountId}/retention-settings", 204, settings::put_retention_settings),

        write("BatchSuspendUser", &post, "/accounts/{accountId}/users?operation=suspend", 200, suspension::batch_suspend_user),
        write("BatchUnsuspendUser", &post, "/accounts/{accountId}/users?operation=unsuspend", 200, suspension::batch_unsuspend_user),
        write("BatchUpdateUser", &post, "/accounts/{accountId}/users", 200, users::batch_update_user),
        write("CreateUser", &post, "/accounts/{accountId}/users?operation=create", 201, users::create_user),
        read("GetUser", &get, "/accounts/{accountId}/users/{userId}", 200, users::get_user),
        read("GetUserSettings", &get, "/accounts/{accountId}/users/{userId}/settings", 200, users::settings::get_user_settings),
        write("InviteUsers", &post, "/accounts/{accountId}/users?operation=add", 201, invites::invite_users)
            .after_delivery(invites::invites_after_delivery),
        read("ListUsers", &get, "/accounts/{accountId}/users", 200, users::list_users),
        write("LogoutUser", &post, "/accounts/{accountId}/users/{userId}?operation=logout", 204, users::logout_user),
        write("ResetPersonalPIN", &post, "/accounts/{accountId}/users/{userId}?operation=reset-personal-pin", 200, users::reset_personal_pin),
        write("UpdateUser", &post, "/accounts/{accountId}/users/{userId}", 200, users::update_user),
        write("UpdateUserSettings", &put, "/accounts/{accountId}/users/{userId}/settings", 204, users::settings::update_user_settings),

        // Extension operations: what AWS left to its consoles.
        write("ActivateAccount", &post, "/campanile/accounts/{accountId}?operation=activate", 200, life::activate_account),
        write("SuspendAccount", &post, "/campanile/accounts/{accountId}?operation=suspend", 200, life::suspend_account),
        read("ListDeletedAccounts", &get, "/campanile/deleted-accounts", 200, life::list_deleted_accounts),
        write("RestoreAccount", &post, "/campanile/deleted-accounts/{accountId}?operation=restore", 200, life::restore_account),
        write("ClaimDomain", &post, "/campanile/accounts/{accountId}/domains", 201, domains::claim_domain)
            .for_verifier(),
        read("ListDomains", &get, "/campanile/accounts/{accountId}/domains", 200, domains::list_domains),
        write("ReleaseDomain", &delete, "/campanile/accounts/{accountId}/domains/{domainName}", 200, domains::release_domain),
        read("GetInvite", &get, "/campanile/accounts/{accountId}/users/{userId}/invite", 200, invites::get_invite),
        write("ConnectDirectory", &put, "/campanile/accounts/{accountId}/directory", 200, directories::connect_directory),
        write("DisconnectDirectory", &delete, "/campanile/accounts/{accountId}/directory", 200, directories::disconnect_directory),
        write("ConnectOpenId", &put, "/campanile/accounts/{accountId}/open-id", 200, directories::connect_open_id),
        write("DisconnectOpenId", &delete, "/campanile/accounts/{accountId}/open-id", 200, directories::disconnect_open_id),
        write("UpdateSupportedLicenses", &put, "/campanile/accounts/{accountId}/supported-licenses", 200, directories::update_supported_licenses),

        read("ExportAccounts", &get, "/campanile/export/accounts", 200, transfer::export::export_accounts),
        read("ExportUsers", &get, "/campanile/export/users", 200, transfer::export::export_users),
        write("ImportAccounts", &post, "/campanile/import/accounts", 200, transfer::accounts::import_accounts),
        write("ImportUsers", &post, "/campanile/import/users", 200, transfer::users::import_users),

        write("CreateAccessKey", &post, "/campanile/access-keys", 201, access_keys::create_access_key),
        write("DeleteAccessKey", &delete, "/campanile/access-keys/{accessKeyId}", 204, access_keys::delete_access_key),
        read("ListAccessKeys", &get, "/campanile/access-keys", 200, access_keys::list_access_keys),

        read("cloudtrail:LookupEvents", &get, "/campanile/events", 200, audit::lookup::lookup_events),
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
    after_delivery: Option<Box<Prepare>>,
    /// Whether what it wrote is something for the verifier of domains.
    pub wakes_verifier: bool,
}

type Prepare = dyn Fn(&Members<'_>) -> Result<Call> + Send + Sync;

/// An operation with its decoded request, ready to run, and to run again.
pub type Call = Box<dyn Fn(&mut Context<'_>) -> Result<Vec<u8>> + Send>;

impl Operation {
    /// Decodes a request.
    pub fn prepare(&self, members: &Members<'_>) -> Result<Call> {
        (self.prepare)(members)
    }

    /// Decodes a request for what answers it once the mail that it caused was tried; nothing, for the
    /// many operations that cause none.
    pub fn prepare_after_delivery(&self, members: &Members<'_>) -> Result<Option<Call>> {
        self.after_delivery.as_ref().map(|prepare| prepare(members)).transpose()
    }

    /// Says that the verifier of domains is to look at what the operation wrote.
    fn for_verifier(self) -> Self {
        Self { wakes_verifier: true, ..self }
    }

    /// Says what answers the operation once the mail that it caused was tried: it only reads.
    fn after_delivery<Q, R>(self, run: fn(&mut Context<'_>, &Q) -> Result<R>) -> Self
    where
        Q: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
    {
        Self { after_delivery: Some(prepare(run)), ..self }
    }

    /// Returns the name that policies know the operation by.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Returns the name that events of the audit have for the operation: that without its service.
    pub fn event_name(&self) -> &'static str {
        self.name.rsplit(':').next().unwrap_or(self.name)
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
    let service = if uri.starts_with("/campanile/") { "campanile" } else { "chime" };
    let action = if name.contains(':') { name.to_owned() } else { format!("{service}:{name}") };
    Operation {
        name,
        method: method.clone(),
        uri,
        status,
        access: Access::Read,
        action,
        prepare: prepare(run),
        after_delivery: None,
        wakes_verifier: false,
    }
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

fn prepare<Q, R>(run: fn(&mut Context<'_>, &Q) -> Result<R>) -> Box<Prepare>
where
    Q: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    Box::new(move |members| {
        let request: Q = members.decode()?;
        let call: Call = Box::new(move |cx| encode(&run(cx, &request)?));
        Ok(call)
    })
}

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
    /// Where people's browsers find the server.
    pub public_url: String,
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
            form: request.form,
            terms,
            random: StdRng::from_seed(request.seed),
            ids: 0,
        }
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
    pub caller: Caller,
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

/// The answer of an operation that returns no members.
#[derive(Debug, Serialize)]
pub struct Empty {}

//! The internet domains that accounts claim: the first makes a Team account an Enterprise one, and
//! the release of the last makes it a Team account again.
//!
//! Extension operations: AWS left domains to its console ("Claiming a domain" and "Converting a
//! Team account" of the Administration Guide).

use super::record::{Account, AccountStatus, AccountType, Retention, account_key};
use super::{AccountRecord, AccountResponse, account_with_page, response, writable_account};
use crate::clock::Timestamp;
use crate::operations::Context;
use crate::operations::next_token::Query;
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{DomainName, NonEmptyString, ProfileServiceMaxResults, WithOthers};
use crate::store::{self, Key, Page, Position, Record, Table, Tx};
use serde::{Deserialize, Serialize};

/// How many domains an account may claim.
pub(in super::super) const DOMAINS_MAX: usize = 500;

// Shapes.

/// The request of `ClaimDomain` and `ReleaseDomain`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DomainRequest {
    account_id: NonEmptyString,
    domain_name: DomainName,
}

/// The request of `ListDomains`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListDomainsRequest {
    account_id: NonEmptyString,
    next_token: Option<String>,
    #[serde(default)]
    max_results: ProfileServiceMaxResults,
}

/// The answer of `ClaimDomain`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ClaimDomainResponse {
    account: WithOthers<Account>,
    domain: Domain,
}

/// The answer of `ListDomains`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListDomainsResponse {
    domains: Vec<Domain>,
    next_token: Option<String>,
}

/// A domain as clients see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Domain {
    account_id: String,
    claimed_timestamp: Timestamp,
    domain_name: String,
    domain_status: DomainStatus,
    verification_record: Option<VerificationRecord>,
    verified_timestamp: Option<Timestamp>,
}

/// The DNS record that shows whose a domain is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct VerificationRecord {
    name: String,
    r#type: &'static str,
    value: String,
}

/// Whether a domain belongs to the account that claims it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum DomainStatus {
    /// Its owner has yet to publish the DNS record.
    PendingVerification,
    /// It belongs to the account.
    Verified,
}

// The record.

/// A claim as it is stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DomainRecord {
    /// The AWS account of the account.
    pub aws_account_id: String,
    /// The account that claims the domain.
    pub account_id: String,
    /// The domain, in lower case.
    pub domain_name: String,
    /// Whether the claim holds.
    pub domain_status: DomainStatus,
    /// When the claim was made.
    pub claimed_timestamp: Timestamp,
    /// Since when it holds.
    pub verified_timestamp: Option<Timestamp>,
    /// The text that a TXT record of the domain must have, if that was asked for.
    pub verification_value: Option<String>,
}

impl Record for DomainRecord {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        domains_of(&self.aws_account_id, &self.account_id).string(&self.domain_name)
    }

    fn index_keys(&self) -> Vec<Key> {
        let pending = || {
            let index = Key::of(Table::PendingDomains).string(&self.domain_name);
            index.string(&self.aws_account_id).string(&self.account_id)
        };
        let is_pending = self.domain_status == DomainStatus::PendingVerification;
        is_pending.then(pending).into_iter().collect()
    }

    fn unique_keys(&self) -> Vec<Key> {
        let verified = self.domain_status == DomainStatus::Verified;
        verified.then(|| verified_key(&self.domain_name)).into_iter().collect()
    }

    fn mark_keys(&self) -> Vec<Key> {
        let mark = || mark_of(&self.aws_account_id, &self.account_id).string(&self.domain_name);
        let verified = self.domain_status == DomainStatus::Verified;
        verified.then(mark).into_iter().collect()
    }
}

/// Returns the domains that an account claims, by their names.
pub(in super::super) fn domains_of(aws_account_id: &str, account_id: &str) -> Key {
    Key::of(Table::Domains).string(aws_account_id).string(account_id)
}

/// Returns the key that the claim has to which a domain belongs.
pub(in super::super) fn verified_key(domain_name: &str) -> Key {
    Key::of(Table::VerifiedDomains).string(domain_name)
}

fn mark_of(aws_account_id: &str, account_id: &str) -> Key {
    Key::of(Table::DomainsOfAccount).string(aws_account_id).string(account_id)
}

impl From<DomainRecord> for Domain {
    fn from(record: DomainRecord) -> Self {
        let verification_record = record.verification_value.map(|value| VerificationRecord {
            name: record.domain_name.clone(),
            r#type: "TXT",
            value,
        });
        Self {
            account_id: record.account_id,
            claimed_timestamp: record.claimed_timestamp,
            domain_name: record.domain_name,
            domain_status: record.domain_status,
            verification_record,
            verified_timestamp: record.verified_timestamp,
        }
    }
}

// Operations.

/// Claims a domain for an account. Where domains are verified, the claim holds from when the domain
/// has the DNS record that the answer tells; elsewhere it holds at once. A claim that is repeated
/// while it waits is looked at again, as often as a new one, and keeps its record.
pub(in super::super) fn claim_domain(
    cx: &mut Context<'_>,
    request: &DomainRequest,
) -> Result<ClaimDomainResponse> {
    let account = writable_account(cx, &request.account_id)?;
    let name = &*request.domain_name;
    let domains = domains_of(&account.aws_account_id, &account.account_id);
    if let Some(domain) = cx.tx.get::<DomainRecord>(&domains.clone().string(name))? {
        let domain = if cx.terms.verify_domains { renewed(cx, domain)? } else { domain };
        return Ok(ClaimDomainResponse {
            account: Account::of(account, cx.form),
            domain: domain.into(),
        });
    }
    let claimed: Page<DomainRecord> = cx.tx.page(&domains, None, DOMAINS_MAX)?;
    if claimed.items.len() == DOMAINS_MAX {
        return Err(Error::bad_request(format!(
            "Account {} claims {DOMAINS_MAX} domains, and may claim no more",
            account.account_id
        )));
    }
    let verification_value = cx.terms.verify_domains.then(|| verification_value(cx));
    let domain = DomainRecord {
        aws_account_id: account.aws_account_id.clone(),
        account_id: account.account_id.clone(),
        domain_name: name.to_owned(),
        domain_status: DomainStatus::PendingVerification,
        claimed_timestamp: cx.now,
        verified_timestamp: None,
        verification_value,
    };
    if cx.tx.find::<DomainRecord>(&verified_key(name))?.is_some() {
        return Err(Error::conflict(format!("Domain {name} belongs to another account")));
    }
    if cx.terms.verify_domains {
        cx.tx.insert(&domain)?;
        let account = Account::of(account, cx.form);
        return Ok(ClaimDomainResponse { account, domain: domain.into() });
    }
    let domain = verified(domain, cx.now);
    cx.tx.insert(&domain)?;
    let account = with_domain(&mut cx.tx, account)?;
    Ok(ClaimDomainResponse { account: Account::of(account, cx.form), domain: domain.into() })
}

/// Gives up a domain. With its last domain an Enterprise account becomes a Team account again: its
/// directory or OpenID provider is disconnected, and its users are suspended.
pub(in super::super) fn release_domain(
    cx: &mut Context<'_>,
    request: &DomainRequest,
) -> Result<AccountResponse> {
    let account = writable_account(cx, &request.account_id)?;
    let domains = domains_of(&account.aws_account_id, &account.account_id);
    let name = &*request.domain_name;
    let domain: DomainRecord = cx.tx.get(&domains.string(name))?.ok_or_else(|| {
        Error::not_found(format!("Domain {name} not found in account {}", account.account_id))
    })?;
    cx.tx.delete(&domain)?;
    let was_pending = domain.domain_status == DomainStatus::PendingVerification;
    if was_pending || any_claimed(cx, &account)? {
        return Ok(response(cx, account));
    }
    let team = AccountRecord {
        account_type: AccountType::Team,
        directory_id: None,
        groups: Vec::new(),
        open_id_config: None,
        retention: Retention::default(),
        user_generation: account.user_generation + 1,
        ..account.clone()
    };
    cx.tx.update(&account, &team)?;
    Ok(response(cx, team))
}

/// Lists the domains that an account claims, by name.
pub(in super::super) fn list_domains(
    cx: &mut Context<'_>,
    request: &ListDomainsRequest,
) -> Result<ListDomainsResponse> {
    let ListDomainsRequest { account_id, .. } = request;
    let query = Query { operation: "ListDomains", filters: account_id };
    let after = query.position(cx, request.next_token.as_deref());
    let domains = domains_of(&cx.caller.aws_account_id, account_id);
    let limit = request.max_results.get();
    let (_, page): (_, Page<DomainRecord>) =
        account_with_page(cx, account_id, &domains, after, limit)?;
    let next_token = query.token(cx, page.next.as_ref());
    let domains = page.items.into_iter().map(Domain::from).collect();
    Ok(ListDomainsResponse { domains, next_token })
}

// What the verifier does.

/// Returns claims that wait for their DNS record.
pub fn pending(
    tx: &Tx<'_>,
    after: Option<&Position>,
    limit: usize,
) -> store::Result<Page<DomainRecord>> {
    tx.page(&Key::of(Table::PendingDomains), after, limit)
}

/// Lets a claim hold whose DNS record was seen, unless it was given up or another's holds by now;
/// answers whether it holds.
pub fn confirm(tx: &mut Tx<'_>, seen: &DomainRecord, now: Timestamp) -> store::Result<bool> {
    let claim = tx.get::<DomainRecord>(&seen.key())?.filter(|claim| claim == seen);
    let Some(claim) = claim else { return Ok(false) };
    let key = account_key(&claim.aws_account_id, &claim.account_id);
    let account = tx.get::<AccountRecord>(&key)?.filter(AccountRecord::is_live);
    // A suspended account does not change; its claims wait.
    let is_active = |account: &AccountRecord| account.account_status == AccountStatus::Active;
    let Some(account) = account.filter(is_active) else { return Ok(false) };
    match tx.update(&claim, &verified(claim.clone(), now)) {
        Err(store::Error::Taken(_)) => return Ok(false),
        other => other?,
    }
    with_domain(tx, account)?;
    Ok(true)
}

// Helpers.

/// Tells whether a domain belongs to an account.
pub(in super::super) fn any_claimed(cx: &Context<'_>, account: &AccountRecord) -> Result<bool> {
    Ok(cx.tx.any(&mark_of(&account.aws_account_id, &account.account_id))?)
}

/// Gives up what an account claims and does not have yet.
pub(super) fn drop_pending(cx: &mut Context<'_>, account: &AccountRecord) -> Result<()> {
    let domains = domains_of(&account.aws_account_id, &account.account_id);
    let claims: Page<DomainRecord> = cx.tx.page(&domains, None, DOMAINS_MAX)?;
    for claim in claims.items {
        cx.tx.delete(&claim)?;
    }
    Ok(())
}

fn verified(domain: DomainRecord, now: Timestamp) -> DomainRecord {
    let domain_status = DomainStatus::Verified;
    DomainRecord { domain_status, verified_timestamp: Some(now), ..domain }
}

/// Makes an Enterprise account of a Team account, for it has a domain now.
fn with_domain(tx: &mut Tx<'_>, old: AccountRecord) -> store::Result<AccountRecord> {
    if old.account_type != AccountType::Team {
        return Ok(old);
    }
    let account = AccountRecord { account_type: AccountType::EnterpriseLwa, ..old.clone() };
    tx.update(&old, &account)?;
    Ok(account)
}

/// Makes a claim that waits as young as a new one.
fn renewed(cx: &mut Context<'_>, claim: DomainRecord) -> Result<DomainRecord> {
    if claim.domain_status == DomainStatus::Verified {
        return Ok(claim);
    }
    let renewed = DomainRecord { claimed_timestamp: cx.now, ..claim.clone() };
    cx.tx.update(&claim, &renewed)?;
    Ok(renewed)
}

fn verification_value(cx: &mut Context<'_>) -> String {
    let random: [u8; 16] = cx.random_bytes();
    let digits = random.iter().map(|byte| format!("{byte:02x}"));
    format!("campanile-domain-verification={}", digits.collect::<String>())
}

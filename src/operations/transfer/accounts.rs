//! Accounts that come in as they were, with their settings and their domains.

use super::saved::{self, Item, SavedTimestamp, put, put_over, put_some};
use super::{ITEMS_MAX, Import, ImportResponse, Outcome, Refusal, Settled, differing};
use crate::clock::Timestamp;
use crate::operations::accounts::directories::GROUPS_MAX;
use crate::operations::accounts::domains::{
    DOMAINS_MAX, DomainRecord, DomainStatus, any_claimed, domains_of, verified_key,
};
use crate::operations::accounts::record::{
    Account, AccountStatus, AccountType, LicenseGroup, OpenIdConfig, Retention,
    SigninDelegateGroup, account_key,
};
use crate::operations::accounts::settings::{RetentionSettings, SIGNIN_DELEGATE_GROUPS_MAX};
use crate::operations::accounts::{AccountRecord, supported_license};
use crate::operations::{Context, Form, users};
use crate::protocol::decode::Fault;
use crate::protocol::error::{Error, Result};
use crate::protocol::shapes::{
    AccountName, AwsAccountId, DomainName, License, List, Others, ShortString,
};
use crate::store::{Page, Record};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// How many licences there are.
const LICENSES_MAX: usize = 4;
/// The members of an account that are kept as such. What is not here is kept beside them.
const MEMBERS: [&str; 17] = [
    "AccountId",
    "AccountStatus",
    "AccountType",
    "Admins",
    "AwsAccountId",
    "BillingType",
    "CreatedTimestamp",
    "DefaultLicense",
    "DelegationStatus",
    "DirectoryId",
    "Domains",
    "Groups",
    "Name",
    "Owner",
    "SigninDelegateGroups",
    "SupportedLicenses",
    "UseProTrialLicense",
];
const SETTINGS: [&str; 2] = ["DisableRemoteControl", "EnableDialOut"];

// Shapes.

/// The request of `ImportAccounts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportAccountsRequest {
    accounts: List<Item, ITEMS_MAX>,
    aws_account_id: Option<AwsAccountId>,
    dry_run: Option<bool>,
    overwrite: Option<bool>,
}

/// An account with what other documents say about it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct AccountItem {
    account: Option<AccountMembers>,
    account_settings: Option<SettingsItem>,
    domains: Option<List<DomainItem, DOMAINS_MAX>>,
    initiate_deletion_timestamp: Option<SavedTimestamp>,
    open_id_config: Option<OpenIdItem>,
    retention_settings: Option<RetentionSettings>,
    #[serde(skip)]
    others: Others,
    #[serde(skip)]
    other_settings: Others,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccountMembers {
    account_id: Option<ShortString>,
    account_status: Option<AccountStatus>,
    account_type: Option<AccountType>,
    admins: Option<Value>,
    aws_account_id: Option<AwsAccountId>,
    billing_type: Option<ShortString>,
    created_timestamp: Option<SavedTimestamp>,
    default_license: Option<License>,
    delegation_status: Option<ShortString>,
    directory_id: Option<ShortString>,
    domains: Option<Value>,
    groups: Option<List<LicenseGroupItem, GROUPS_MAX>>,
    name: Option<AccountName>,
    owner: Option<Value>,
    signin_delegate_groups: Option<List<SigninDelegateGroupItem, SIGNIN_DELEGATE_GROUPS_MAX>>,
    supported_licenses: Option<List<License, LICENSES_MAX>>,
    use_pro_trial_license: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LicenseGroupItem {
    group_id: ShortString,
    license: License,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SigninDelegateGroupItem {
    group_name: ShortString,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SettingsItem {
    disable_remote_control: Option<bool>,
    enable_dial_out: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OpenIdItem {
    client_id: ShortString,
    issuer: ShortString,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DomainItem {
    account_id: Option<ShortString>,
    claimed_timestamp: Option<SavedTimestamp>,
    domain_name: DomainName,
    domain_status: Option<DomainStatus>,
    verification_record: Option<VerificationRecordItem>,
    verified_timestamp: Option<SavedTimestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VerificationRecordItem {
    value: Option<ShortString>,
}

// Operations.

/// Imports accounts: those for which it fails are told, and the others are imported.
pub(in super::super) fn import_accounts(
    cx: &mut Context<'_>,
    request: &ImportAccountsRequest,
) -> Result<ImportResponse> {
    let aws_account_id = request.aws_account_id.as_ref();
    let mut import = Import::new(cx, aws_account_id, request.dry_run, request.overwrite)?;
    let items: Vec<_> = request.accounts.iter().map(|item| AccountItem::of(&item.0)).collect();
    let ids = items.iter().flatten().filter_map(|item| item.account_id());
    cx.tx.fetch(ids.map(|id| account_key(&import.aws_account_id, id)).collect::<BTreeSet<_>>())?;
    for (index, item) in items.into_iter().enumerate() {
        let settled =
            item.map_err(Refusal::from).and_then(|item| import_account(cx, &mut import, &item));
        import.add(index, settled)?;
    }
    Ok(import.response)
}

/// Tells what is wrong with each member of an account's documents.
pub fn check(item: &Value) -> std::result::Result<(), Vec<Fault>> {
    AccountItem::of(item).map(drop)
}

fn import_account(cx: &mut Context<'_>, import: &mut Import, item: &AccountItem) -> Settled {
    let account_id = item.account_id().ok_or_else(|| vec![saved::missing("Account.AccountId")])?;
    let key = account_key(&import.aws_account_id, account_id);
    let old: Option<AccountRecord> = cx.tx.get(&key)?;
    if old.as_ref().is_some_and(|old| !old.is_live()) {
        return Err(Refusal::new(Error::conflict(format!(
            "Account {account_id} was deleted. Restore it with RestoreAccount first"
        ))));
    }
    if !import.claim(key) {
        return Err(Refusal::new(Error::conflict(format!(
            "Account {account_id} stands in the request twice"
        ))));
    }
    let account = item
        .planned(cx, &import.aws_account_id, old.clone())
        .ok_or_else(|| vec![saved::missing("Account.Name")])?;
    let domains = item.changed_domains(cx, &account)?;
    let outcome = import.outcome(old.is_some(), || {
        let old = old.as_ref()?;
        let differs = *old != account || !domains.is_empty();
        differs.then(|| {
            format!("Account {account_id} in {}", differences(old, &account, &domains).join(", "))
        })
    })?;
    if matches!(outcome, Outcome::Unchanged) {
        return Ok(outcome);
    }
    item.check(cx, import, old.as_ref(), &account)?;
    check_domains(cx, import, &account, &domains)?;
    if import.dry_run {
        return Ok(outcome);
    }
    match &old {
        None => cx.tx.insert(&account)?,
        Some(old) => cx.tx.update(old, &account)?,
    }
    for (old, domain) in &domains {
        match old {
            None => cx.tx.insert(domain)?,
            Some(old) => cx.tx.update(old, domain)?,
        }
    }
    Ok(outcome)
}

/// A domain as it is stored, and as it is to be.
type ChangedDomain = (Option<DomainRecord>, DomainRecord);

/// Names what would change of an account.
fn differences(old: &AccountRecord, new: &AccountRecord, domains: &[ChangedDomain]) -> Vec<String> {
    let shown = |account: &AccountRecord| {
        serde_json::to_value(Account::of(account.clone(), Form::Current)).unwrap_or_default()
    };
    let mut names = differing(&shown(old), &shown(new));
    let parts = [
        ("AccountSettings", old.settings != new.settings),
        ("Domains", !domains.is_empty()),
        ("OpenIdConfig", old.open_id_config != new.open_id_config),
        ("RetentionSettings", old.retention != new.retention),
    ];
    names.extend(parts.iter().filter(|(_, differ)| *differ).map(|(name, _)| (*name).to_owned()));
    names
}

/// Refuses domains that the account cannot have.
fn check_domains(
    cx: &Context<'_>,
    import: &mut Import,
    account: &AccountRecord,
    domains: &[ChangedDomain],
) -> std::result::Result<(), Refusal> {
    let refused = |error| Err(Refusal::at("Domains", error));
    let (aws_account_id, account_id) = (&account.aws_account_id, &account.account_id);
    let stored: Page<DomainRecord> =
        cx.tx.page(&domains_of(aws_account_id, account_id), None, DOMAINS_MAX)?;
    let new = domains.iter().filter(|(old, _)| old.is_none()).count();
    if stored.items.len() + new > DOMAINS_MAX {
        return refused(Error::bad_request(format!(
            "An account may claim {DOMAINS_MAX} domains, and would claim {}",
            stored.items.len() + new
        )));
    }
    for (old, domain) in domains {
        let name = &domain.domain_name;
        if domain.domain_status != DomainStatus::Verified {
            continue;
        }
        let was_verified =
            old.as_ref().is_some_and(|old| old.domain_status == DomainStatus::Verified);
        if cx.terms.verify_domains && !was_verified && !cx.caller.is_deployment_root() {
            return refused(Error::forbidden(format!(
                "This deployment verifies domains: claim {name} with ClaimDomain, or let the \
                 deployment's root import it"
            )));
        }
        let key = verified_key(name);
        let found: Option<DomainRecord> = cx.tx.find(&key)?;
        let is_other = found.is_some_and(|found| found.key() != domain.key());
        if is_other || !import.claim(key) {
            let message = format!("Domain {name} belongs to another account");
            return refused(Error::conflict(message));
        }
    }
    let any = domains.iter().any(|(_, it)| it.domain_status == DomainStatus::Verified);
    if account.account_type == AccountType::Team && (any || any_claimed(cx, account)?) {
        return refused(Error::bad_request(format!(
            "Account {account_id} has domains, so that it cannot be of type Team"
        )));
    }
    Ok(())
}

impl AccountItem {
    pub(super) fn of(item: &Value) -> std::result::Result<Self, Vec<Fault>> {
        let others = saved::others(item, "Account", &MEMBERS);
        let other_settings = saved::others(item, "AccountSettings", &SETTINGS);
        Ok(Self { others, other_settings, ..saved::decode(item)? })
    }

    pub(super) fn account_id(&self) -> Option<&str> {
        self.account.as_ref()?.account_id.as_deref()
    }

    /// Returns the account as it is to be: what the documents say over what there is. Nothing can
    /// be made of documents without a name.
    pub(super) fn planned(
        &self,
        cx: &Context<'_>,
        aws_account_id: &str,
        old: Option<AccountRecord>,
    ) -> Option<AccountRecord> {
        let said = self.account.as_ref()?;
        let id = said.account_id.as_deref()?;
        let mut account = if let Some(old) = old {
            old
        } else {
            let name = said.name.as_deref()?;
            AccountRecord::team(aws_account_id, id.to_owned(), name, cx.now)
        };
        let text = |text: &Option<ShortString>| text.as_deref().map(str::to_owned);
        put(&mut account.name, said.name.as_deref().map(str::to_owned).as_ref());
        put(&mut account.account_type, said.account_type.as_ref());
        put(&mut account.account_status, said.account_status.as_ref());
        put(&mut account.admins, said.admins.as_ref());
        put(&mut account.billing_type, text(&said.billing_type).as_ref());
        put(&mut account.created_timestamp, said.created_timestamp.map(|it| it.0).as_ref());
        put(&mut account.default_license, said.default_license.as_ref());
        put(&mut account.delegation_status, text(&said.delegation_status).as_ref());
        put_some(&mut account.directory_id, text(&said.directory_id).as_ref());
        put(&mut account.domains, said.domains.as_ref());
        put(&mut account.owner, said.owner.as_ref());
        put(&mut account.use_pro_trial_license, said.use_pro_trial_license.as_ref());
        if let Some(groups) = &said.groups {
            let group = |it: &LicenseGroupItem| LicenseGroup {
                group_id: (*it.group_id).to_owned(),
                license: it.license,
            };
            account.groups = groups.iter().map(group).collect();
        }
        if let Some(groups) = &said.signin_delegate_groups {
            let group = |it: &SigninDelegateGroupItem| SigninDelegateGroup {
                group_name: Some(it.group_name.clone()),
            };
            account.signin_delegate_groups = groups.iter().map(group).collect();
        }
        put(
            &mut account.supported_licenses,
            said.supported_licenses.as_deref().map(<[_]>::to_vec).as_ref(),
        );
        put_over(&mut account.others, &self.others);
        self.put_settings(&mut account);
        Some(account)
    }

    fn put_settings(&self, account: &mut AccountRecord) {
        if let Some(said) = &self.account_settings {
            let settings = &mut account.settings;
            put(&mut settings.disable_remote_control, said.disable_remote_control.as_ref());
            put(&mut settings.enable_dial_out, said.enable_dial_out.as_ref());
            put_over(&mut settings.others, &self.other_settings);
        }
        let deletion = &mut account.retention.initiate_deletion_timestamp;
        put_some(deletion, self.initiate_deletion_timestamp.map(|it| it.0).as_ref());
        if let Some(said) = self.retention_settings {
            account.retention = said.retention(*deletion);
        }
        if let Some(said) = &self.open_id_config {
            account.open_id_config = Some(OpenIdConfig {
                client_id: (*said.client_id).to_owned(),
                issuer: (*said.issuer).to_owned(),
            });
        }
    }

    /// Refuses what no account can be.
    fn check(
        &self,
        cx: &Context<'_>,
        import: &Import,
        old: Option<&AccountRecord>,
        account: &AccountRecord,
    ) -> std::result::Result<(), Refusal> {
        let id = &account.account_id;
        let at = |member: &str, error| Err(Refusal::at(member, error));
        let aws_account_id = self.account.as_ref().and_then(|it| it.aws_account_id.as_deref());
        if let Some(other) = aws_account_id.filter(|it| *it != import.aws_account_id) {
            let error = Error::bad_request(format!(
                "The account belongs to AWS account {other}, and would be imported into {}. Import \
                 the accounts of each AWS account by themselves, with its AwsAccountId",
                import.aws_account_id
            ));
            return at("Account.AwsAccountId", error);
        }
        if old.is_some_and(|old| old.account_status == AccountStatus::Suspended)
            && account.account_status == AccountStatus::Suspended
        {
            return Err(Refusal::new(Error::forbidden(format!(
                "Account {id} is suspended: activate it with ActivateAccount before it is changed"
            ))));
        }
        if account.supported_licenses.is_empty() {
            let error = Error::bad_request("Member must have length greater than or equal to 1");
            return at("Account.SupportedLicenses", error);
        }
        supported_license(account, account.default_license, "DefaultLicense")
            .map_err(|error| Refusal::at("Account.DefaultLicense", error))?;
        for (index, group) in account.groups.iter().enumerate() {
            supported_license(account, group.license, "License")
                .map_err(|error| Refusal::at(&format!("Account.Groups[{index}].License"), error))?;
        }
        let gone = old.into_iter().flat_map(|old| &old.supported_licenses);
        for &license in gone.filter(|license| !account.supported_licenses.contains(license)) {
            if users::any_with_license(cx, account, license)? {
                let message = format!("License {license:?} is in use: a user has it");
                return at("Account.SupportedLicenses", Error::conflict(message));
            }
        }
        if !account.is_enterprise() && account.retention != Retention::default() {
            let error = Error::bad_request("Only an Enterprise account keeps messages by settings");
            return at("RetentionSettings", error);
        }
        if account.account_type != AccountType::EnterpriseOidc && account.open_id_config.is_some() {
            let error = Error::bad_request("Only an EnterpriseOIDC account has an OpenID provider");
            return at("OpenIdConfig", error);
        }
        Ok(())
    }

    /// Returns the domains that are not stored as the documents say.
    fn changed_domains(
        &self,
        cx: &Context<'_>,
        account: &AccountRecord,
    ) -> std::result::Result<Vec<ChangedDomain>, Refusal> {
        let mut changed: Vec<ChangedDomain> = Vec::new();
        for (index, item) in self.domains.as_deref().unwrap_or_default().iter().enumerate() {
            let member = || format!("Domains[{index}].DomainName");
            let of_account = item.account_id.as_deref().is_none_or(|id| id == account.account_id);
            let is_new = changed.iter().all(|(_, it)| it.domain_name != *item.domain_name);
            if !of_account || !is_new {
                let message = "It is the domain of another account, or stands in the list twice";
                return Err(Refusal::at(&member(), Error::bad_request(message)));
            }
            let key =
                domains_of(&account.aws_account_id, &account.account_id).string(&item.domain_name);
            let old: Option<DomainRecord> = cx.tx.get(&key)?;
            let domain = item.over(old.clone(), account, (cx.now, cx.terms.verify_domains));
            if old.as_ref() != Some(&domain) {
                changed.push((old, domain));
            }
        }
        Ok(changed)
    }
}

impl DomainItem {
    /// Puts what the document says over what there is, or over a claim made now.
    fn over(
        &self,
        old: Option<DomainRecord>,
        account: &AccountRecord,
        (now, verify): (Timestamp, bool),
    ) -> DomainRecord {
        let is_new = old.is_none();
        let mut domain = old.unwrap_or_else(|| DomainRecord {
            aws_account_id: account.aws_account_id.clone(),
            account_id: account.account_id.clone(),
            domain_name: (*self.domain_name).to_owned(),
            domain_status: if verify {
                DomainStatus::PendingVerification
            } else {
                DomainStatus::Verified
            },
            claimed_timestamp: now,
            verified_timestamp: None,
            verification_value: None,
        });
        put(&mut domain.domain_status, self.domain_status.as_ref());
        put(&mut domain.claimed_timestamp, self.claimed_timestamp.map(|it| it.0).as_ref());
        put_some(&mut domain.verified_timestamp, self.verified_timestamp.map(|it| it.0).as_ref());
        let value = self.verification_record.as_ref().and_then(|it| it.value.as_deref());
        put_some(&mut domain.verification_value, value.map(str::to_owned).as_ref());
        if is_new && domain.domain_status == DomainStatus::Verified {
            let claimed = domain.claimed_timestamp;
            domain.verified_timestamp = domain.verified_timestamp.or(Some(claimed));
        }
        domain
    }
}

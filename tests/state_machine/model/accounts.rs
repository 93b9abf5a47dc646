//! The operations on accounts.

use super::{
    Account, BAD_REQUEST, CONFLICT, Heard, Model, NOT_FOUND, Outcome, UNPROCESSABLE, text,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl Model {
    pub(super) fn create_account(&mut self, heard: &Heard<'_>) -> Value {
        self.accounts.push(Account {
            id: text(&heard.answer["Account"]["AccountId"]),
            name: text(&heard.members["Name"]),
            kind: "Team",
            suspended: false,
            created: heard.span,
            license: "Pro".to_owned(),
            supported: vec!["Basic".to_owned(), "Pro".to_owned()],
            directory: Value::Null,
            groups: json!([]),
            delegates: Vec::new(),
            settings: BTreeMap::from(
                ["DisableRemoteControl", "EnableDialOut"].map(|it| (it.to_owned(), json!(false))),
            ),
            retention: [Value::Null, Value::Null],
            deletion_of_messages: None,
            domains: BTreeMap::new(),
            deleted: None,
            users: Vec::new(),
        });
        self.answer(self.accounts.len() - 1)
    }

    pub(super) fn list_accounts(&self, members: &Value) -> Value {
        let live = self.accounts.iter().filter(|it| it.deleted.is_none());
        let prefix = text(&members["Name"]);
        let mut found: Vec<_> = live
            .filter(|it| it.name.starts_with(&prefix))
            .filter(|it| match members["UserEmail"].as_str() {
                Some(email) => it.users.iter().any(|user| user.has_address(email)),
                None => true,
            })
            .collect();
        found.sort_by_key(|it| (&it.name, &it.id));
        json!({"Accounts": found.iter().map(|it| self.view(it)).collect::<Vec<_>>()})
    }

    pub(super) fn list_deleted_accounts(&self) -> Value {
        let mut accounts: Vec<_> = self.accounts.iter().filter(|it| !self.is_expired(it)).collect();
        accounts.sort_by_key(|it| &it.id);
        let mut deleted = Vec::new();
        for account in accounts {
            if let Some((_, span)) = account.deleted {
                deleted.push(json!({
                    "Account": self.view(account),
                    "DeletedTimestamp": span.view(),
                    "RestorableUntilTimestamp": span.plus_days(super::RESTORABLE_DAYS).view(),
                }));
            }
        }
        json!({ "DeletedAccounts": deleted })
    }

    pub(super) fn restore_account(&mut self, members: &Value) -> Outcome {
        let account = self.accounts.iter().position(|it| members["AccountId"] == *it.id);
        let account =
            account.filter(|&at| !self.is_expired(&self.accounts[at])).ok_or(NOT_FOUND)?;
        self.accounts[account].deleted.take().ok_or(CONFLICT)?;
        Ok(self.answer(account))
    }

    pub(super) fn apply_to_account(&mut self, at: usize, heard: &Heard<'_>) -> Outcome {
        let (day, members) = (self.days, heard.members);
        let domain = text(&members["DomainName"]).to_lowercase();
        let is_taken = self.accounts.iter().any(|it| it.domains.contains_key(&domain));
        let account = &mut self.accounts[at];
        match heard.operation {
            "GetAccount" => {}
            "UpdateAccount" => account.update(members)?,
            "DeleteAccount" => {
                let is_used = account.users.iter().any(|it| it.status != "Suspended");
                if if account.is_enterprise() { !account.domains.is_empty() } else { is_used } {
                    return Err(UNPROCESSABLE);
                }
                account.deleted = Some((day, heard.span));
                return Ok(Value::Null);
            }
            "SuspendAccount" => account.suspended = true,
            "ActivateAccount" => account.suspended = false,
            "ClaimDomain" => {
                if is_taken && !account.domains.contains_key(&domain) {
                    return Err(CONFLICT);
                }
                let claimed = *account.domains.entry(domain.clone()).or_insert(heard.span);
                if !account.is_enterprise() {
                    account.kind = "EnterpriseLWA";
                }
                let domain = account.domain(&domain, claimed);
                return Ok(json!({"Account": self.view(&self.accounts[at]), "Domain": domain}));
            }
            "ReleaseDomain" => account.release(&domain)?,
            "ListDomains" => {
                let domains = account.domains.iter().map(|(it, &span)| account.domain(it, span));
                return Ok(json!({"Domains": domains.collect::<Vec<_>>()}));
            }
            "ConnectDirectory" => account.connect_directory(members)?,
            "ConnectOpenId" => account.connect_open_id(members)?,
            "DisconnectDirectory" => account.disconnect("EnterpriseDirectory")?,
            "DisconnectOpenId" => account.disconnect("EnterpriseOIDC")?,
            "UpdateSupportedLicenses" => account.support(members)?,
            _ => return account.apply_to_settings(heard),
        }
        Ok(self.answer(at))
    }

    fn answer(&self, account: usize) -> Value {
        json!({"Account": self.view(&self.accounts[account])})
    }
}

impl Account {
    fn update(&mut self, members: &Value) -> Result<(), &'static str> {
        if let Some(license) = members.get("DefaultLicense") {
            if !self.supports(license) {
                return Err(BAD_REQUEST);
            }
            self.license = text(license);
        }
        if let Some(name) = members.get("Name") {
            self.name = text(name);
        }
        Ok(())
    }

    fn release(&mut self, domain: &str) -> Result<(), &'static str> {
        self.domains.remove(domain).ok_or(NOT_FOUND)?;
        if self.domains.is_empty() {
            self.disconnect(self.kind)?;
            self.kind = "Team";
            self.retention = [Value::Null, Value::Null];
            self.deletion_of_messages = None;
            self.users.iter_mut().for_each(|it| it.status = "Suspended");
        }
        Ok(())
    }

    fn connect_directory(&mut self, members: &Value) -> Result<(), &'static str> {
        let id = &members["DirectoryId"];
        if !self.is_enterprise() {
            return Err(BAD_REQUEST);
        }
        if self.kind == "EnterpriseOIDC" || !self.directory.is_null() && self.directory != *id {
            return Err(CONFLICT);
        }
        let groups = members.get("Groups").cloned().unwrap_or(json!([]));
        if !groups.as_array().unwrap().iter().all(|it| self.supports(&it["License"])) {
            return Err(BAD_REQUEST);
        }
        (self.kind, self.directory, self.groups) = ("EnterpriseDirectory", id.clone(), groups);
        Ok(())
    }

    fn connect_open_id(&mut self, members: &Value) -> Result<(), &'static str> {
        match self.kind {
            "Team" => Err(BAD_REQUEST),
            "EnterpriseDirectory" => Err(CONFLICT),
            _ if !text(&members["Issuer"]).starts_with("https:") => Err(BAD_REQUEST),
            _ => {
                self.kind = "EnterpriseOIDC";
                Ok(())
            }
        }
    }

    fn disconnect(&mut self, kind: &str) -> Result<(), &'static str> {
        if self.kind != kind {
            return Err(BAD_REQUEST);
        }
        (self.kind, self.directory, self.groups) = ("EnterpriseLWA", Value::Null, json!([]));
        Ok(())
    }

    fn support(&mut self, members: &Value) -> Result<(), &'static str> {
        let mut supported: Vec<String> = Vec::new();
        for license in members["SupportedLicenses"].as_array().unwrap() {
            if !supported.contains(&text(license)) {
                supported.push(text(license));
            }
        }
        let groups = self.groups.as_array().unwrap().iter().map(|it| text(&it["License"]));
        let users = self.users.iter().map(|it| it.license.clone());
        let mut used = groups.chain(users).chain([self.license.clone()]);
        if !used.all(|license| supported.contains(&license)) {
            return Err(CONFLICT);
        }
        self.supported = supported;
        Ok(())
    }

    fn apply_to_settings(&mut self, heard: &Heard<'_>) -> Outcome {
        let members = heard.members;
        match heard.operation {
            "GetAccountSettings" => return Ok(json!({"AccountSettings": self.settings})),
            "UpdateAccountSettings" => {
                let changes = members["AccountSettings"].as_object().unwrap();
                let changes = changes.iter().filter(|(_, it)| !it.is_null());
                self.settings.extend(changes.map(|(name, it)| (name.clone(), it.clone())));
                return Ok(Value::Null);
            }
            "AssociateSigninDelegateGroupsWithAccount" => {
                for group in members["SigninDelegateGroups"].as_array().unwrap() {
                    let name = text(&group["GroupName"]);
                    if !name.is_empty() && !self.delegates.contains(&name) {
                        self.delegates.push(name);
                    }
                }
            }
            "DisassociateSigninDelegateGroupsFromAccount" => {
                let names: Vec<_> =
                    members["GroupNames"].as_array().unwrap().iter().map(text).collect();
                if !names.iter().all(|name| self.delegates.contains(name)) {
                    return Err(NOT_FOUND);
                }
                self.delegates.retain(|name| !names.contains(name));
            }
            "GetRetentionSettings" if self.is_enterprise() => {
                let deletion = self.deletion_of_messages;
                let [rooms, conversations] = &self.retention;
                return Ok(json!({
                    "InitiateDeletionTimestamp": deletion.map(|it| it.plus_days(30).view()),
                    "RetentionSettings": {
                        "ConversationRetentionSettings": conversations,
                        "RoomRetentionSettings": rooms,
                    },
                }));
            }
            "PutRetentionSettings" if self.is_enterprise() => {
                let settings = &members["RetentionSettings"];
                let retention =
                    ["RoomRetentionSettings", "ConversationRetentionSettings"].map(|it| {
                        settings[it]
                            .as_object()
                            .filter(|it| !it.is_empty())
                            .map_or(Value::Null, object)
                    });
                if retention != self.retention {
                    let deletes = retention.iter().any(Value::is_object);
                    self.deletion_of_messages = deletes.then_some(heard.span);
                }
                self.retention = retention;
                return Ok(Value::Null);
            }
            "GetRetentionSettings" | "PutRetentionSettings" => return Err(BAD_REQUEST),
            other => panic!("the model does not know {other}"),
        }
        Ok(json!({}))
    }
}

fn object(members: &Map<String, Value>) -> Value {
    members.clone().into()
}

//! The operations on users.

use super::super::steps::{ACCEPT_INVITE, ADDRESSES};
use super::{
    ACCEPTABLE_DAYS, Account, BAD_REQUEST, CONFLICT, ENDED, FORBIDDEN, Heard, Model, NEWCOMER,
    NOT_FOUND, Outcome, User, text,
};
use serde_json::{Value, json};

impl Model {
    pub(super) fn apply_to_users(&mut self, at: usize, heard: &Heard<'_>) -> Outcome {
        match heard.operation {
            "InviteUsers" => return self.invite(at, heard),
            "CreateUser" => return self.create_user(at, heard),
            _ => {}
        }
        let (account, members, day) = (&mut self.accounts[at], heard.members, self.days);
        match heard.operation {
            "ListUsers" => return Ok(account.list_users(members)),
            "BatchSuspendUser" => return Ok(account.for_each(members, Account::suspend)),
            "BatchUnsuspendUser" => return Ok(account.for_each(members, Account::unsuspend)),
            "BatchUpdateUser" => {
                let items = members["UpdateUserRequestItems"].as_array().unwrap();
                let failed = items.iter().filter_map(|item| {
                    account.update_user(item).err().map(|error| failure(&item["UserId"], error))
                });
                return Ok(json!({"UserErrors": failed.collect::<Vec<_>>()}));
            }
            "UpdateUser" => {
                account.update_user(members)?;
                return Ok(super::views::only_id(&members["UserId"]));
            }
            _ => {}
        }
        let index = account.user(&members["UserId"])?;
        let user = &mut account.users[index];
        match heard.operation {
            "GetUser" => return Ok(json!({"User": account.user_view(index, "Public", true)})),
            "LogoutUser" => return Ok(Value::Null),
            "GetInvite" if user.invite.is_null() => return Err(NOT_FOUND),
            "GetInvite" => {
                let (_, invited) = user.invited.unwrap();
                return Ok(json!({
                    "ExpiresTimestamp": invited.plus_days(ACCEPTABLE_DAYS).view(),
                    "Invite": user.invite_view(),
                    "Url": if user.is_invited(day) { json!({"text": true}) } else { Value::Null },
                }));
            }
            ACCEPT_INVITE if user.invite.is_null() => return Err(NOT_FOUND),
            ACCEPT_INVITE if !user.is_invited(day) => return Err(ENDED),
            ACCEPT_INVITE if account.suspended => return Err(FORBIDDEN),
            ACCEPT_INVITE => {
                (user.status, user.invitation) = ("Registered", Some("Accepted"));
                user.name = Some(NEWCOMER.to_owned());
                user.registered = Some(heard.span);
                user.pin = user.pin.take().or(pin(heard));
                return Ok(json!({"User": account.user_view(index, "Public", true)}));
            }
            "ResetPersonalPIN" => {
                user.pin = pin(heard);
                return Ok(json!({"User": account.user_view(index, (), true)}));
            }
            "GetUserSettings" => {
                return Ok(json!({"UserSettings": {"Telephony": user.telephony}}));
            }
            "UpdateUserSettings" => {
                user.telephony = members["UserSettings"]["Telephony"].clone();
            }
            other => panic!("the model does not know {other}"),
        }
        Ok(Value::Null)
    }

    fn create_user(&mut self, at: usize, heard: &Heard<'_>) -> Outcome {
        let members = heard.members;
        let kind = members["UserType"].as_str().unwrap_or("PrivateUser");
        if kind == "PrivateUser" && !self.accounts[at].is_enterprise() {
            return Err(BAD_REQUEST);
        }
        let email = members["Email"].as_str();
        if email.is_some_and(|email| self.owner(email).is_some()) {
            return Err(CONFLICT);
        }
        let name_of = |email| ADDRESSES.iter().find(|(it, _)| *it == email).unwrap().1.to_owned();
        let username = members["Username"].as_str().filter(|name| !name.is_empty());
        let account = &mut self.accounts[at];
        account.users.push(User {
            id: text(&heard.answer["User"]["UserId"]),
            email: email.map(str::to_owned),
            name: username.map(str::to_owned).or(email.map(name_of)),
            status: "Registered",
            registered: Some(heard.span),
            pin: if kind == "PrivateUser" { pin(heard) } else { None },
            ..User::new(kind, &account.license)
        });
        Ok(json!({"User": account.user_view(account.users.len() - 1, (), true)}))
    }

    fn invite(&mut self, at: usize, heard: &Heard<'_>) -> Outcome {
        if self.accounts[at].is_enterprise() {
            return Err(BAD_REQUEST);
        }
        let emails = heard.members["UserEmailList"].as_array().unwrap();
        for (index, email) in emails.iter().map(text).enumerate() {
            let owner = self.owner(&email);
            let account = &mut self.accounts[at];
            let user = match owner {
                Some((owner, user)) if owner == at => &mut account.users[user],
                Some(_) => continue,
                None => {
                    let kind = heard.members["UserType"].as_str().unwrap_or("PrivateUser");
                    let user = User { email: Some(email), ..User::new(kind, &account.license) };
                    account.users.push(user);
                    account.users.last_mut().unwrap()
                }
            };
            if user.status == "Suspended" {
                (user.status, user.registered, user.pin) = ("Unregistered", None, None);
                user.invite = Value::Null;
            }
            if user.status == "Unregistered" {
                if user.invite.is_null() {
                    user.invite = heard.answer["Invites"][index]["InviteId"].clone();
                }
                user.invited = Some((self.days, heard.span));
                user.invitation = Some("Pending");
            }
        }
        Ok(json!({"Invites": emails.iter().map(|it| self.invite_view(at, it)).collect::<Vec<_>>()}))
    }

    fn invite_view(&self, at: usize, email: &Value) -> Value {
        let owner = self.owner(&text(email)).filter(|(account, _)| *account == at);
        let Some((_, user)) = owner else {
            return json!({"EmailAddress": email, "EmailStatus": "NotSent", "InviteId": null, "Status": "Failed"});
        };
        let mut invite = self.accounts[at].users[user].invite_view();
        invite["EmailAddress"] = email.clone();
        invite
    }
}

impl Account {
    fn user(&self, id: &Value) -> Result<usize, &'static str> {
        self.users.iter().position(|it| *id == it.id).ok_or(NOT_FOUND)
    }

    fn list_users(&self, members: &Value) -> Value {
        let is_meant = |user: &User| {
            members["UserEmail"].as_str().is_none_or(|email| user.has_address(email))
                && members["UserType"].as_str().is_none_or(|kind| user.kind == kind)
        };
        let mut found: Vec<_> =
            (0..self.users.len()).filter(|&it| is_meant(&self.users[it])).collect();
        found.sort_by_key(|&it| &self.users[it].id);
        let views = found.iter().map(|&it| self.user_view(it, (), false));
        json!({"Users": views.collect::<Vec<_>>()})
    }

    fn for_each(
        &mut self,
        members: &Value,
        change: fn(&mut Self, usize) -> Result<(), &'static str>,
    ) -> Value {
        let (mut failed, mut seen) = (Vec::new(), Vec::new());
        for id in members["UserIdList"].as_array().unwrap() {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            if let Err(error) = self.user(id).and_then(|user| change(self, user)) {
                failed.push(failure(id, error));
            }
        }
        json!({ "UserErrors": failed })
    }

    fn suspend(&mut self, user: usize) -> Result<(), &'static str> {
        match self.kind {
            "Team" => drop(self.users.remove(user)),
            "EnterpriseLWA" => self.users[user].status = "Suspended",
            _ => return Err(BAD_REQUEST),
        }
        Ok(())
    }

    fn unsuspend(&mut self, user: usize) -> Result<(), &'static str> {
        if self.kind != "EnterpriseLWA" {
            return Err(BAD_REQUEST);
        }
        let user = &mut self.users[user];
        if user.status == "Suspended" {
            let came = user.registered.is_some();
            user.status = if came { "Registered" } else { "Unregistered" };
        }
        Ok(())
    }

    fn update_user(&mut self, change: &Value) -> Result<(), &'static str> {
        let index = self.user(&change["UserId"])?;
        let from_groups = ["EnterpriseDirectory", "EnterpriseOIDC"].contains(&self.kind);
        let license = &change["LicenseType"];
        if !license.is_null() && (from_groups || !self.supports(license)) {
            return Err(BAD_REQUEST);
        }
        let kind = change["UserType"].as_str().filter(|kind| *kind != self.users[index].kind);
        if kind == Some("PrivateUser") && !self.is_enterprise() {
            return Err(BAD_REQUEST);
        }
        let user = &mut self.users[index];
        if !license.is_null() {
            user.license = text(license);
        }
        if let Some(kind) = kind {
            kind.clone_into(&mut user.kind);
        }
        let alexa = &change["AlexaForBusinessMetadata"];
        for (value, new) in [
            (&mut user.room_arn, &alexa["AlexaForBusinessRoomArn"]),
            (&mut user.alexa, &alexa["IsAlexaForBusinessEnabled"]),
        ] {
            if !new.is_null() {
                value.clone_from(new);
            }
        }
        Ok(())
    }
}

impl User {
    fn new(kind: &str, license: &str) -> Self {
        Self {
            id: String::new(),
            email: None,
            name: None,
            kind: kind.to_owned(),
            license: license.to_owned(),
            status: "Unregistered",
            pin: None,
            invite: Value::Null,
            invited: None,
            invitation: None,
            registered: None,
            room_arn: Value::Null,
            alexa: json!(false),
            telephony: json!({"InboundCalling": false, "OutboundCalling": false, "SMS": false}),
        }
    }
}

impl User {
    /// Tells whether the link of the user's invite works.
    fn is_invited(&self, day: i64) -> bool {
        self.status == "Unregistered"
            && self.invited.is_some_and(|(invited, _)| day - invited < ACCEPTABLE_DAYS)
    }

    fn invite_view(&self) -> Value {
        let status = if self.status == "Registered" {
            "Accepted"
        } else {
            self.invitation.unwrap_or("Pending")
        };
        json!({"EmailAddress": self.email, "EmailStatus": "NotSent", "InviteId": self.invite, "Status": status})
    }
}

/// Returns the PIN that the server drew.
fn pin(heard: &Heard<'_>) -> Option<String> {
    let pin = text(&heard.answer["User"]["PersonalPIN"]);
    (pin.len() == 10 && pin.bytes().all(|it| it.is_ascii_digit())).then_some(pin)
}

fn failure(user_id: &Value, exception: &str) -> Value {
    let code = exception.trim_end_matches("Exception");
    json!({"ErrorCode": code, "ErrorMessage": {"text": true}, "UserId": user_id})
}

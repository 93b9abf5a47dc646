//! The user operations, as the AWS SDK for Rust calls them.

mod harness;

use aws_sdk_chime::Client;
use aws_sdk_chime::error::ProvideErrorMetadata;
use aws_sdk_chime::primitives::DateTime;
use aws_sdk_chime::types::{
    AccountSettings, AccountType, ErrorCode, InviteStatus, License, RegistrationStatus,
    RetentionSettings, RoomRetentionSettings, SigninDelegateGroup, TelephonySettings,
    UpdateUserRequestItem, User, UserSettings, UserType,
};
use harness::{client, created, is_uuid, unique};
use std::process::Command;
use std::time::{Duration, SystemTime};

const GRACE: Duration = Duration::from_hours(30 * 24);

/// Returns addresses that no other test has.
fn addresses(test: &str, count: usize) -> Vec<String> {
    let local = unique(test).replace(' ', "-");
    (0..count).map(|number| format!("{local}{number:02}@Example.com")).collect()
}

/// Makes an Enterprise account with a user in it. AWS's console made them of Team accounts, by
/// claiming a domain.
async fn enterprise(client: &Client, test: &str) -> (String, User) {
    let id = created(client, &unique(test)).await.account_id;
    let domain = format!("{}.example", unique(test).trim().replace(' ', "-"));
    let members = format!(r#"{{"AccountId":"{id}","DomainName":"{domain}"}}"#);
    let program = std::env::var("TEST_BINARY").unwrap();
    let claim = Command::new(program).args(["call", "ClaimDomain", &members]).output().unwrap();
    assert!(claim.status.success(), "{claim:?}");
    let account = client.get_account().account_id(&id).send().await.unwrap().account.unwrap();
    assert_eq!(account.account_type, Some(AccountType::EnterpriseLwa));
    let email = &addresses(test, 1)[0];
    let create = client.create_user().account_id(&id).email(email).username("Jane");
    (id, create.send().await.unwrap().user.unwrap())
}

async fn got(client: &Client, account_id: &str, user_id: &str) -> User {
    let get = client.get_user().account_id(account_id).user_id(user_id);
    get.send().await.unwrap().user.unwrap()
}

/// Checks that a timestamp is of this moment, plus a time.
fn check_now(timestamp: DateTime, plus: Duration) {
    let expected = DateTime::from(SystemTime::now() + plus).to_millis().unwrap();
    let difference = expected.abs_diff(timestamp.to_millis().unwrap());
    assert!(difference < 60_000, "{timestamp} is {difference} ms away");
}

#[tokio::test]
async fn people_are_invited_listed_page_by_page_and_found_by_their_address() {
    let client = client().await;
    let id = created(&client, &unique("invites")).await.account_id;
    let emails = addresses("invites", 25);
    let invite = client.invite_users().account_id(&id).set_user_email_list(Some(emails.clone()));
    let invites = invite.send().await.unwrap().invites.unwrap();
    let invited: Vec<_> = invites.iter().map(|it| it.email_address().unwrap()).collect();
    assert_eq!(invited, emails);
    assert!(invites.iter().all(|invite| is_uuid(invite.invite_id().unwrap())));
    assert!(invites.iter().all(|invite| invite.status() == Some(&InviteStatus::Pending)));

    let mut stream = client.list_users().account_id(&id).into_paginator().page_size(10).send();
    let (mut users, mut sizes) = (Vec::new(), Vec::new());
    while let Some(page) = stream.next().await {
        let page = page.unwrap().users.unwrap();
        sizes.push(page.len());
        users.extend(page);
    }
    assert_eq!(sizes, [10, 10, 5]);
    let mut listed: Vec<_> = users.iter().map(|user| user.primary_email().unwrap()).collect();
    listed.sort_unstable();
    assert_eq!(listed, emails);
    for user in &users {
        check_now(user.invited_on.unwrap(), Duration::ZERO);
        assert_eq!(user.user_registration_status(), Some(&RegistrationStatus::Unregistered));
        assert_eq!(user.personal_pin(), None);
    }
    let email = emails[7].to_uppercase();
    let list = client.list_users().account_id(&id).user_email(&email);
    let found = list.send().await.unwrap().users.unwrap();
    assert_eq!(found[0].primary_email(), Some(emails[7].as_str()));
    let accounts = client.list_accounts().user_email(&email).send().await.unwrap().accounts;
    assert_eq!(accounts.unwrap()[0].account_id, id);
}

#[tokio::test]
async fn a_user_is_got_given_another_license_suspended_and_let_in_again() {
    let client = client().await;
    let (id, user) = enterprise(&client, "life").await;
    let user_id = user.user_id.as_str();
    check_now(user.registered_on.unwrap(), Duration::ZERO);
    assert_eq!(user.user_type(), Some(&UserType::PrivateUser));
    assert_eq!(user.personal_pin().unwrap().len(), 10);
    assert_eq!(got(&client, &id, user_id).await, user);

    let update = client.update_user().account_id(&id).user_id(user_id);
    let updated = update.license_type(License::Basic).send().await.unwrap().user.unwrap();
    assert_eq!(updated, User::builder().user_id(user_id).build().unwrap());
    let item = |id: &str| UpdateUserRequestItem::builder().user_id(id);
    let batch = client
        .batch_update_user()
        .account_id(&id)
        .update_user_request_items(item(user_id).license_type(License::Pro).build().unwrap())
        .update_user_request_items(item("unknown").build().unwrap());
    let errors = batch.send().await.unwrap().user_errors.unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].user_id(), Some("unknown"));
    assert_eq!(errors[0].error_code(), Some(&ErrorCode::NotFound));
    assert_eq!(got(&client, &id, user_id).await, user);

    let suspend = client.batch_suspend_user().account_id(&id).user_id_list(user_id);
    assert_eq!(suspend.send().await.unwrap().user_errors(), []);
    let suspended = got(&client, &id, user_id).await;
    assert_eq!(suspended.user_registration_status(), Some(&RegistrationStatus::Suspended));
    let unsuspend = client.batch_unsuspend_user().account_id(&id).user_id_list(user_id);
    assert_eq!(unsuspend.send().await.unwrap().user_errors(), []);
    assert_eq!(got(&client, &id, user_id).await, user);

    let reset = client.reset_personal_pin().account_id(&id).user_id(user_id);
    let reset = reset.send().await.unwrap().user.unwrap();
    assert_ne!(reset.personal_pin(), user.personal_pin());
    assert_eq!(got(&client, &id, user_id).await.personal_pin(), reset.personal_pin());
}

#[tokio::test]
async fn what_has_nothing_to_say_is_understood() {
    let client = client().await;
    let (id, user) = enterprise(&client, "settings").await;
    let user_id = user.user_id.as_str();
    client.logout_user().account_id(&id).user_id(user_id).send().await.unwrap();

    let settings = AccountSettings::builder().disable_remote_control(true).build();
    let update = client.update_account_settings().account_id(&id).account_settings(settings);
    update.send().await.unwrap();
    let settings = client.get_account_settings().account_id(&id).send().await.unwrap();
    let settings = settings.account_settings.unwrap();
    assert_eq!(settings.disable_remote_control, Some(true));
    assert_eq!(settings.enable_dial_out, Some(false));

    let telephony = TelephonySettings::builder().inbound_calling(true).outbound_calling(false);
    let telephony = telephony.sms(true).build().unwrap();
    let settings = UserSettings::builder().telephony(telephony).build();
    let update = client.update_user_settings().account_id(&id).user_id(user_id);
    update.user_settings(settings.clone()).send().await.unwrap();
    let get = client.get_user_settings().account_id(&id).user_id(user_id);
    assert_eq!(get.send().await.unwrap().user_settings, Some(settings));

    let groups = ["b", "a"].map(|name| SigninDelegateGroup::builder().group_name(name).build());
    let associate = client.associate_signin_delegate_groups_with_account().account_id(&id);
    let associate = associate.set_signin_delegate_groups(Some(groups.to_vec()));
    associate.send().await.unwrap();
    let account = client.get_account().account_id(&id).send().await.unwrap().account.unwrap();
    assert_eq!(account.signin_delegate_groups(), groups);
}

#[tokio::test]
async fn retention_is_put_without_an_answer_and_begins_in_30_days() {
    let client = client().await;
    let (id, _) = enterprise(&client, "retention").await;
    let room = RoomRetentionSettings::builder().retention_days(30).build();
    let settings = RetentionSettings::builder().room_retention_settings(room).build();
    let put = client.put_retention_settings().account_id(&id).retention_settings(settings.clone());
    // The model gives the 204 members; HTTP forbids it a body.
    let answer = put.send().await.unwrap();
    assert_eq!((answer.retention_settings, answer.initiate_deletion_timestamp), (None, None));
    let answer = client.get_retention_settings().account_id(&id).send().await.unwrap();
    assert_eq!(answer.retention_settings, Some(settings));
    check_now(answer.initiate_deletion_timestamp.unwrap(), GRACE);
}

#[tokio::test]
async fn every_error_is_of_its_class() {
    let client = client().await;
    let (id, user) = enterprise(&client, "errors").await;
    let team = created(&client, &unique("errors")).await.account_id;

    let email = user.primary_email().unwrap().to_uppercase();
    let device = client.create_user().account_id(&team).user_type(UserType::SharedDevice);
    let error = device.email(email).send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 409);
    let error = error.into_service_error();
    assert!(error.is_conflict_exception(), "{error:?}");
    assert!(error.message().unwrap().contains(&user.user_id), "{error:?}");

    let person = client.create_user().account_id(&team).email("jane@example.com");
    let error = person.send().await.unwrap_err().into_service_error();
    assert!(error.is_bad_request_exception(), "{error:?}");
    assert!(error.message().unwrap().contains("Team"), "{error:?}");

    let error = client.delete_account().account_id(&id).send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 422);
    let error = error.into_service_error();
    assert!(error.is_unprocessable_entity_exception(), "{error:?}");
    assert!(error.message().unwrap().contains("domains"), "{error:?}");

    let get = client.get_user().account_id(&id).user_id("unknown");
    let error = get.send().await.unwrap_err().into_service_error();
    assert!(error.is_not_found_exception(), "{error:?}");
    assert!(error.message().unwrap().contains("unknown"), "{error:?}");
}

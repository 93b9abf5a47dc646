//! The account operations, as the AWS SDK for Rust calls them.

mod harness;

use aws_sdk_chime::config::{Credentials, Region};
use aws_sdk_chime::error::ProvideErrorMetadata;
use aws_sdk_chime::operation::RequestId;
use aws_sdk_chime::types::{AccountStatus, AccountType, License};
use aws_sdk_chime::{Client, Config};
use harness::{client, config, created, is_uuid, unique};
use std::time::{SystemTime, UNIX_EPOCH};

const NO_ACCOUNT: &str = "00000000-0000-7000-8000-000000000000";

#[tokio::test]
async fn an_account_lives_from_create_to_delete() {
    let client = client().await;
    let name = unique("Zürich 東京");
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let answer = client.create_account().name(&name).send().await.unwrap();
    assert!(is_uuid(answer.request_id().unwrap()));
    let account = answer.account.unwrap();
    assert_eq!(account.name, name);
    assert_eq!(account.aws_account_id, "111122223333");
    assert!(is_uuid(&account.account_id));
    assert_eq!(account.account_status, Some(AccountStatus::Active));
    assert_eq!(account.account_type, Some(AccountType::Team));
    assert_eq!(account.default_license, Some(License::Pro));
    assert_eq!(account.supported_licenses(), [License::Basic, License::Pro]);
    assert_eq!(account.signin_delegate_groups.as_deref(), Some(&[][..]));
    let created_at = account.created_timestamp.unwrap().to_millis().unwrap();
    assert!(u128::try_from(created_at).unwrap() >= before);

    let id = &account.account_id;
    let got = client.get_account().account_id(id).send().await.unwrap();
    assert!(is_uuid(got.request_id().unwrap()));
    assert_eq!(got.account.as_ref(), Some(&account));

    let renamed = format!("{name}b");
    let update = client.update_account().account_id(id).name(&renamed);
    let updated = update.default_license(License::Basic).send().await.unwrap().account.unwrap();
    assert_eq!(updated.name, renamed);
    assert_eq!(updated.default_license, Some(License::Basic));
    let listed = client.list_accounts().name(&renamed).send().await.unwrap();
    assert_eq!(listed.accounts(), [updated]);
    assert_eq!(listed.next_token(), None);

    client.delete_account().account_id(id).send().await.unwrap();
    let error = client.delete_account().account_id(id).send().await.unwrap_err();
    assert!(error.into_service_error().is_not_found_exception());
    let listed = client.list_accounts().name(&name).send().await.unwrap();
    assert_eq!(listed.accounts(), []);
}

#[tokio::test]
async fn the_paginator_walks_all_accounts_in_the_order_of_their_names() {
    let client = client().await;
    let prefix = unique("pages");
    let names: Vec<_> = (0..25).map(|number| format!("{prefix}{number:02}")).collect();
    for name in names.iter().rev() {
        created(&client, name).await;
    }
    let mut stream = client.list_accounts().name(&prefix).into_paginator().page_size(10).send();
    let mut pages = Vec::new();
    while let Some(page) = stream.next().await {
        let accounts = page.unwrap().accounts.unwrap();
        pages.push(accounts.into_iter().map(|account| account.name).collect::<Vec<_>>());
    }
    assert_eq!(pages, [&names[..10], &names[10..20], &names[20..]]);
}

#[tokio::test]
async fn an_unknown_account_is_a_not_found_exception() {
    let error = client().await.get_account().account_id(NO_ACCOUNT).send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 404);
    assert!(is_uuid(error.request_id().unwrap()));
    assert_eq!(error.code(), Some("NotFoundException"));
    let error = error.into_service_error();
    assert!(error.is_not_found_exception(), "{error:?}");
    assert!(error.message().unwrap().contains(NO_ACCOUNT), "{error:?}");
}

#[tokio::test]
async fn a_member_that_breaks_a_constraint_is_a_bad_request_exception() {
    let client = client().await;
    for name in ["", " ", &"x".repeat(101)] {
        let error = client.create_account().name(name).send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 400);
        let error = error.into_service_error();
        assert!(error.is_bad_request_exception(), "{error:?}");
        assert!(error.message().unwrap().contains("Name"), "{error:?}");
    }
}

#[tokio::test]
async fn an_operation_that_is_not_there_yet_keeps_its_name() {
    let error = client().await.list_phone_numbers().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 404);
    assert_eq!(error.code(), Some("UnknownOperationException"));
}

#[tokio::test]
async fn only_what_is_signed_with_the_secret_of_a_known_key_is_served() {
    let config = config().await;
    let key = std::env::var("AWS_ACCESS_KEY_ID").unwrap();
    let secret = std::env::var("AWS_SECRET_ACCESS_KEY").unwrap();
    let token = Some("FwoGZXIvYXdzEXAMPLE".to_owned());
    let expected = [
        (Credentials::new(&key, "wrong", None, None, "test"), "InvalidSignatureException"),
        (
            Credentials::new("AKIAUNKNOWN", &secret, None, None, "test"),
            "UnrecognizedClientException",
        ),
        (Credentials::new(&key, &secret, token, None, "test"), "UnrecognizedClientException"),
    ];
    for (credentials, code) in expected {
        let config = Config::from(&config).to_builder().credentials_provider(credentials).build();
        let error = Client::from_conf(config).list_accounts().send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
        assert_eq!(error.code(), Some(code));
    }
}

#[tokio::test]
async fn any_region_is_accepted() {
    let config = Config::from(&config().await).to_builder().region(Region::new("ap-southeast-4"));
    let client = Client::from_conf(config.build());
    let name = unique("region");
    created(&client, &name).await;
    assert_eq!(client.list_accounts().name(&name).send().await.unwrap().accounts().len(), 1);
}

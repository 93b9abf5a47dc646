//! What the tests share.
//!
//! They share an AWS account, too, so that each begins its names with something of its own.

use aws_config::BehaviorVersion;
use aws_sdk_chime::Client;
use aws_sdk_chime::types::Account;
use aws_smithy_http_client::Builder;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the SDK's configuration: all it is told is that plain HTTP will do.
pub async fn config() -> aws_config::SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(Builder::new().build_http())
        .load()
        .await
}

pub async fn client() -> Client {
    Client::new(&config().await)
}

/// Returns the beginning of the names of one test.
pub fn unique(test: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{test} {} ", now.as_nanos())
}

/// Creates a Team account.
pub async fn created(client: &Client, name: &str) -> Account {
    client.create_account().name(name).send().await.unwrap().account.unwrap()
}

pub fn is_uuid(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

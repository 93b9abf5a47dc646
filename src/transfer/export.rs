//! `campanile export`: everything as a stream of documents, one a line, each as the AWS CLI has it.

use super::TransferError;
use super::progress::Progress;
use crate::client::{CallError, Client};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How many accounts a page has: each may come with hundreds of domains.
const ACCOUNTS_PAGE: usize = 20;
/// How many users a page has.
const USERS_PAGE: usize = 100;

/// What is to be exported, and whereto.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file to write; else standard output.
    pub output: Option<PathBuf>,
    /// The AWS account to export, if it is not the caller's.
    pub aws_account_id: Option<String>,
}

/// Exports everything of an AWS account from a running server.
pub fn export(client: &Client, settings: &Settings) -> Result<(), TransferError> {
    if client.endpoint().trim_end_matches('/').ends_with("/console") {
        let message = "under /console the API has its form of 2019, in which members are missing. \
                       Name the endpoint without /console";
        return Err(CallError::Usage(message.to_owned()).into());
    }
    let Some(path) = &settings.output else {
        let mut out = BufWriter::new(io::stdout().lock());
        write_all(client, settings, &mut out)?;
        return out.flush().map_err(|error| unwritable("standard output", &error));
    };
    let failed = |error: &dyn Display| unwritable(&path.display().to_string(), error);
    // Beside the file, so that it takes its place in one step, or not at all.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file =
        NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(|error| failed(&error))?;
    let mut out = BufWriter::new(file);
    write_all(client, settings, &mut out)?;
    let file = out.into_inner().map_err(|error| failed(&error))?;
    file.as_file().sync_all().map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error))?;
    Ok(())
}

fn unwritable(what: &str, error: &dyn Display) -> TransferError {
    TransferError::Local(format!("{what}: {error}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AccountItem {
    account: Box<RawValue>,
    account_settings: Option<Box<RawValue>>,
    domains: Box<RawValue>,
    initiate_deletion_timestamp: Option<Box<RawValue>>,
    open_id_config: Option<Box<RawValue>>,
    retention_settings: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UserItem {
    user: Box<RawValue>,
    user_settings: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page<T> {
    #[serde(alias = "Accounts", alias = "Users")]
    items: Vec<T>,
    next_token: Option<String>,
}

/// Writes the accounts with what is set of them, and then the users with theirs.
fn write_all(
    client: &Client,
    settings: &Settings,
    out: &mut impl Write,
) -> Result<(), TransferError> {
    let progress = Progress::new();
    progress.stage("exporting", None);
    for_each(client, settings, ("ExportAccounts", ACCOUNTS_PAGE), |item: AccountItem| {
        progress.add(1);
        let mut line = |name, json: Option<&RawValue>| write_document(out, name, json);
        line("Account", Some(&item.account))?;
        line("AccountSettings", item.account_settings.as_deref())?;
        if let Some(retention) = &item.retention_settings {
            let deletion = item.initiate_deletion_timestamp.as_deref().map(RawValue::get);
            let deletion = deletion.map(|it| format!(r#","InitiateDeletionTimestamp":{it}"#));
            let deletion = deletion.unwrap_or_default();
            writeln!(out, r#"{{"RetentionSettings":{retention}{deletion}}}"#)?;
        }
        let mut line = |name, json: Option<&RawValue>| write_document(out, name, json);
        line("Domains", Some(&*item.domains).filter(|it| it.get() != "[]"))?;
        line("OpenIdConfig", item.open_id_config.as_deref())
    })?;
    for_each(client, settings, ("ExportUsers", USERS_PAGE), |item: UserItem| {
        progress.add(1);
        write_document(out, "User", Some(&item.user))?;
        write_document(out, "UserSettings", item.user_settings.as_deref())
    })
}

fn write_document(out: &mut impl Write, name: &str, json: Option<&RawValue>) -> io::Result<()> {
    json.map_or(Ok(()), |json| writeln!(out, r#"{{"{name}":{json}}}"#))
}

/// Walks all the pages of an operation.
fn for_each<T: DeserializeOwned>(
    client: &Client,
    settings: &Settings,
    (operation, page): (&str, usize),
    mut write: impl FnMut(T) -> io::Result<()>,
) -> Result<(), TransferError> {
    let mut members = Map::new();
    members.insert("MaxResults".to_owned(), json!(page));
    if let Some(aws_account_id) = &settings.aws_account_id {
        members.insert("AwsAccountId".to_owned(), json!(aws_account_id));
    }
    loop {
        let answer = client.call_text(operation, members.clone())?;
        let page: Page<T> = serde_json::from_str(&answer).map_err(|error| {
            CallError::Transport(format!("the server's answer to {operation}: {error}"))
        })?;
        for item in page.items {
            write(item).map_err(|error| unwritable("the output", &error))?;
        }
        match page.next_token {
            Some(token) => members.insert("NextToken".to_owned(), Value::String(token)),
            None => return Ok(()),
        };
    }
}

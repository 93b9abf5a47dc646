//! `campanile import`: reads everything, finds every fault, and only then changes anything.

use super::TransferError;
use super::documents::Intake;
use super::progress::{Progress, people};
use super::staging::{Located, Staged, Staging};
use crate::client::{CallError, Client};
use crate::operations::transfer::{ITEMS_MAX, bytes_max};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fs::{self, File, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many bytes of items a request carries; a body may have twice as many.
const BATCH_BYTES_MAX: usize = 512 << 10;
/// How deep folders may be nested.
const FOLDERS_MAX: usize = 64;

/// What is to be imported, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Files and folders; `-`, or none, is standard input.
    pub paths: Vec<PathBuf>,
    /// Whether different data is replaced.
    pub overwrite: bool,
    /// Whether nothing is to be changed.
    pub dry_run: bool,
    /// The AWS account to import into; else the one that all accounts name, or the caller's.
    pub aws_account_id: Option<String>,
}

/// What became of the accounts and of the users; what would, after a dry run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The accounts.
    pub accounts: Counts,
    /// The users.
    pub users: Counts,
    /// How long it took from the first document to the last answer.
    pub took: Duration,
    /// How long applying took of that.
    pub applying: Duration,
    /// The AWS account that was named to the server; without it, that of the caller.
    pub aws_account_id: Option<String>,
}

/// How many were created, were there, and were replaced.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Counts {
    /// Those that are new.
    pub created: u64,
    /// Those that were there and different.
    pub overwritten: u64,
    /// Those that were there and the same.
    pub unchanged: u64,
}

impl Summary {
    /// Writes the summary as people read it.
    pub fn text(&self, settings: &Settings) -> String {
        let line = |name: &str, counts: Counts| {
            let [created, unchanged, overwritten] =
                [counts.created, counts.unchanged, counts.overwritten].map(people);
            format!("{name:<8} {created:>12} {unchanged:>12} {overwritten:>12}\n")
        };
        let table = format!(
            "{:<8} {:>12} {:>12} {:>12}\n{}{}",
            "",
            "created",
            "unchanged",
            "overwritten",
            line("accounts", self.accounts),
            line("users", self.users)
        );
        if settings.dry_run {
            return format!("No fault. This is what an import would do:\n{table}");
        }
        let milliseconds = self.took.as_millis().max(1);
        let rate = u128::from(self.users.all()) * 1000 / milliseconds;
        let (took, applying) = (self.took.as_secs_f64(), self.applying.as_secs_f64());
        let mut text = format!(
            "{table}in {took:.1} s, {applying:.1} s of them for importing after all was checked; \
             {rate} users a second\n"
        );
        if let Some(id) = self.aws_account_id.as_ref().filter(|_| self.accounts.created > 0) {
            let hint = format!(
                "Only a key of AWS account {id} sees what was imported into it. To make one:\n    \
                 campanile keys create --aws-account-id {id}\n"
            );
            text.push_str(&hint);
        }
        text
    }
}

impl Counts {
    fn all(self) -> u64 {
        self.created + self.overwritten + self.unchanged
    }
}

/// Imports documents into a running server.
pub fn import(client: &Client, settings: &Settings) -> Result<Summary, TransferError> {
    let begun = Instant::now();
    let staging = Staging::open()?;
    let mut progress = Progress::new();
    read(settings, &staging, &mut progress)?;
    let Whole { things, aws_account_id } = check_whole(&staging, &mut progress)?;
    progress.check()?;
    let aws_account_id = settings.aws_account_id.clone().or(aws_account_id);
    let staging = &staging;
    let mut run = Run { client, settings, staging, progress, dry_run: true, aws_account_id };
    run.progress.stage("checking", Some(things));
    let checked = run.send_all()?;
    run.progress.check()?;
    if settings.dry_run {
        return Ok(Summary { took: begun.elapsed(), ..checked });
    }
    run.dry_run = false;
    run.progress.stage("importing", Some(things));
    let applied = Instant::now();
    let imported = run.send_all()?;
    match run.progress.faults() {
        0 => Ok(Summary {
            took: begun.elapsed(),
            applying: applied.elapsed(),
            aws_account_id: run.aws_account_id,
            ..imported
        }),
        faults => Err(TransferError::Refused(faults)),
    }
}

/// Stages all documents of all paths.
fn read(
    settings: &Settings,
    staging: &Staging,
    progress: &mut Progress,
) -> Result<(), TransferError> {
    progress.stage("reading", None);
    let mut intake = Intake::new(staging, progress);
    if settings.paths.is_empty() {
        return intake.read(None, io::stdin());
    }
    // What cannot be found at all is said before anything is read.
    for path in settings.paths.iter().filter(|path| path.as_os_str() != "-") {
        fs::metadata(path).map_err(|error| {
            CallError::Usage(format!("cannot read {}: {error}", path.display()))
        })?;
    }
    for path in &settings.paths {
        if path.as_os_str() == "-" {
            intake.read(None, io::stdin())?;
        } else if path.is_dir() {
            read_folder(&mut intake, path)?;
        } else {
            read_file(&mut intake, path)?;
        }
    }
    Ok(())
}

fn read_file(intake: &mut Intake<'_>, path: &Path) -> Result<(), TransferError> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    intake.read(Some(path), file)
}

/// Reads all the documents of a folder and of those in it. Names are not kept: there can be a file
/// for each of a million users.
fn read_folder(intake: &mut Intake<'_>, path: &Path) -> Result<(), TransferError> {
    let open = |path: &Path| fs::read_dir(path).map_err(|error| unreadable(path, &error));
    let mut folders: Vec<ReadDir> = vec![open(path)?];
    let mut found = false;
    while let Some(folder) = folders.last_mut() {
        let Some(entry) = folder.next() else {
            folders.pop();
            continue;
        };
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        let (kind, entry) = (entry.file_type(), entry.path());
        if kind.map_err(|error| unreadable(&entry, &error))?.is_dir() {
            if folders.len() == FOLDERS_MAX {
                return Err(TransferError::Local(format!(
                    "{} is in more than {FOLDERS_MAX} folders",
                    entry.display()
                )));
            }
            folders.push(open(&entry)?);
        } else if is_document(&entry) {
            found = true;
            read_file(intake, &entry)?;
        }
    }
    if found {
        return Ok(());
    }
    Err(CallError::Usage(format!("{} holds no file *.json or *.jsonl", path.display())).into())
}

fn is_document(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|it| it.eq_ignore_ascii_case("json") || it.eq_ignore_ascii_case("jsonl"))
}

fn unreadable(path: &Path, error: &io::Error) -> TransferError {
    TransferError::Local(format!("{}: {error}", path.display()))
}

/// What is to be imported, once all of it is staged.
struct Whole {
    things: u64,
    /// The AWS account that every account names; none where they do not all name one.
    aws_account_id: Option<String>,
}

/// Finds documents whose thing is not there, and sums up those that are.
fn check_whole(staging: &Staging, progress: &mut Progress) -> Result<Whole, TransferError> {
    for Located { at, fault } in staging.settle_unowned()? {
        progress.fault(&at, &fault);
    }
    let mut things = 0;
    let mut named: Option<Option<String>> = None;
    let (mut after, mut users) = (None, false);
    loop {
        let page = if users {
            staging.users(after.as_ref())?
        } else {
            staging.accounts(after.as_ref())?
        };
        things += page.items.len() as u64;
        for account in page.items.iter().filter(|_| !users) {
            let id = account.aws_account_id();
            let same = named.as_ref().is_none_or(|named| named.as_deref() == id);
            named = Some(id.filter(|_| same).map(str::to_owned));
        }
        for staged in page.items.iter().filter(|staged| !staged.is_whole()) {
            let id = &staged.account_id;
            let fault = format!(
                "it belongs to account {id}, whose own document is not among what is imported: \
                 save that with aws chime get-account --account-id {id}"
            );
            progress.fault(&staged.source(None), &fault);
        }
        after = page.next;
        if after.is_none() && users {
            break;
        }
        users |= after.is_none();
    }
    if things == 0 && progress.faults() == 0 {
        return Err(CallError::Usage("there is nothing in it to import".to_owned()).into());
    }
    Ok(Whole { things, aws_account_id: named.flatten() })
}

/// Sends everything that is staged.
struct Run<'a> {
    client: &'a Client,
    settings: &'a Settings,
    staging: &'a Staging,
    progress: Progress,
    dry_run: bool,
    aws_account_id: Option<String>,
}

/// What goes into one request.
#[derive(Default)]
struct Batch {
    staged: Vec<Staged>,
    items: Vec<Value>,
    /// The accounts of the users, as far as they are among what is imported.
    accounts: Map<String, Value>,
    bytes: usize,
}

/// The answer of `ImportAccounts` and `ImportUsers`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Imported {
    #[serde(flatten)]
    counts: Counts,
    item_errors: Vec<ItemError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ItemError {
    error_message: String,
    index: usize,
    member: Option<String>,
}

impl Run<'_> {
    /// Sends the accounts, and then the users.
    fn send_all(&mut self) -> Result<Summary, TransferError> {
        let mut summary = Summary::default();
        let mut batch = Batch::default();
        let mut after = None;
        loop {
            let page = self.staging.accounts(after.as_ref())?;
            for account in page.items {
                self.put("ImportAccounts", &mut batch, account, &mut summary.accounts)?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.send("ImportAccounts", &mut batch, &mut summary.accounts)?;
        loop {
            let page = self.staging.users(after.as_ref())?;
            for user in page.items {
                self.put("ImportUsers", &mut batch, user, &mut summary.users)?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.send("ImportUsers", &mut batch, &mut summary.users)?;
        Ok(summary)
    }

    /// Puts a thing into a batch, which is sent before that if it would become too large.
    fn put(
        &mut self,
        operation: &str,
        batch: &mut Batch,
        staged: Staged,
        counts: &mut Counts,
    ) -> Result<(), TransferError> {
        let item = staged.item();
        let bytes = bytes_max(&item);
        if batch.items.len() == ITEMS_MAX || batch.bytes + bytes > BATCH_BYTES_MAX {
            self.send(operation, batch, counts)?;
        }
        if staged.user_id.is_some() && !batch.accounts.contains_key(&staged.account_id) {
            let account = self.staging.account(&staged.account_id)?;
            let mut account = account.map_or(Value::Null, |account| account.item());
            // They can be many, and nothing about a user depends on them.
            if let Some(account) = account.as_object_mut() {
                account.remove("Domains");
            }
            batch.bytes += bytes_max(&account);
            batch.accounts.insert(staged.account_id.clone(), account);
        }
        batch.bytes += bytes;
        batch.items.push(item);
        batch.staged.push(staged);
        Ok(())
    }

    /// Sends what a batch holds, tells what is wrong with it, and empties it.
    fn send(
        &mut self,
        operation: &str,
        batch: &mut Batch,
        counts: &mut Counts,
    ) -> Result<(), TransferError> {
        let Batch { staged, items, accounts, .. } = std::mem::take(batch);
        if items.is_empty() {
            return Ok(());
        }
        let mut members = Map::new();
        let mut put = |name: &str, value| members.insert(name.to_owned(), value);
        if operation == "ImportUsers" {
            let accounts = accounts.into_iter().map(|(_, account)| account);
            put("Accounts", accounts.filter(|account| !account.is_null()).collect());
            put("Users", items.into());
        } else {
            put("Accounts", items.into());
        }
        put("DryRun", self.dry_run.into());
        put("Overwrite", self.settings.overwrite.into());
        if let Some(aws_account_id) = &self.aws_account_id {
            put("AwsAccountId", json!(aws_account_id));
        }
        let answer = self.client.call_text(operation, members)?;
        let imported: Imported = serde_json::from_str(&answer).map_err(|error| {
            CallError::Transport(format!("the server's answer to {operation}: {error}"))
        })?;
        for ItemError { error_message, index, member } in imported.item_errors {
            let Some(staged) = staged.get(index) else { continue };
            let fault = error_message.rsplit(" failed to satisfy constraint: ").next();
            self.progress.fault(&staged.source(member.as_deref()), fault.unwrap_or(&error_message));
        }
        counts.created += imported.counts.created;
        counts.overwritten += imported.counts.overwritten;
        counts.unchanged += imported.counts.unchanged;
        self.progress.add(staged.len());
        Ok(())
    }
}

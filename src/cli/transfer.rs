//! `campanile import` and `campanile export`.

use super::{Endpoint, GENERAL, SERVICE, fail, failed};
use crate::client::Client;
use crate::transfer::{TransferError, export, import};
use clap::Args;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Files and folders with what the AWS CLI printed, or - for standard input
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Replace accounts and users that are there already and differ
    #[arg(long)]
    overwrite: bool,

    /// Find every fault, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// The 12 digits of the AWS account to import into; else the one that all accounts name
    #[arg(long, value_name = "ID")]
    aws_account_id: Option<String>,

    #[command(flatten)]
    endpoint: Endpoint,
}

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// File to write, complete or not at all; else standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The 12 digits of the AWS account to export; else that of the credential
    #[arg(long, value_name = "ID")]
    aws_account_id: Option<String>,

    #[command(flatten)]
    endpoint: Endpoint,
}

pub(super) fn import(args: ImportArgs) -> ExitCode {
    if args.paths.is_empty() && io::stdin().is_terminal() {
        let message = "name the files and folders to import, or - for standard input";
        return fail(message, super::USAGE);
    }
    let settings = import::Settings {
        paths: args.paths,
        overwrite: args.overwrite,
        dry_run: args.dry_run,
        aws_account_id: args.aws_account_id,
    };
    let imported = Client::from_environment(args.endpoint.endpoint_url)
        .map_err(TransferError::from)
        .and_then(|client| import::import(&client, &settings));
    ended(imported.map(|summary| summary.text(&settings)))
}

pub(super) fn export(args: ExportArgs) -> ExitCode {
    let settings = export::Settings { output: args.output, aws_account_id: args.aws_account_id };
    let exported = Client::from_environment(args.endpoint.endpoint_url)
        .map_err(TransferError::from)
        .and_then(|client| export::export(&client, &settings));
    ended(exported.map(|()| String::new()))
}

fn ended(result: Result<String, TransferError>) -> ExitCode {
    let text = match result {
        Ok(text) => text,
        Err(TransferError::Call(error)) => return failed(&error),
        Err(error @ TransferError::Refused(_)) => return fail(&error.to_string(), SERVICE),
        Err(error) => return fail(&error.to_string(), GENERAL),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("standard output: {error}"), GENERAL),
    }
}

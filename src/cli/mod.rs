//! The command line.

mod transfer;

use crate::client::{CallError, Client, operation_names};
use crate::config::ServeArgs;
use crate::server::{self, NewRoot, PublicUrl, Server};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

/// The exit codes of the AWS CLI: a wrong command line, and an error that the service answered.
const USAGE: u8 = 252;
const SERVICE: u8 = 254;
const GENERAL: u8 = 255;

const CREDENTIAL_HELP: &str = "\
The credential comes from the environment, as for every AWS client: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY and, if there is one, AWS_SESSION_TOKEN; the region from AWS_REGION.
An https:// endpoint must have a certificate of a public authority, or of one in the PEM file that
AWS_CA_BUNDLE names.";

/// The Amazon Chime administration API, on a machine of your own
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Serve(Box<ServeArgs>),
    /// Call an operation of a running server, and print what it answers
    Call(CallArgs),
    /// Let other AWS accounts in: make, list and delete access keys on a running server
    Keys(KeysArgs),
    /// Import what the AWS CLI printed of accounts and users into a running server
    Import(transfer::ImportArgs),
    /// Export all accounts and users of a running server, in the form that import takes
    Export(transfer::ExportArgs),
}

#[derive(Args, Debug)]
#[command(after_help = format!("Operations: {}\n\n{CREDENTIAL_HELP}", operation_names()))]
struct CallArgs {
    /// Name of the operation, such as ListAccounts
    operation: String,

    /// Members of the request as a JSON object, or - to read them from standard input
    #[arg(default_value = "{}")]
    members: String,

    #[command(flatten)]
    endpoint: Endpoint,
}

#[derive(Args, Debug)]
#[command(after_help = CREDENTIAL_HELP)]
#[expect(clippy::doc_markdown, reason = "the comments are the text of --help")]
struct Endpoint {
    /// URL of the server; else AWS_ENDPOINT_URL_CHIME, AWS_ENDPOINT_URL or http://127.0.0.1:8018
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make an access key; its secret is printed this once
    Create {
        /// The 12 digits of the AWS account that the key is for
        #[arg(long, value_name = "ID")]
        aws_account_id: String,
        #[command(flatten)]
        endpoint: Endpoint,
    },
    /// List the access keys, without their secrets
    List {
        /// Only those of one AWS account
        #[arg(long, value_name = "ID")]
        aws_account_id: Option<String>,
        #[command(flatten)]
        endpoint: Endpoint,
    },
    /// Delete an access key; what it signs is refused at once
    Delete {
        /// The key's id, AKIA…
        #[arg(long, value_name = "ID")]
        access_key_id: String,
        #[command(flatten)]
        endpoint: Endpoint,
    },
}

/// Runs the program.
pub fn run() -> ExitCode {
    match Cli::try_parse().map(|cli| cli.command) {
        Ok(Command::Serve(args)) => serve(*args),
        Ok(Command::Call(args)) => called(call(args)),
        Ok(Command::Keys(args)) => called(keys(args.command)),
        Ok(Command::Import(args)) => transfer::import(args),
        Ok(Command::Export(args)) => transfer::export(args),
        Err(answer) => {
            // Where nobody reads it, the exit code still says it.
            answer.print().ok();
            if answer.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
        }
    }
}

fn serve(args: ServeArgs) -> ExitCode {
    args.start_log();
    let served = args
        .settings()
        .and_then(|settings| server::run(settings, announce).map_err(|error| error.to_string()));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// Says where the server is, and shows a new root credential the one time that it is shown.
fn announce(server: &Server) -> io::Result<()> {
    let address = server.address();
    let scheme = server.scheme();
    let is_plain =
        |address: &SocketAddr| scheme == "http" && !address.ip().to_canonical().is_loopback();
    for address in [Some(address), server.metrics_address()].into_iter().flatten().filter(is_plain)
    {
        tracing::warn!(
            "listening on {address} without TLS, as --insecure-http says: whoever is on the \
             network can read what is sent"
        );
    }
    let mut out = io::stdout().lock();
    if let Some(root) = server.new_root() {
        out.write_all(paste(root, &PublicUrl::of(scheme, address)).as_bytes())?;
    }
    if let Some(address) = server.metrics_address() {
        writeln!(out, "metrics on {}/metrics", PublicUrl::of(scheme, address))?;
    }
    writeln!(out, "listening on {scheme}://{address}")?;
    out.flush()
}

fn paste(root: &NewRoot, url: &PublicUrl) -> String {
    format!(
        "\
# A root credential for the AWS account {} was made. Its secret is shown this once:
export AWS_ACCESS_KEY_ID={}
export AWS_SECRET_ACCESS_KEY={}
export AWS_ENDPOINT_URL_CHIME={url} AWS_ENDPOINT_URL_STS={url}
export AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1

",
        root.aws_account_id,
        root.access_key_id,
        root.secret_access_key.expose()
    )
}

fn call(args: CallArgs) -> Result<Option<Value>, CallError> {
    let text = match args.members.as_str() {
        "-" => io::read_to_string(io::stdin())
            .map_err(|error| CallError::Usage(format!("standard input: {error}")))?,
        _ => args.members,
    };
    let members: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        CallError::Usage(format!(
            "the members must be a JSON object such as '{{\"Name\":\"My\"}}': {error}"
        ))
    })?;
    Client::from_environment(args.endpoint.endpoint_url)?.call(&args.operation, members)
}

fn keys(command: KeysCommand) -> Result<Option<Value>, CallError> {
    let (operation, members, endpoint) = match command {
        KeysCommand::Create { aws_account_id, endpoint } => {
            ("CreateAccessKey", json!({"AwsAccountId": aws_account_id}), endpoint)
        }
        KeysCommand::List { aws_account_id, endpoint } => match aws_account_id {
            Some(id) => ("ListAccessKeys", json!({"AwsAccountId": id}), endpoint),
            None => ("ListAccessKeys", json!({}), endpoint),
        },
        KeysCommand::Delete { access_key_id, endpoint } => {
            ("DeleteAccessKey", json!({"AccessKeyId": access_key_id}), endpoint)
        }
    };
    let members = members.as_object().cloned().unwrap_or_default();
    let client = Client::from_environment(endpoint.endpoint_url)?;
    if operation == "ListAccessKeys" {
        all_keys(&client, members)
    } else {
        client.call(operation, members)
    }
}

/// Walks all the pages, as the AWS CLI does.
fn all_keys(client: &Client, mut members: Map<String, Value>) -> Result<Option<Value>, CallError> {
    let mut keys = Vec::new();
    loop {
        let page = client.call("ListAccessKeys", members.clone())?.unwrap_or_default();
        let found = page.get("AccessKeyMetadata").and_then(Value::as_array);
        keys.extend(found.into_iter().flatten().cloned());
        match page.get("NextToken") {
            Some(token @ Value::String(_)) => members.insert("NextToken".to_owned(), token.clone()),
            _ => return Ok(Some(json!({ "AccessKeyMetadata": keys }))),
        };
    }
}

fn called(result: Result<Option<Value>, CallError>) -> ExitCode {
    let written = match result {
        Ok(None) => Ok(()),
        Ok(Some(answer)) => print_json(&answer),
        Err(error) => return failed(&error),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("standard output: {error}"), GENERAL),
    }
}

fn failed(error: &CallError) -> ExitCode {
    let code = match error {
        CallError::Usage(_) => USAGE,
        CallError::Transport(_) => GENERAL,
        CallError::Service(..) => SERVICE,
    };
    fail(&error.to_string(), code)
}

fn print_json(answer: &Value) -> io::Result<()> {
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(b"    ");
    answer.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
    text.push(b'\n');
    io::stdout().lock().write_all(&text)
}

fn fail(message: &str, code: u8) -> ExitCode {
    // Where standard error is closed, the exit code still says it.
    writeln!(io::stderr().lock(), "campanile: {message}").ok();
    ExitCode::from(code)
}

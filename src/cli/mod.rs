//! The command line.

mod audit;
mod copy;
mod iam;
mod master_key;
mod transfer;

use crate::client::{CallError, Client, operation_names};
use crate::config::ServeArgs;
use crate::server::{self, NewRoot, PublicUrl, Server};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Value};
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
    /// Show what was called on a running server, by whom, and what became of it
    Audit(audit::AuditArgs),
    /// Import what the AWS CLI printed of accounts and users into a running server
    Import(transfer::ImportArgs),
    /// Export all accounts and users of a running server, in the form that import takes
    Export(transfer::ExportArgs),
    /// Copy a whole store to another place or engine; its servers are stopped
    Copy(copy::CopyArgs),
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

/// Runs the program.
pub fn run() -> ExitCode {
    let given = iam::add_to(Cli::command()).try_get_matches();
    if let Some(code) = given.as_ref().ok().and_then(iam::run) {
        return code;
    }
    match given.and_then(|given| Cli::from_arg_matches(&given)).map(|cli| cli.command) {
        Ok(Command::Serve(args)) => serve(*args),
        Ok(Command::Call(args)) => called(call(args)),
        Ok(Command::Audit(args)) => audit::audit(&args),
        Ok(Command::Import(args)) => transfer::import(args),
        Ok(Command::Export(args)) => transfer::export(args),
        Ok(Command::Copy(args)) => copy::copy(&args),
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

/// Says where the server is, and shows a new root credential the one time that it is shown, and where
/// a new master key is.
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
    if let Some(file) = server.new_master_key() {
        writeln!(
            out,
            "# The secrets in the store are sealed under the master key in {}\n\
             # and are lost without it. Back it up, apart from the store.\n",
            file.display()
        )?;
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
export AWS_ENDPOINT_URL_IAM={url}
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

//! `campanile audit`: what was called, by whom, and what became of it.

use super::{Endpoint, GENERAL, fail, failed};
use crate::client::{CallError, Client};
use crate::clock::{Clock, Timestamp};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

const OPERATION: &str = "cloudtrail:LookupEvents";
/// As many as the operation answers at a time.
const PAGE: usize = 200;
/// How often new events are looked for.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// How far back new events are looked for: an event's time is that at which its request came, so that
/// one that took long appears among older ones.
const LATE_MILLISECONDS: i64 = 10 * 1000;

#[derive(Args, Debug)]
#[command(after_help = format!(
    "A time is an instant such as 2026-01-31T12:00:00Z, or so long ago: 90s, 15m, 24h, 7d.\n\n{}",
    super::CREDENTIAL_HELP
))]
pub(super) struct AuditArgs {
    /// Only events from this time on
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_time)]
    since: Time,

    /// Only events up to this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "follow")]
    until: Option<Time>,

    /// Only calls of this user: a user's name, a session's name, or root
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// Only calls of this operation, such as CreateAccount or iam:CreateUser
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,

    /// Only calls about this Amazon Chime account
    #[arg(long, value_name = "ID")]
    account: Option<String>,

    /// The 12 digits of the AWS account whose events to show; else that of the credential
    #[arg(long, value_name = "ID")]
    aws_account_id: Option<String>,

    /// Go on with new events as they come, until the process is told to stop
    #[arg(long)]
    follow: bool,

    /// How events are printed: a table, or CloudTrail's JSON, an event a line
    #[arg(long, value_enum, default_value = "table")]
    output: Output,

    #[command(flatten)]
    endpoint: Endpoint,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// A time as it was asked for.
#[derive(Clone, Copy, Debug)]
enum Time {
    At(Timestamp),
    MillisecondsAgo(i64),
}

/// Why printing ended early.
enum Ended {
    Call(CallError),
    Write(io::Error),
}

pub(super) fn audit(args: &AuditArgs) -> ExitCode {
    let client = match Client::from_environment(args.endpoint.endpoint_url.clone()) {
        Ok(client) => client,
        Err(error) => return failed(&error),
    };
    let reader = Reader {
        client,
        seen: HashMap::new(),
        output: args.output,
        operation: args.operation.clone().filter(|name| name.contains(':')),
    };
    match reader.run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Call(error)) => failed(&error),
        // Whoever reads has seen enough, as `head` has.
        Err(Ended::Write(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Ended::Write(error)) => fail(&format!("standard output: {error}"), GENERAL),
    }
}

struct Reader {
    client: Client,
    /// The events that were printed and can be met again, with their times.
    seen: HashMap<String, Timestamp>,
    output: Output,
    /// The one operation to print, where its service was named, too.
    operation: Option<String>,
}

impl Reader {
    fn run(mut self, args: &AuditArgs) -> Result<(), Ended> {
        let now = Clock::system().now();
        let mut since = args.since.from(now);
        if matches!(args.output, Output::Table) {
            let names = ["TIME", "USER", "OPERATION", "ACCOUNT", "SOURCE IP", "ERROR"];
            print(&row(names.map(str::to_owned))).map_err(Ended::Write)?;
        }
        loop {
            let mut members = args.members(now);
            members.insert("StartTime".to_owned(), since.to_string().into());
            let newest = self.print_all(members)?.unwrap_or(since);
            if !args.follow {
                return Ok(());
            }
            since = since.max(newest.plus(-LATE_MILLISECONDS));
            self.seen.retain(|_, time| *time >= since);
            thread::sleep(FOLLOW_INTERVAL);
        }
    }

    /// Prints what was not printed before; answers the time of the newest event.
    fn print_all(&mut self, mut members: Map<String, Value>) -> Result<Option<Timestamp>, Ended> {
        let mut newest = None;
        loop {
            let page = self.client.call(OPERATION, members.clone()).map_err(Ended::Call)?;
            let mut page = page.unwrap_or_default();
            let mut text = String::new();
            for event in page.get("Events").and_then(Value::as_array).into_iter().flatten() {
                let Some((id, time)) = id_and_time(event) else { continue };
                newest = newest.max(Some(time));
                if self.operation.as_ref().is_some_and(|it| *it != operation_of(event)) {
                    continue;
                }
                if self.seen.insert(id.to_owned(), time).is_none() {
                    text.push_str(&self.line(event));
                }
            }
            print(&text).map_err(Ended::Write)?;
            match page.get_mut("NextToken").map(Value::take) {
                Some(token @ Value::String(_)) => members.insert("NextToken".to_owned(), token),
                _ => return Ok(newest),
            };
        }
    }

    fn line(&self, event: &Value) -> String {
        let text = event.get("CloudTrailEvent").and_then(Value::as_str).unwrap_or_default();
        match self.output {
            Output::Json => format!("{text}\n"),
            Output::Table => {
                let record: Value = serde_json::from_str(text).unwrap_or_default();
                let account = ["/requestParameters", "/responseElements/account"]
                    .iter()
                    .find_map(|place| record.pointer(place)?.get("accountId")?.as_str());
                let member =
                    |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(shown);
                row([
                    member(event, "EventTime"),
                    member(event, "Username"),
                    Some(operation_of(event)),
                    account.map(shown),
                    member(&record, "sourceIPAddress"),
                    member(&record, "errorCode"),
                ]
                .map(Option::unwrap_or_default))
            }
        }
    }
}

impl AuditArgs {
    fn members(&self, now: Timestamp) -> Map<String, Value> {
        // Events have the name alone.
        let bare = |name: &String| name.rsplit(':').next().unwrap_or_default().to_owned();
        let operation = self.operation.as_ref().map(bare);
        let until = self.until.map(|until| until.from(now).to_string());
        [
            ("EndTime", until.as_ref()),
            ("Username", self.user.as_ref()),
            ("EventName", operation.as_ref()),
            ("AccountId", self.account.as_ref()),
            ("AwsAccountId", self.aws_account_id.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.as_str().into())))
        .chain([("MaxResults".to_owned(), PAGE.into())])
        .collect()
    }
}

impl Time {
    fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::MillisecondsAgo(milliseconds) => now.plus(-milliseconds),
        }
    }
}

fn parse_time(text: &str) -> Result<Time, String> {
    let wrong = || {
        "a time is an instant such as 2026-01-31T12:00:00Z, or so long ago: 90s, 15m, 24h or 7d"
            .to_owned()
    };
    if let Ok(instant) = Timestamp::try_from(text.to_owned()) {
        return Ok(Time::At(instant));
    }
    let unit = match text.chars().next_back() {
        Some('s') => 1000,
        Some('m') => 60 * 1000,
        Some('h') => 60 * 60 * 1000,
        Some('d') => 24 * 60 * 60 * 1000,
        _ => return Err(wrong()),
    };
    let number: u32 =
        text.get(..text.len() - 1).and_then(|it| it.parse().ok()).ok_or_else(wrong)?;
    Ok(Time::MillisecondsAgo(i64::from(number) * unit))
}

/// Returns the operation of an event as `campanile call` knows it: with its service, unless that is
/// Chime's or ours.
fn operation_of(event: &Value) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, source) = (shown(text("EventName")), text("EventSource"));
    match source.strip_suffix(".amazonaws.com") {
        Some(service) if service != "chime" => format!("{}:{name}", shown(service)),
        _ => name,
    }
}

fn id_and_time(event: &Value) -> Option<(&str, Timestamp)> {
    let time = event.get("EventTime")?.as_str()?.to_owned();
    Some((event.get("EventId")?.as_str()?, Timestamp::try_from(time).ok()?))
}

/// Writes a line of the table. The columns are as wide as what mostly stands in them: lines are
/// printed before it is known what follows.
fn row([time, user, operation, account, source_ip, error]: [String; 6]) -> String {
    let line =
        format!("{time:24}  {user:16}  {operation:24}  {account:36}  {source_ip:15}  {error}");
    format!("{}\n", line.trim_end())
}

/// Takes from a text what a terminal would obey: clients choose what stands in an event.
fn shown(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

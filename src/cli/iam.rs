//! `campanile users`, `roles`, `policies` and `keys`: IAM's commands by IAM's names, so that hands that
//! know `aws iam` need no manual.

use super::{CREDENTIAL_HELP, called, master_key};
use crate::client::{CallError, Client};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value};
use std::fs;
use std::process::ExitCode;

const GROUPS: [(&str, &str); 4] = [
    ("keys", "Access keys of a running server; and the master key of a stopped one"),
    ("users", "Users of an AWS account and what they may do"),
    ("roles", "Roles that callers can assume, by whom, and what they may do"),
    ("policies", "Managed policies, with their versions"),
];

/// A command: `campanile GROUP NAME`.
struct IamCommand {
    group: &'static str,
    name: &'static str,
    about: &'static str,
    options: &'static [IamOption],
}

/// An option of a command. Its name is that of the member that it becomes.
#[derive(Clone, Copy)]
struct IamOption {
    name: &'static str,
    help: &'static str,
    kind: OptionKind,
    required: bool,
}

#[derive(Clone, Copy)]
enum OptionKind {
    Text,
    /// JSON as it is, or a file with it, as for the AWS CLI.
    Document,
    Number,
    Flag,
    OneOf(&'static [&'static str]),
}

const fn option(name: &'static str, help: &'static str, kind: OptionKind) -> IamOption {
    IamOption { name, help, kind, required: false }
}

const fn required(name: &'static str, help: &'static str, kind: OptionKind) -> IamOption {
    IamOption { name, help, kind, required: true }
}

const ACCOUNT: IamOption = option(
    "aws-account-id",
    "The 12 digits of the AWS account; the caller's own, unless the caller is the deployment's root",
    OptionKind::Text,
);
const USER: IamOption = required("user-name", "Name of the user", OptionKind::Text);
const OWN_USER: IamOption =
    option("user-name", "Name of the user; the caller, if it is one", OptionKind::Text);
const ROLE: IamOption = required("role-name", "Name of the role", OptionKind::Text);
const POLICY: IamOption = required("policy-name", "Name of the policy", OptionKind::Text);
const POLICY_ARN: IamOption = required(
    "policy-arn",
    "ARN of the managed policy, such as arn:aws:iam::aws:policy/AmazonChimeReadOnly",
    OptionKind::Text,
);
const DOCUMENT: IamOption = required(
    "policy-document",
    "The policy as JSON, or file://PATH of a file that holds it",
    OptionKind::Document,
);
const TRUST: IamOption = required(
    "assume-role-policy-document",
    "Who may assume the role: a trust policy as JSON, or file://PATH",
    OptionKind::Document,
);
const KEY: IamOption = required("access-key-id", "The key's id, AKIA…", OptionKind::Text);
const VERSION: IamOption = required("version-id", "The version, v1, v2, …", OptionKind::Text);
const DESCRIPTION: IamOption = option("description", "What it is for", OptionKind::Text);
const DURATION: IamOption = option(
    "max-session-duration",
    "For how many seconds a session may last: 3600 to 43200; 3600 if nobody says",
    OptionKind::Number,
);

#[rustfmt::skip] // A line a command.
const COMMANDS: &[IamCommand] = &[
    IamCommand { group: "keys", name: "create-access-key", about: "Make an access key; its secret is printed this once", options: &[OWN_USER, ACCOUNT] },
    IamCommand { group: "keys", name: "list-access-keys", about: "List access keys, without their secrets", options: &[OWN_USER, ACCOUNT] },
    IamCommand { group: "keys", name: "update-access-key", about: "Let an access key sign, or keep it from that", options: &[KEY, OWN_USER, required("status", "Whether the key signs", OptionKind::OneOf(&["Active", "Inactive"]))] },
    IamCommand { group: "keys", name: "get-access-key-last-used", about: "Tell when an access key was last used", options: &[KEY] },
    IamCommand { group: "keys", name: "delete-access-key", about: "Delete an access key; what it signs is refused at once", options: &[KEY, OWN_USER] },

    IamCommand { group: "users", name: "create-user", about: "Make a user, who may do nothing yet", options: &[USER, ACCOUNT] },
    IamCommand { group: "users", name: "get-user", about: "Show a user: the caller, if none is named", options: &[OWN_USER, ACCOUNT] },
    IamCommand { group: "users", name: "list-users", about: "List the users of an AWS account", options: &[ACCOUNT] },
    IamCommand { group: "users", name: "update-user", about: "Give a user another name; its sessions end", options: &[USER, option("new-user-name", "The other name", OptionKind::Text), ACCOUNT] },
    IamCommand { group: "users", name: "delete-user", about: "Delete a user who has neither keys nor policies", options: &[USER, ACCOUNT] },
    IamCommand { group: "users", name: "put-user-policy", about: "Add or replace an inline policy of a user", options: &[USER, POLICY, DOCUMENT, ACCOUNT] },
    IamCommand { group: "users", name: "get-user-policy", about: "Show an inline policy of a user", options: &[USER, POLICY, ACCOUNT] },
    IamCommand { group: "users", name: "list-user-policies", about: "List the names of a user's inline policies", options: &[USER, ACCOUNT] },
    IamCommand { group: "users", name: "delete-user-policy", about: "Delete an inline policy of a user", options: &[USER, POLICY, ACCOUNT] },
    IamCommand { group: "users", name: "attach-user-policy", about: "Attach a managed policy to a user", options: &[USER, POLICY_ARN, ACCOUNT] },
    IamCommand { group: "users", name: "list-attached-user-policies", about: "List the managed policies that a user has", options: &[USER, ACCOUNT] },
    IamCommand { group: "users", name: "detach-user-policy", about: "Detach a managed policy from a user", options: &[USER, POLICY_ARN, ACCOUNT] },

    IamCommand { group: "roles", name: "create-role", about: "Make a role, whose sessions may do nothing yet", options: &[ROLE, TRUST, DESCRIPTION, DURATION, ACCOUNT] },
    IamCommand { group: "roles", name: "get-role", about: "Show a role", options: &[ROLE, ACCOUNT] },
    IamCommand { group: "roles", name: "list-roles", about: "List the roles of an AWS account", options: &[ACCOUNT] },
    IamCommand { group: "roles", name: "update-role", about: "Change what a role is for, or how long its sessions may last", options: &[ROLE, DESCRIPTION, DURATION, ACCOUNT] },
    IamCommand { group: "roles", name: "update-assume-role-policy", about: "Change who may assume a role", options: &[ROLE, DOCUMENT, ACCOUNT] },
    IamCommand { group: "roles", name: "delete-role", about: "Delete a role that has no policies; its sessions end with it", options: &[ROLE, ACCOUNT] },
    IamCommand { group: "roles", name: "put-role-policy", about: "Add or replace an inline policy of a role", options: &[ROLE, POLICY, DOCUMENT, ACCOUNT] },
    IamCommand { group: "roles", name: "get-role-policy", about: "Show an inline policy of a role", options: &[ROLE, POLICY, ACCOUNT] },
    IamCommand { group: "roles", name: "list-role-policies", about: "List the names of a role's inline policies", options: &[ROLE, ACCOUNT] },
    IamCommand { group: "roles", name: "delete-role-policy", about: "Delete an inline policy of a role", options: &[ROLE, POLICY, ACCOUNT] },
    IamCommand { group: "roles", name: "attach-role-policy", about: "Attach a managed policy to a role", options: &[ROLE, POLICY_ARN, ACCOUNT] },
    IamCommand { group: "roles", name: "list-attached-role-policies", about: "List the managed policies that a role has", options: &[ROLE, ACCOUNT] },
    IamCommand { group: "roles", name: "detach-role-policy", about: "Detach a managed policy from a role", options: &[ROLE, POLICY_ARN, ACCOUNT] },

    IamCommand { group: "policies", name: "create-policy", about: "Make a managed policy with its first version", options: &[POLICY, DOCUMENT, DESCRIPTION, ACCOUNT] },
    IamCommand { group: "policies", name: "get-policy", about: "Show a managed policy, without its document", options: &[POLICY_ARN] },
    IamCommand { group: "policies", name: "list-policies", about: "List managed policies, AWS's own among them", options: &[option("scope", "Which policies", OptionKind::OneOf(&["All", "AWS", "Local"])), ACCOUNT] },
    IamCommand { group: "policies", name: "list-entities-for-policy", about: "List whom a managed policy is attached to", options: &[POLICY_ARN, option("entity-filter", "Which kind of identities", OptionKind::OneOf(&["User", "Role"]))] },
    IamCommand { group: "policies", name: "delete-policy", about: "Delete a managed policy that nobody has", options: &[POLICY_ARN] },
    IamCommand { group: "policies", name: "create-policy-version", about: "Add a version to a managed policy", options: &[POLICY_ARN, DOCUMENT, option("set-as-default", "Put the version in force", OptionKind::Flag)] },
    IamCommand { group: "policies", name: "get-policy-version", about: "Show a version of a managed policy with its document", options: &[POLICY_ARN, VERSION] },
    IamCommand { group: "policies", name: "list-policy-versions", about: "List the versions of a managed policy", options: &[POLICY_ARN] },
    IamCommand { group: "policies", name: "set-default-policy-version", about: "Put a version of a managed policy in force", options: &[POLICY_ARN, VERSION] },
    IamCommand { group: "policies", name: "delete-policy-version", about: "Delete a version that is not in force", options: &[POLICY_ARN, VERSION] },
];

/// Adds the commands to the program's.
pub(super) fn add_to(program: Command) -> Command {
    GROUPS.iter().fold(program, |program, (group, about)| {
        let of_group = COMMANDS.iter().filter(|command| command.group == *group);
        let commands = of_group.map(IamCommand::command);
        let others = (*group == "keys").then(master_key::command);
        let group = Command::new(*group).about(*about).arg_required_else_help(true);
        program.subcommand(group.subcommands(commands.chain(others)))
    })
}

/// Runs the command that was given, if it is one of these.
pub(super) fn run(matches: &ArgMatches) -> Option<ExitCode> {
    let (group, matches) = matches.subcommand()?;
    let (name, matches) = matches.subcommand()?;
    if name == master_key::COMMAND {
        return Some(master_key::run(matches));
    }
    let command = COMMANDS.iter().find(|command| command.group == group && command.name == name)?;
    Some(called(command.call(matches)))
}

impl IamCommand {
    fn command(&self) -> Command {
        let endpoint = Arg::new("endpoint-url").long("endpoint-url").value_name("URL").help(
            "URL of the server; else AWS_ENDPOINT_URL_CHIME, AWS_ENDPOINT_URL or \
             http://127.0.0.1:8018",
        );
        let command = Command::new(self.name)
            .about(self.about)
            .after_help(CREDENTIAL_HELP)
            .args(self.options.iter().map(IamOption::arg))
            .arg(endpoint);
        // The names that these commands had when there were no others.
        match (self.group, self.name.split_once('-')) {
            ("keys", Some((short @ ("create" | "list" | "delete"), _))) => command.alias(short),
            _ => command,
        }
    }

    /// Returns IAM's name of the operation: `create-user` is `iam:CreateUser`.
    fn operation(&self) -> String {
        format!("iam:{}", member_name(self.name))
    }

    fn call(&self, matches: &ArgMatches) -> Result<Option<Value>, CallError> {
        let mut members = Map::new();
        for option in self.options {
            if let Some(value) = option.value(matches)? {
                members.insert(member_name(option.name), value);
            }
        }
        let endpoint = matches.get_one::<String>("endpoint-url").cloned();
        let client = Client::from_environment(endpoint)?;
        let mut answer = all_pages(&client, &self.operation(), members)?;
        if let Some(answer) = &mut answer {
            show_documents(answer);
        }
        Ok(answer)
    }
}

impl IamOption {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.name).long(self.name).help(self.help).required(self.required);
        match self.kind {
            OptionKind::Text => arg.value_name("NAME"),
            OptionKind::Document => arg.value_name("JSON"),
            OptionKind::Number => arg.value_name("NUMBER").value_parser(value_parser!(i64)),
            OptionKind::Flag => arg.action(ArgAction::SetTrue),
            OptionKind::OneOf(values) => {
                arg.value_name("VALUE").value_parser(PossibleValuesParser::new(values))
            }
        }
    }

    fn value(&self, matches: &ArgMatches) -> Result<Option<Value>, CallError> {
        let text = || matches.get_one::<String>(self.name);
        Ok(match self.kind {
            OptionKind::Number => matches.get_one::<i64>(self.name).map(|&it| it.into()),
            OptionKind::Flag => matches.get_flag(self.name).then_some(Value::Bool(true)),
            OptionKind::Document => text().map(|it| self.document(it)).transpose()?,
            OptionKind::Text | OptionKind::OneOf(_) => text().cloned().map(Value::String),
        })
    }

    fn document(&self, given: &str) -> Result<Value, CallError> {
        let Some(path) = given.strip_prefix("file://") else { return Ok(given.into()) };
        let read = fs::read_to_string(path);
        read.map(Value::String).map_err(|error| {
            let option = self.name;
            CallError::Usage(format!("--{option}: the file {path} cannot be read: {error}"))
        })
    }
}

/// Returns the name that a member has: `user-name` is `UserName`.
fn member_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    words.collect()
}

/// Walks all the pages, as the AWS CLI does, and puts their lists together.
fn all_pages(
    client: &Client,
    operation: &str,
    mut members: Map<String, Value>,
) -> Result<Option<Value>, CallError> {
    let mut all: Option<Map<String, Value>> = None;
    loop {
        let Some(Value::Object(mut page)) = client.call(operation, members.clone())? else {
            return Ok(all.map(Value::Object));
        };
        let next = ["Marker", "NextToken"]
            .into_iter()
            .find_map(|name| Some((name, page.remove(name).filter(Value::is_string)?)));
        page.remove("IsTruncated");
        match &mut all {
            None => all = Some(page),
            Some(all) => {
                for (name, value) in page {
                    if let (Some(Value::Array(list)), Value::Array(more)) =
                        (all.get_mut(&name), value)
                    {
                        list.extend(more);
                    }
                }
            }
        }
        match next {
            None => return Ok(all.filter(|all| !all.is_empty()).map(Value::Object)),
            Some((name, token)) => members.insert(name.to_owned(), token),
        };
    }
}

/// Shows policy documents as the AWS CLI does: as the JSON that their text is.
fn show_documents(answer: &mut Value) {
    match answer {
        Value::Array(list) => list.iter_mut().for_each(show_documents),
        Value::Object(members) => {
            for (name, value) in members {
                let document = value.as_str().filter(|_| name.ends_with("Document"));
                match document.and_then(|text| serde_json::from_str(text).ok()) {
                    Some(document) => *value = document,
                    None => show_documents(value),
                }
            }
        }
        _ => {}
    }
}

//! The views for people who query with SQL: they have the columns that docs/sql.md documents, and in
//! each what the member of the API shows that stands beside it there.

use super::filling::{
    be_somebody_else, delete_with_users, deleted_accounts, import, suspend_all_at_once, take_steps,
};
use super::store::SharedStore;
use crate::harness::{Client, entries};
use crate::state_machine::invariants::walk;
use crate::tidy::check;
use campanile::clock::Timestamp;
use campanile::operations::accounts::AccountRecord;
use campanile::operations::audit::AuditEventRecord;
use campanile::operations::users::UserRecord;
use campanile::operations::users::invites::InviteRecord;
use campanile::store::Record;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::slice;

const VIEWS: [&str; 4] = ["accounts", "users", "invites", "audit_events"];
const AWS_ACCOUNTS: [&str; 2] = ["222233334444", "333344445555"];

/// What the API answers of a thing, by operation. Where nothing is known of an operation, nothing is
/// compared with it.
type Answers = BTreeMap<&'static str, Value>;
/// What the API answers of all things of a view, by what identifies them.
type Things = BTreeMap<String, Answers>;

#[test]
fn every_view_agrees_with_the_api() {
    let store = SharedStore::new();
    let server = store.server();
    let clients = AWS_ACCOUNTS.map(|id| server.client_of(id));
    for (number, client) in (0..).zip(&clients) {
        take_steps(client, number);
    }
    import(&clients[0]);
    delete_with_users(&clients[1]);
    suspend_all_at_once(&clients[1]);
    be_somebody_else(&server);

    let clients = [&[server.client()][..], &clients].concat();
    // As it is, and once more when no account is deleted, for then the API tells everything.
    store.assert_agrees(&clients);
    let of_deleted =
        "SELECT to_json(count(*)) FROM users WHERE account_deleted_timestamp IS NOT NULL";
    assert_ne!(store.query(of_deleted), [0], "some users' accounts are deleted");
    for client in &clients {
        for account in deleted_accounts(client) {
            client.ok("RestoreAccount", json!({"AccountId": account}));
        }
    }
    store.assert_agrees(&clients);
    store.assert_varied();
    for (view, column, values) in [
        ("users", "user_registration_status", &["Registered", "Suspended", "Unregistered"][..]),
        ("invites", "status", &["Accepted", "Pending"]),
        ("audit_events", "identity_type", &["AssumedRole", "IAMUser", "Root", "Unknown"]),
    ] {
        let seen = format!("SELECT DISTINCT to_json({column})::text FROM {view} ORDER BY 1");
        assert_eq!(store.query(&seen), values, "{view}.{column}");
    }
    drop(server);
    entries::check(&store.engine).unwrap();
}

#[test]
fn what_is_documented_is_what_there_is() {
    let store = SharedStore::new();
    for view in VIEWS {
        let found = store.query(&format!(
            "SELECT json_build_array(column_name, data_type) FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{view}' \
             ORDER BY ordinal_position"
        ));
        let columns = columns(view);
        let documented: Vec<_> = columns.iter().map(|it| json!([it.name, it.kind])).collect();
        assert_eq!(found, documented, "{view}");
    }
    let all = store.query(
        "SELECT to_json(table_name) FROM information_schema.views \
         WHERE table_schema = current_schema()",
    );
    assert_eq!(all.len(), VIEWS.len(), "{all:?}");
}

#[test]
fn the_examples_of_the_documentation_run_as_the_role_of_the_documentation() {
    let store = SharedStore::new();
    let server = store.server();
    let account = server.client().create_account("gone");
    server.client().ok("DeleteAccount", json!({"AccountId": account}));
    let page = documentation();
    let mut examples = page.split("```sql\n").skip(1).map(|it| it.split("```").next().unwrap());
    // Roles are the whole database server's.
    let role = format!("reporting_{}", uuid::Uuid::new_v4().simple());
    let schema = store.query("SELECT to_json(current_schema())");
    let schema = schema[0].as_str().unwrap();
    let rights = examples.next().unwrap().replace("reporting", &role).replace("public", schema);
    store.query(&rights);
    let queries =
        ["SELECT to_json(isolation) FROM current_setting('transaction_isolation') AS isolation"]
            .into_iter()
            .chain(examples);
    let mut answers = Vec::new();
    for query in queries {
        let wrapped =
            format!("SELECT to_json(found) FROM ({}) AS found", query.trim().trim_end_matches(';'));
        let query = if query.contains("to_json") { query } else { &wrapped };
        answers.push(store.query_as(&role, query).unwrap());
    }
    assert_eq!(answers[0], [json!("read committed")]);
    let deletion = answers.iter().flatten().find(|it| it["account_id"] == *account);
    assert!(
        deletion.is_some_and(|it| it["arn"].as_str().unwrap().ends_with(":root")),
        "{answers:?}"
    );
    let refused = store.query_as(&role, "SELECT to_json(count(*)) FROM entries").unwrap_err();
    assert!(refused.contains("permission denied for table entries"), "{refused}");
    let refused = store.query_as(&role, "CREATE TEMPORARY TABLE mine (id integer)").unwrap_err();
    assert!(refused.contains("read-only"), "{refused}");
    store.query(&format!("DROP OWNED BY {role}"));
    store.query(&format!("DROP ROLE {role}"));
}

/// Reading takes no part in what makes serializable transactions wait or fail.
#[test]
fn whoever_reads_is_in_nobodys_way() {
    let store = SharedStore::new();
    let server = store.server();
    let read = VIEWS.map(|view| format!("SELECT count(*) FROM {view};")).concat();
    let locks = |isolation: &str| {
        let found = store.query(&format!(
            "BEGIN ISOLATION LEVEL {isolation}; {read} \
             SELECT to_json(count(*)) FROM pg_locks \
                 WHERE mode = 'SIReadLock' AND pid = pg_backend_pid(); COMMIT"
        ));
        found.last().unwrap().as_u64().unwrap()
    };
    assert_eq!(locks("READ COMMITTED"), 0);
    assert_ne!(locks("SERIALIZABLE"), 0, "these would be seen");

    let account = server.client().create_account("before");
    let found = store.query(&format!(
        "BEGIN; {read} SELECT to_json(count(*)) FROM accounts; COMMIT; \
         SELECT to_json(name) FROM accounts WHERE account_id = '{account}'"
    ));
    assert_eq!(found.last(), Some(&json!("before")), "{found:?}");
}

#[test]
fn a_view_reads_the_range_of_its_records_in_the_index() {
    let store = SharedStore::new();
    let server = store.server();
    let client = server.client();
    // What a planner knows of a store in which this kind of records is a small part.
    store.query(
        "INSERT INTO entries SELECT '\\xf0'::bytea || int4send(number), '' \
         FROM generate_series(1, 20000) AS number",
    );
    client.create_account("one");
    store.query("ANALYZE entries");
    for view in VIEWS {
        let plan = store.query(&format!("EXPLAIN (FORMAT JSON) SELECT * FROM {view}"));
        let plan = plan[0].to_string();
        assert!(plan.contains("entries_pkey") && !plan.contains("Seq Scan"), "{view}: {plan}");
        assert!(plan.contains("Index Cond"), "{view}: {plan}");
    }
    store.query("DELETE FROM entries WHERE key >= '\\xf0'");
}

#[test]
fn a_view_shows_older_records_and_does_not_break_on_newer_ones() {
    let store = SharedStore::new();
    let server = store.server();
    let client = server.client();
    let account = client.create_account("old");
    // Release 0.1.0 wrote the same but for members that are left out where they have their defaults.
    store.query(
        "UPDATE entries SET value = convert_to(replace(convert_from(value, 'UTF8'), \
             '\"version\":2', '\"version\":1'), 'UTF8') WHERE key >= '\\x04' AND key < '\\x06'",
    );
    store.assert_agrees_with(
        "accounts",
        &things(slice::from_ref(&client), "accounts"),
        &["record_version"],
    );
    assert_eq!(store.rows("accounts")[0]["record_version"], 1);

    let before = VIEWS.map(|view| store.rows(view).len());
    for table in ["04", "06", "0c", "15"] {
        for (number, record) in
            [r#"{"AccountId": {"new": 1}}"#, "[]", "null", "7"].iter().enumerate()
        {
            let stored = format!(r#"{{"version": 99, "record": {record}}}"#);
            store.query(&format!(
                "INSERT INTO entries VALUES ('\\x{table}ff{number:02}', '{stored}')"
            ));
        }
    }
    for (view, before) in VIEWS.iter().zip(before) {
        let rows = store.rows(view);
        assert_eq!(rows.len(), before + 4, "{view}");
        let newer: Vec<_> = rows.iter().filter(|row| row["record_version"] == 99).collect();
        assert_eq!(newer.len(), 4, "{view}");
        for row in newer {
            let mut shown = row.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
            assert!(shown.all(|(name, _)| name == "record_version"), "{view}: {row}");
        }
    }
    store.query("DELETE FROM entries WHERE substring(key from 2 for 1) = '\\xff'");
    client.ok("GetAccount", json!({"AccountId": account}));
}

impl SharedStore {
    fn rows(&self, view: &str) -> Vec<Value> {
        self.query(&format!("SELECT to_json(shown) FROM {view} AS shown"))
    }

    fn assert_agrees(&self, clients: &[Client]) {
        for view in VIEWS {
            self.assert_agrees_with(view, &things(clients, view), &[]);
        }
        // Of whose account is deleted, the API shows nothing but the account.
        let accounts = things(clients, "accounts");
        for row in VIEWS[1..3].iter().flat_map(|view| self.rows(view)) {
            let account = &accounts[&identity("accounts", &row)]["ListDeletedAccounts"];
            let column = Column::of("users", "account_deleted_timestamp");
            let found = column.comparable(&row[&column.name]);
            assert_eq!(found, column.comparable(&account["DeletedTimestamp"]), "{row}");
        }
    }

    /// Holds the rows of a view against what the API answers, both ways.
    fn assert_agrees_with(&self, view: &str, things: &Things, but: &[&str]) {
        let mut rows = BTreeMap::new();
        let is_shown = |row: &Value| row["account_deleted_timestamp"].is_null();
        for row in self.rows(view).into_iter().filter(is_shown) {
            let twice = rows.insert(identity(view, &row), row);
            assert!(twice.is_none(), "{view} has {twice:?} twice");
        }
        let ids = |ids: Vec<&String>| ids.into_iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(ids(rows.keys().collect()), ids(things.keys().collect()), "{view}");
        let mut wrong = Vec::new();
        for (id, row) in &rows {
            for column in columns(view).iter().filter(|it| !but.contains(&it.name.as_str())) {
                let Some(expected) = column.expected(view, &things[id]) else { continue };
                let found = column.comparable(&row[&column.name]);
                if found != expected {
                    wrong.push(format!(
                        "{view}.{} of {id}: {found}, should be {expected}",
                        column.name
                    ));
                }
            }
        }
        check(&wrong);
        assert!(!rows.is_empty(), "{view} has rows");
    }

    /// Holds that what was compared was not always the same: each column has had two values, but for
    /// those that one server, one client and one version give.
    fn assert_varied(&self) {
        let of_deleted =
            ["deleted_timestamp", "restorable_until_timestamp", "account_deleted_timestamp"];
        let one = ["record_version", "source_ip_address", "user_agent", "additional_event_data"];
        // Calls that only read leave no event here, and no mail is sent.
        let one = [&of_deleted[..], &one, &["read_only", "email_status"]].concat();
        let mut wrong = Vec::new();
        for view in VIEWS {
            let rows = self.rows(view);
            for Column { name, .. } in columns(view) {
                let values: BTreeSet<_> = rows.iter().map(|row| row[&name].to_string()).collect();
                if values.len() < 2 && !one.contains(&name.as_str()) {
                    wrong.push(format!("{view}.{name} is always {values:?}"));
                }
            }
        }
        check(&wrong);
    }
}

/// A column, as docs/sql.md documents it.
struct Column {
    name: String,
    kind: String,
    /// The operation, and the path of the member in its answer.
    member: Option<(String, String)>,
}

fn documentation() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sql.md");
    std::fs::read_to_string(path).unwrap()
}

fn columns(view: &str) -> Vec<Column> {
    let page = documentation();
    let section = page.split("\n## ").find(|it| it.lines().next() == Some(view)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        let quoted = |cell: &str| -> Vec<String> {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let member = quoted(cells[3]);
        Column {
            name: quoted(cells[1]).remove(0),
            kind: quoted(cells[2]).remove(0),
            member: (!member.is_empty()).then(|| (member[0].clone(), member[1].clone())),
        }
    })
    .collect()
}

impl Column {
    fn of(view: &str, name: &str) -> Self {
        columns(view).into_iter().find(|it| it.name == name).unwrap()
    }

    /// Returns what the API answers, if it answers anything of this.
    fn expected(&self, view: &str, answers: &Answers) -> Option<Value> {
        let Some((operation, path)) = &self.member else {
            return Some(json!(match view {
                "accounts" => AccountRecord::VERSION,
                "users" => UserRecord::VERSION,
                "invites" => InviteRecord::VERSION,
                _ => AuditEventRecord::VERSION,
            }));
        };
        let answer = answers.get(operation.as_str())?;
        Some(self.comparable(path.split('.').fold(answer, |value, member| &value[member])))
    }

    /// Returns a value in the one form in which both are compared.
    fn comparable(&self, value: &Value) -> Value {
        let Some(text) = value.as_str() else { return without_nul(value) };
        if self.kind != "timestamp with time zone" {
            return without_nul(value);
        }
        // The years before 1 are documented to be null.
        if text.starts_with('-') || text.starts_with("0000") {
            return Value::Null;
        }
        json!(Timestamp::exactly(text).unwrap().to_string())
    }
}

fn without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.replace('\0', "\u{fffd}")),
        Value::Array(values) => values.iter().map(without_nul).collect(),
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(name, it)| (name.replace('\0', "\u{fffd}"), without_nul(it)))
                    .collect(),
            )
        }
        value => value.clone(),
    }
}

/// Returns what identifies the thing that a row shows.
fn identity(view: &str, row: &Value) -> String {
    let names: &[&str] = match view {
        "accounts" => &["aws_account_id", "account_id"],
        "audit_events" => &["aws_account_id", "event_id"],
        _ => &["aws_account_id", "account_id", "user_id"],
    };
    names.iter().map(|name| row[name].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

/// Asks the API for all that a view shows, in the AWS accounts of these clients.
fn things(clients: &[Client], view: &str) -> Things {
    let mut things = Things::new();
    for client in clients {
        match view {
            "accounts" => things.extend(accounts(client)),
            "audit_events" => things.extend(events(client)),
            _ => {
                for (id, account) in accounts(client) {
                    things.extend(users(client, &id, &account, view == "invites"));
                }
            }
        }
    }
    things
}

fn accounts(client: &Client) -> Things {
    let of = |account: &Value| {
        format!(
            "{} {}",
            account["AwsAccountId"].as_str().unwrap(),
            account["AccountId"].as_str().unwrap()
        )
    };
    let live = walk(client, "ListAccounts", json!({})).unwrap().into_iter().map(|account| {
        let members = json!({"AccountId": account["AccountId"]});
        let mut answers = Answers::from([("ListDeletedAccounts", json!({}))]);
        for operation in ["GetAccount", "GetAccountSettings", "GetRetentionSettings"] {
            // A Team account has no retention settings.
            let answer = client.call(operation, members.clone());
            answers.insert(operation, if answer.status == 200 { answer.json() } else { json!({}) });
        }
        (of(&account), answers)
    });
    let deleted =
        walk(client, "ListDeletedAccounts", json!({})).unwrap().into_iter().map(|deleted| {
            let account = json!({"Account": deleted["Account"]});
            let id = of(&deleted["Account"]);
            (id, Answers::from([("GetAccount", account), ("ListDeletedAccounts", deleted)]))
        });
    live.chain(deleted).collect()
}

/// Asks for the users of an account that is there; with their invites, those who have one.
fn users(client: &Client, id: &str, account: &Answers, with_invites: bool) -> Things {
    if account["ListDeletedAccounts"] != json!({}) {
        return Things::new();
    }
    let account_id = &account["GetAccount"]["Account"]["AccountId"];
    let users = walk(client, "ListUsers", json!({"AccountId": account_id})).unwrap();
    let of = |user: &Value| {
        let user_id = user["UserId"].as_str().unwrap();
        let members = json!({"AccountId": account_id, "UserId": user_id});
        let mut answers = account.clone();
        if with_invites {
            let invite = client.call("GetInvite", members.clone());
            answers.insert("GetInvite", (invite.status == 200).then(|| invite.json())?);
        }
        for operation in ["GetUser", "GetUserSettings"] {
            answers.insert(operation, client.ok(operation, members.clone()));
        }
        Some((format!("{id} {user_id}"), answers))
    };
    users.iter().filter_map(of).collect()
}

fn events(client: &Client) -> Things {
    let events = walk(client, "cloudtrail:LookupEvents", json!({"MaxResults": 200})).unwrap();
    let of = |mut found: Value| {
        let event = found["CloudTrailEvent"].as_str().unwrap();
        let event: Value = serde_json::from_str(event).unwrap();
        let ids = ["recipientAccountId", "eventID"].map(|name| event[name].as_str().unwrap());
        let id = ids.join(" ");
        found["CloudTrailEvent"] = event;
        (id, Answers::from([("LookupEvents", found)]))
    };
    events.into_iter().map(of).collect()
}

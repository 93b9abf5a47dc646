//! The SQL of the program: where it may stand, and what it must leave alone so that databases that
//! speak PostgreSQL's wire can run it too. docs/portability.md says which of them did.
//!
//! What PostgreSQL really received is held against the same rules by `tests/postgres/received.rs`.

use crate::tidy::{check, sources};
use proc_macro2::{TokenStream, TokenTree};
use regex::Regex;
use std::sync::LazyLock;

/// Where SQL stands.
const PLACES: [&str; 3] =
    ["src/store/postgres/schema.rs", "src/store/postgres/sql.rs", "src/store/postgres/views.rs"];

/// What SQL looks like: how a statement begins, or what only a part of one has.
const LOOKS: &str = r"(?x)
    ^\s*(BEGIN|COMMIT|ROLLBACK|ABORT|END|SET|RESET|SHOW|SAVEPOINT|RELEASE|LISTEN|NOTIFY|UNLISTEN|LOCK
        |DISCARD|DECLARE|FETCH|MOVE|COPY|CALL|DO|PREPARE|EXECUTE|DEALLOCATE|VACUUM|ANALYZE|EXPLAIN
        |TRUNCATE|GRANT|REVOKE|VALUES|TABLE|MERGE|REFRESH|CLUSTER|REINDEX|START\ TRANSACTION)
        (\s+[\w'({$]|\s*;|\s*$)
    |(?i:^\s*(SELECT\s+\S|WITH\s+\w+\s+AS\s*\(|INSERT\s+INTO\b|DELETE\s+FROM\b|UPDATE\s+\S+\s+SET\b
        |(CREATE|ALTER|DROP)\s+(OR\s+REPLACE\s+|UNIQUE\s+|TEMP(ORARY)?\s+|MATERIALIZED\s+)*
            (TABLE|SCHEMA|VIEW|INDEX|SEQUENCE|FUNCTION|PROCEDURE|TRIGGER|TYPE|DOMAIN|EXTENSION|ROLE
            |DATABASE|RULE|USER|POLICY|AGGREGATE|CAST|OPERATOR)\b))
    |\b(INSERT\ INTO|DELETE\ FROM|ORDER\ BY|GROUP\ BY|ON\ CONFLICT|UNION\ ALL|RETURNING|FOR\ UPDATE
        |FOR\ SHARE|LIMIT\ \$|LEFT\ JOIN|INNER\ JOIN|WHERE)\b
    |\bFROM\s+(entries|commits|migrations)\b";

/// What no statement may have, each with the reason, and a statement that has it.
#[rustfmt::skip] // A line a rule.
const RULES: [(&str, &str, &str); 20] = [
    (r"\b(SMALL|BIG)?SERIAL[248]?\b|\bSEQUENCE\b|\b(NEXT|CURR|SET|LAST)VAL\b|\bGENERATED\b.*\bAS IDENTITY\b", "a sequence: every server waits for its row", "CREATE TABLE IF NOT EXISTS t (id bigserial PRIMARY KEY)"),
    (r"\bTRIGGER\b|\bRULE\b", "a trigger: not on every engine", "CREATE OR REPLACE TRIGGER t AFTER INSERT ON entries EXECUTE PROCEDURE f()"),
    (r"\bPG_(TRY_)?ADVISORY", "an advisory lock: it does nothing, or is not there, on other engines", "SELECT pg_advisory_xact_lock(1)"),
    (r"^(UN)?LISTEN\b|^NOTIFY\b|\bPG_NOTIFY\b", "LISTEN and NOTIFY: not on every engine", "LISTEN changes"),
    (r"\bINDEX\b.*\bWHERE\b", "a partial index: not planned alike everywhere", "CREATE INDEX IF NOT EXISTS i ON entries (key) WHERE value IS NULL"),
    (r"\bREFERENCES\b|\bFOREIGN KEY\b", "a foreign key: checked in different ways", "CREATE TABLE IF NOT EXISTS t (id uuid REFERENCES commits)"),
    (r"\bSAVEPOINT\b|^RELEASE\b|^ROLLBACK TO\b", "a savepoint: CockroachDB's own retry protocol has its names", "SAVEPOINT s"),
    (r"^LOCK\b", "a lock on a table: not on every engine", "LOCK TABLE entries"),
    (r"\b(FUNCTION|PROCEDURE|AGGREGATE)\b|^DO\b|^CALL\b", "a routine: each engine has its own language", "CREATE OR REPLACE FUNCTION f() RETURNS int4 AS 'SELECT 1' LANGUAGE sql"),
    (r"\bEXTENSION\b", "an extension: each engine has its own", "CREATE EXTENSION IF NOT EXISTS pgcrypto"),
    (r"\b(DOMAIN|CREATE TYPE|ALTER TYPE)\b", "a type of our own: not on every engine", "CREATE DOMAIN key AS bytea"),
    (r"\b(TEMP|TEMPORARY|UNLOGGED|MATERIALIZED|INHERITS|PARTITION)\b", "a table of a special kind: not on every engine", "CREATE TEMPORARY TABLE t (id int4)"),
    (r"^(COPY|DECLARE|FETCH|MOVE)\b", "COPY or a cursor: limited on other engines", "COPY entries TO STDOUT"),
    (r"^PREPARE TRANSACTION\b|^(COMMIT|ROLLBACK) PREPARED\b", "a prepared transaction: not on every engine", "PREPARE TRANSACTION 'x'"),
    (r"\b(CTID|XMIN|XMAX|TABLEOID)\b", "a system column: not on every engine", "SELECT key FROM entries WHERE ctid = $1"),
    (r"\b(INT|INTEGER)\b", "an integer of no certain size: it has 64 bits on CockroachDB; say int4 or int8", "CREATE TABLE IF NOT EXISTS t (id integer PRIMARY KEY)"),
    (r"\bUSING (GIN|GIST|HASH|BRIN)\b|\bCONCURRENTLY\b|\bEXCLUDE\b", "an index of a special kind: not on every engine", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON entries (key)"),
    (r"\bDEFERRABLE\b|\bDEFERRED\b", "a deferred constraint: not on every engine", "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE"),
    (r"\bFOR (NO KEY )?(UPDATE|SHARE|KEY SHARE)\b", "a lock on rows: isolation is what keeps transactions apart", "SELECT key FROM entries WHERE key = $1 FOR UPDATE"),
    (r"\b(REPEATABLE READ|READ COMMITTED|READ UNCOMMITTED)\b", "an isolation level that is another one elsewhere", "BEGIN ISOLATION LEVEL REPEATABLE READ"),
];

static LOOKS_LIKE_SQL: LazyLock<Regex> = LazyLock::new(|| Regex::new(LOOKS).unwrap());
static COMPILED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    RULES.iter().map(|(rule, reason, _)| (Regex::new(rule).unwrap(), *reason)).collect()
});
/// A statement that changes the schema.
static DDL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(CREATE|ALTER|DROP|GRANT|REVOKE|COMMENT|TRUNCATE)\b").unwrap());
static RUNS_TWICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^CREATE (OR REPLACE |\w+ IF NOT EXISTS )|^DROP \w+ IF EXISTS |^(GRANT|REVOKE)\b")
        .unwrap()
});
/// A WITH that writes, up to what it is written into.
static WRITING_WITH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\bWITH \w+ AS \((INSERT|UPDATE|DELETE)(?:[^()]|\([^()]*\))*\)").unwrap()
});

/// A write, and the table that it goes to.
static WRITE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:INSERT INTO|DELETE FROM|UPDATE) (\w+)").unwrap());

#[test]
fn sql_stands_where_it_is_looked_for_and_is_portable() {
    let mut wrong = Vec::new();
    let mut found = [0; PLACES.len()];
    for source in sources().iter().filter(|source| !source.is_test()) {
        for text in literals(&source.text) {
            if !LOOKS_LIKE_SQL.is_match(&text) {
                continue;
            }
            let at = &source.path;
            match PLACES.iter().position(|place| *place == source.path) {
                None => wrong.push(format!("{at}: SQL stands in {}: {text}", PLACES.join(", "))),
                Some(place) => found[place] += 1,
            }
            wrong.extend(faults(&text).iter().map(|fault| format!("{at}: {fault}: {text}")));
        }
    }
    check(&wrong);
    assert!(found[0] >= 7 && found[1] >= 15 && found[2] >= 4, "SQL is found: {found:?}");
}

#[test]
fn every_rule_finds_what_it_is_for() {
    for (rule, reason, statement) in RULES {
        assert!(LOOKS_LIKE_SQL.is_match(statement), "{statement} does not look like SQL");
        let faults = faults(statement);
        assert!(faults.contains(&reason), "{rule} does not find {statement}, but {faults:?}");
    }
    for statement in [
        "CREATE TABLE IF NOT EXISTS a (id int4); CREATE TABLE IF NOT EXISTS b (id int4)",
        "BEGIN; CREATE TABLE IF NOT EXISTS a (id int4); COMMIT",
        "CREATE TABLE a (id int4)",
        "ALTER TABLE entries ADD COLUMN more bytea",
        "WITH w AS (DELETE FROM commits WHERE id IN (SELECT id FROM t)) SELECT 1",
        "WITH w AS (INSERT INTO t (id) VALUES (1) RETURNING id) INSERT INTO t (id) VALUES (2)",
        "WITH w AS (DELETE FROM t RETURNING id) UPDATE t SET id = 1",
    ] {
        assert_eq!(faults(statement).len(), 1, "{statement}: {:?}", faults(statement));
    }
    for statement in [
        "SELECT 'LISTEN to; a savepoint', \"serial\" FROM entries -- LOCK it",
        "CREATE TABLE IF NOT EXISTS a (id int4, pointer int8)",
        "WITH w AS (DELETE FROM commits RETURNING id) SELECT id FROM w",
        "WITH w AS (DELETE FROM a RETURNING id) INSERT INTO b (id) SELECT id FROM w ON CONFLICT (id) \
         DO UPDATE SET id = 1",
    ] {
        assert_eq!(faults(statement), Vec::<&str>::new(), "{statement}");
    }
}

#[test]
fn sql_is_told_from_what_people_read() {
    for text in ["select key from t", "COMMIT", "SET a = 1", " ORDER BY key", "show x; ROLLBACK;"] {
        let literal = literals(&format!("fn f() {{ g!(\"{text}\", r#\"{text}\"#) }}"));
        assert_eq!(literal.len(), 2);
        let is_found = text.starts_with("show") || LOOKS_LIKE_SQL.is_match(&literal[0]);
        assert!(is_found, "{text}");
    }
    for text in
        ["Set CAMPANILE_X", "SETTING", "Begin anew", "from entries", "the table", "DOES NOT"]
    {
        assert!(!LOOKS_LIKE_SQL.is_match(text), "{text}");
    }
    let comments = "//! SELECT a FROM b\n/// SELECT a FROM b\nfn f() {} // \"SELECT 1\"";
    assert!(literals(comments).is_empty());
}

/// Returns what other engines could not run of a text of SQL.
pub fn faults(sql: &str) -> Vec<&'static str> {
    let bare = bare(sql);
    let statements: Vec<_> =
        bare.split(';').map(str::trim).filter(|statement| !statement.is_empty()).collect();
    let mut faults = Vec::new();
    for statement in &statements {
        let broken = COMPILED.iter().filter(|(rule, _)| rule.is_match(statement));
        faults.extend(broken.map(|(_, reason)| *reason));
        if DDL.is_match(statement) && !RUNS_TWICE.is_match(statement) {
            faults.push(
                "a change of the schema that cannot be run again, where another server was first",
            );
        }
        let tables: Vec<_> = WRITE.captures_iter(statement).map(|it| it[1].to_owned()).collect();
        let are_apart = tables.iter().all(|table| {
            table == "SET" || tables.iter().filter(|other| *other == table).count() == 1
        });
        if !are_apart {
            faults.push("two writes to one table in a statement: CockroachDB refuses them");
        }
        if WRITING_WITH.find(statement).is_some_and(|it| !it.as_str().contains("RETURNING")) {
            faults.push("a WITH that writes and returns nothing: CockroachDB asks for RETURNING");
        }
    }
    if statements.len() > 1 && statements.iter().any(|it| DDL.is_match(it)) {
        faults.push("a change of the schema beside other statements: not atomic on other engines");
    }
    faults
}

/// Returns SQL in capitals, on one line, without comments, and without what stands in quotes.
fn bare(sql: &str) -> String {
    let quoted = Regex::new(r#"(?s)'(?:[^']|'')*'|"[^"]*"|--[^\n]*|/\*.*?\*/"#).unwrap();
    let bare = quoted.replace_all(sql, "''").to_uppercase();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns all strings of a source.
pub fn literals(source: &str) -> Vec<String> {
    fn walk(tokens: TokenStream, found: &mut Vec<String>) {
        let mut is_documentation = false;
        for token in tokens {
            match token {
                TokenTree::Group(group) => walk(group.stream(), found),
                TokenTree::Literal(literal) if !is_documentation => {
                    let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                    found.extend(text.ok().map(|text| text.value()));
                }
                // A comment that is documentation is an attribute: doc = "…".
                TokenTree::Ident(name) => {
                    is_documentation = name == "doc";
                    continue;
                }
                TokenTree::Punct(mark) if mark.as_char() == '=' => continue,
                _ => {}
            }
            is_documentation = false;
        }
    }
    let mut found = Vec::new();
    walk(source.parse().unwrap(), &mut found);
    found
}

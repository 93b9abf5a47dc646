//! All the SQL that is sent: what PostgreSQL shares with the engines that speak its wire.
//! docs/portability.md says what that leaves out, and a test reads this file for it.

/// What every new session is told. A transaction that is left open holds up others.
pub(super) const SESSION: [&str; 2] = [
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "SET idle_in_transaction_session_timeout = 30000",
];

/// What a session of PostgreSQL itself is told besides. A scan of the whole table, which its planner
/// prefers as long as the table is small, conflicts with every write.
pub(super) const PLANNER: [&str; 3] =
    ["SET enable_seqscan = off", "SET enable_bitmapscan = off", "SET enable_sort = off"];

/// Whether a commit waits until it is durable; `off` and `local` would not, where there are replicas.
pub(super) const SYNCHRONOUS_COMMIT: &str = "SHOW synchronous_commit";
pub(super) const COMMIT_SYNCHRONOUSLY: &str = "SET synchronous_commit = on";

pub(super) const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY";
pub(super) const BEGIN_WRITING: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

pub(super) const GET: &str = "SELECT key, value FROM entries WHERE key = ANY($1)";

pub(super) const COUNT: &str = "SELECT count(*) FROM \
     (SELECT 1 FROM entries WHERE key >= $1 AND key < $2 LIMIT $3) AS counted";

pub(super) const SCAN: &str = "SELECT key, value FROM entries \
     WHERE key >= $1 AND key < $2 ORDER BY key LIMIT $3";

/// A scan, and some keys besides, in one look at one state.
pub(super) const SCAN_AND_GET: &str = "\
     SELECT false AS asked, key, value FROM entries WHERE key = ANY($4) \
     UNION ALL (SELECT true AS asked, key, value FROM entries \
         WHERE key >= $1 AND key < $2 ORDER BY key LIMIT $3)";

/// A batch that deletes nothing, with the marker of its commit: one statement is one transaction. It
/// fails where a key is there that must be new, for no value may be null. (`CockroachDB` takes no second
/// INSERT into the same table, which would fail by itself.)
pub(super) const PUT: &str = "\
     WITH marker AS (INSERT INTO commits (id, fence) VALUES ($1, false) RETURNING id) \
     INSERT INTO entries (key, value) SELECT key, value FROM unnest($2::bytea[], $3::bytea[]) \
         AS batch (key, value) \
     ON CONFLICT (key) DO UPDATE SET value = \
         CASE WHEN excluded.key = ANY($4::bytea[]) THEN NULL ELSE excluded.value END";

pub(super) const DELETE: &str = "DELETE FROM entries WHERE key = ANY($1)";

/// Finds out what became of a commit, and keeps it from happening later if it has not happened yet:
/// whoever comes second has to wait for the first. It writes in either case, so that its own commit
/// is durable only where all before it are, on the replicas, too.
pub(super) const FENCE: &str = "INSERT INTO commits (id, fence) VALUES ($1, true) \
     ON CONFLICT (id) DO UPDATE SET fence = commits.fence RETURNING fence";

/// Forgets the markers of commits about which nobody asks any more.
pub(super) const FORGET_MARKERS: &str = "DELETE FROM commits WHERE id IN \
     (SELECT id FROM commits WHERE id < $1 ORDER BY id LIMIT 10000)";

/// Which replicas commits wait for, and how many of them there are now. Nothing is selected where
/// commits wait for none.
pub(super) const REPLICAS: &str = "SHOW synchronous_standby_names";
pub(super) const REPLICAS_IN_FORCE: &str =
    "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";

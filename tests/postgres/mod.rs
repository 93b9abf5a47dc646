//! What only a database shows, that servers share: tests that need the PostgreSQL of
//! `tests/postgres.sh`, whatever `TEST_ENGINE` says.

mod filling;
mod received;
mod start;
mod store;
mod tls;
mod views;

//! What only PostgreSQL has. These tests need `TEST_POSTGRES_URL`, whatever engine the others run on.

mod filling;
mod received;
mod views;

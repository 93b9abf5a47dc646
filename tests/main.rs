//! The tests at the wire. Each runs on the engine that `TEST_ENGINE` names: memory, embedded or
//! postgres.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    unreachable_pub,
    missing_debug_implementations,
    reason = "a test says what is wrong by failing, and has no public items"
)]

mod audit;
mod cli;
mod conformance;
mod copy;
mod durability;
mod duties;
mod harness;
mod master_key;
mod model;
mod observability;
mod operations;
mod operator;
mod portability;
mod postgres;
mod power_loss;
mod protocol;
mod state_machine;
mod tidy;
mod tls;
mod transfer;
mod upgrade;

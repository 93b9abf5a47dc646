//! Campanile: a server that speaks the Amazon Chime administration API (2018-05-01).
//!
//! Start reading at [`operations`], the table of everything the API does.

pub mod access;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod metrics;
pub mod operations;
pub mod protocol;
pub mod server;
pub mod store;
pub mod transfer;

//! What each operation does, as a client sees it: one file for each file of `src/operations`.

mod access_keys;
mod accounts;
mod invites;
mod transfer;

pub use accounts::{SAMPLE, SAMPLE_ID};

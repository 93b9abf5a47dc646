//! The settings of how much is served.

use crate::access::quotas::{QuotaSetting, Quotas};
use crate::access::rates::{Rate, Rates};
use crate::server::Limits;
use clap::Args;

/// The settings of how much is served.
#[derive(Args, Clone, Debug)]
pub(super) struct LimitArgs {
    /// Requests a second that all callers of an AWS account together may make which only read, and
    /// how many at once after a pause; 0 switches the limit off
    #[arg(long, env = "CAMPANILE_RATE_ACCOUNT_READS", value_name = "RATE[/BURST]")]
    #[arg(default_value = Rates::ACCOUNT_READS)]
    rate_account_reads: Rate,

    /// The same for requests that change something
    #[arg(long, env = "CAMPANILE_RATE_ACCOUNT_WRITES", value_name = "RATE[/BURST]")]
    #[arg(default_value = Rates::ACCOUNT_WRITES)]
    rate_account_writes: Rate,

    /// Requests a second that one caller (an ARN) may make which only read, and how many at once
    /// after a pause; 0 switches the limit off
    #[arg(long, env = "CAMPANILE_RATE_CALLER_READS", value_name = "RATE[/BURST]")]
    #[arg(default_value = Rates::CALLER_READS)]
    rate_caller_reads: Rate,

    /// The same for requests that change something
    #[arg(long, env = "CAMPANILE_RATE_CALLER_WRITES", value_name = "RATE[/BURST]")]
    #[arg(default_value = Rates::CALLER_WRITES)]
    rate_caller_writes: Rate,

    /// How many requests are served at once; a further one is answered 503 at once; 0 for any number
    #[arg(long, env = "CAMPANILE_MAX_CONCURRENT_REQUESTS", value_name = "COUNT")]
    #[arg(default_value_t = Limits::REQUESTS_MAX)]
    max_concurrent_requests: u32,

    /// How many connections may be open; a further one waits to be accepted; 0 for any number
    #[arg(long, env = "CAMPANILE_MAX_CONNECTIONS", value_name = "COUNT")]
    #[arg(default_value_t = Limits::CONNECTIONS_MAX)]
    max_connections: u32,

    /// Another number for a service quota of an AWS account, such as roles-per-account=2000; repeat
    /// the flag, or separate by commas, for several. An unknown name lists those that there are
    #[arg(long, env = "CAMPANILE_QUOTA", value_name = "NAME=VALUE", value_delimiter = ',')]
    quota: Vec<QuotaSetting>,
}

impl LimitArgs {
    pub(super) fn limits(self) -> Limits {
        Limits {
            connections_max: self.max_connections,
            requests_max: self.max_concurrent_requests,
            quotas: Quotas::default().with(&self.quota),
            rates: Rates {
                account_reads: self.rate_account_reads,
                account_writes: self.rate_account_writes,
                caller_reads: self.rate_caller_reads,
                caller_writes: self.rate_caller_writes,
            },
        }
    }
}

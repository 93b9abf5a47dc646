//! The account operations.

use crate::harness::Server;
use serde_json::json;

#[test]
fn list_accounts_pages_in_name_order() {
    let server = Server::start();
    let client = server.client();
    for name in ["b", "a", "c"] {
        client.create_account(name);
    }
    let page = client.ok("ListAccounts", json!({"MaxResults": 2}));
    assert_eq!(page["Accounts"][0]["Name"], "a");
    assert_eq!(page["Accounts"][1]["Name"], "b");
    let rest = client.ok("ListAccounts", json!({"MaxResults": 2, "NextToken": page["NextToken"]}));
    assert_eq!(rest["Accounts"][0]["Name"], "c");
    assert_eq!(rest["NextToken"], json!(null));
}

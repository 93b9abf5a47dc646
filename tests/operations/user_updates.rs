//! `UpdateUser` and `BatchUpdateUser`: licences above all.

use super::{create_provided_accounts, get_user, invite_user, user_errors, walk};
use crate::harness::Server;
use serde_json::json;

#[test]
fn a_license_is_one_that_the_account_supports() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let user_id = invite_user(&client, &account_id, "jane@example.com");
    let update = |license: &str| {
        // Of a change that is refused nothing is made.
        json!({"AccountId": account_id, "UserId": user_id, "LicenseType": license, "UserType": "SharedDevice"})
    };
    let (exception, message) = client.error("UpdateUser", update("Plus"));
    assert_eq!(exception, "BadRequestException");
    assert_eq!(
        message,
        "1 validation error detected: Value 'Plus' at 'LicenseType' failed to satisfy constraint: \
         Member must be one of the account's supported licenses: [Basic, Pro]"
    );
    let user = get_user(&client, &account_id, &user_id);
    assert_eq!((&user["LicenseType"], &user["UserType"]), (&json!("Pro"), &json!("PrivateUser")));
    client.ok("UpdateUser", update("Basic"));
    let user = get_user(&client, &account_id, &user_id);
    assert_eq!(
        (&user["LicenseType"], &user["UserType"]),
        (&json!("Basic"), &json!("SharedDevice"))
    );
    let devices = json!({"AccountId": account_id, "UserType": "SharedDevice"});
    assert_eq!(walk(&client, "ListUsers", devices, "UserId"), [user_id.as_str()]);
}

#[test]
fn licenses_of_a_directory_or_an_open_id_provider_come_from_there() {
    let server = Server::start();
    let client = server.client();
    for (account_id, user_id, account_type) in create_provided_accounts(&client) {
        let change = json!({"AccountId": account_id, "UserId": user_id, "LicenseType": "Basic"});
        let (exception, message) = client.error("UpdateUser", change);
        assert_eq!(exception, "BadRequestException");
        let expected = format!(
            "Account {account_id} is of type {account_type}: its users have the licenses of their groups"
        );
        assert_eq!(message, expected);
        let items = json!([{"UserId": user_id, "LicenseType": "Basic"}]);
        let batch = json!({"AccountId": account_id, "UpdateUserRequestItems": items});
        let answer = client.ok("BatchUpdateUser", batch);
        assert_eq!(user_errors(&answer), [["BadRequest", &user_id]]);
        let other = json!({"AccountId": account_id, "UserId": user_id, "UserType": "SharedDevice"});
        client.ok("UpdateUser", other);
        assert_eq!(get_user(&client, &account_id, &user_id)["LicenseType"], "Pro");
    }
}

#[test]
fn a_batch_tells_who_failed_in_the_order_of_the_request_and_updates_the_others() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let [first, second] =
        ["a@example.com", "b@example.com"].map(|email| invite_user(&client, &account_id, email));
    let items = json!([
        {"UserId": "nobody", "LicenseType": "Basic"},
        {"UserId": first, "LicenseType": "Basic"},
        {"UserId": second, "LicenseType": "Plus"},
        {"UserId": "nobody"},
        {"UserId": second, "UserType": "SharedDevice"},
        {"UserId": first, "LicenseType": "Pro"},
    ]);
    let batch = json!({"AccountId": account_id, "UpdateUserRequestItems": items});
    let answer = client.call("BatchUpdateUser", batch);
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    let expected =
        [["NotFound", "nobody"], ["BadRequest", second.as_str()], ["NotFound", "nobody"]];
    assert_eq!(user_errors(&answer), expected);
    assert_eq!(answer["UserErrors"][0]["ErrorMessage"], "User nobody not found");
    assert_eq!(get_user(&client, &account_id, &first)["LicenseType"], "Pro", "the last counts");
    assert_eq!(get_user(&client, &account_id, &second)["UserType"], "SharedDevice");
}

#[test]
fn alexa_for_business_changes_by_what_is_said_of_it() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let user_id = invite_user(&client, &account_id, "jane@example.com");
    for (change, arn, enabled) in [
        (json!({"IsAlexaForBusinessEnabled": true}), json!(null), true),
        (json!({"AlexaForBusinessRoomArn": "arn:aws:a4b:room"}), json!("arn:aws:a4b:room"), true),
        (json!({}), json!("arn:aws:a4b:room"), true),
        (json!({"IsAlexaForBusinessEnabled": false}), json!("arn:aws:a4b:room"), false),
    ] {
        let update =
            json!({"AccountId": account_id, "UserId": user_id, "AlexaForBusinessMetadata": change});
        client.ok("UpdateUser", update);
        let found = &get_user(&client, &account_id, &user_id)["AlexaForBusinessMetadata"];
        let expected =
            json!({"AlexaForBusinessRoomArn": arn, "IsAlexaForBusinessEnabled": enabled});
        assert_eq!(*found, expected);
    }
}

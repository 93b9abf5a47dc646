//! The user operations, but for suspension and updates.

use super::{create_enterprise_account, create_user, get_user, invite_user, members_for, walk};
use crate::harness::{Client, Server};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn a_person_is_created_in_enterprise_accounts_alone() {
    let server = Server::start();
    let client = server.client();
    let team = client.create_account("team");
    for user_type in [json!(null), json!("PrivateUser")] {
        let members = json!({"AccountId": team, "Email": "a@example.com", "UserType": user_type});
        let (exception, message) = client.error("CreateUser", members);
        assert_eq!(exception, "BadRequestException");
        let expected = format!("Account {team} is of type Team; this needs an Enterprise account");
        assert_eq!(message, expected);
    }
    let enterprise = create_enterprise_account(&client, "example.com");
    let mut pins = BTreeSet::new();
    for number in 0..20 {
        let email = format!("{number}@example.com");
        let created =
            client.ok("CreateUser", json!({"AccountId": enterprise, "Email": email}))["User"]
                .clone();
        let pin = created["PersonalPIN"].as_str().unwrap().to_owned();
        assert!(pin.len() == 10 && pin.bytes().all(|it| it.is_ascii_digit()), "{pin}");
        assert!(pins.insert(pin), "{created}");
        assert_eq!(created["UserType"], "PrivateUser");
        assert_eq!(created["UserRegistrationStatus"], "Registered");
    }
}

#[test]
fn a_user_has_the_name_that_it_is_given_or_that_of_its_address() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    for (members, name) in [
        (json!({"Email": "jane.doe@example.com"}), json!("Jane Doe")),
        (json!({"Email": "room_4-b+c@example.com"}), json!("Room 4 B C")),
        (json!({"Email": "éva@example.com"}), json!("Éva")),
        (json!({"Email": "x@example.com", "Username": "lobby"}), json!("lobby")),
        (json!({"Email": "y@example.com", "Username": " "}), json!("Y")),
        (json!({"Username": "without an address"}), json!("without an address")),
        (json!({}), json!(null)),
    ] {
        let mut request = members;
        request["AccountId"] = json!(account_id);
        request["UserType"] = json!("SharedDevice");
        let user = client.ok("CreateUser", request)["User"].clone();
        assert_eq!((&user["DisplayName"], &user["FullName"]), (&name, &name));
    }
}

#[test]
fn a_name_is_no_longer_than_a_name_may_be() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    // The first has more letters than a name may have, the second gets more in capitals.
    for local in ["a".repeat(300), "ΐ.".repeat(150)] {
        let email = format!("{local}x@example.com");
        let members = json!({"AccountId": account_id, "Email": email, "UserType": "SharedDevice"});
        let created = client.ok("CreateUser", members)["User"].clone();
        assert_eq!(created["DisplayName"].as_str().unwrap().chars().count(), 256);
        let user = get_user(&client, &account_id, created["UserId"].as_str().unwrap());
        assert_eq!(
            (&user["PrimaryEmail"], &user["DisplayName"]),
            (&json!(email), &created["DisplayName"])
        );
    }
    let long = "n".repeat(257);
    let members = json!({"AccountId": account_id, "Username": long, "UserType": "SharedDevice"});
    let (exception, message) = client.error("CreateUser", members);
    assert_eq!(exception, "BadRequestException");
    assert!(message.contains("'Username'") && message.contains("(it has 257)"), "{message}");
}

#[test]
fn an_address_belongs_to_one_account_of_an_aws_account_whatever_its_case() {
    let server = Server::start();
    let client = server.client();
    let (first, second) = (client.create_account("first"), client.create_account("second"));
    let create = |client: &Client, account_id: &str, email: &str| {
        let members = json!({"AccountId": account_id, "Email": email, "UserType": "SharedDevice"});
        client.call("CreateUser", members)
    };
    let created = create(&client, &first, "Jane@Example.com").json()["User"].clone();
    assert_eq!(created["PrimaryEmail"], "Jane@Example.com");
    for (account_id, email) in
        [(&first, "Jane@Example.com"), (&first, "jane@example.COM"), (&second, "JANE@EXAMPLE.COM")]
    {
        let (exception, message) = create(&client, account_id, email).error();
        assert_eq!(exception, "ConflictException");
        let user_id = created["UserId"].as_str().unwrap();
        let expected =
            format!("The value at 'Email' is the address of user {user_id} of account {first}");
        assert_eq!(message, expected);
    }
    let found = client.ok("ListAccounts", json!({"UserEmail": "jANE@example.com"}));
    assert_eq!(found["Accounts"][0]["AccountId"], *first);
    assert_eq!(found["Accounts"].as_array().unwrap().len(), 1);
    let other_name = json!({"UserEmail": "jane@example.com", "Name": "second"});
    assert_eq!(client.ok("ListAccounts", other_name)["Accounts"], json!([]));

    let other = server.client_of("444455556666");
    assert_eq!(
        other.ok("ListAccounts", json!({"UserEmail": "jane@example.com"}))["Accounts"],
        json!([])
    );
    let theirs = other.create_account("theirs");
    assert_eq!(create(&other, &theirs, "jane@example.com").status, 201);
}

#[test]
fn people_are_invited_in_the_order_of_the_request() {
    let server = Server::start();
    let client = server.client();
    let (account_id, other) = (client.create_account("a"), client.create_account("other"));
    client.ok("UpdateAccount", json!({"AccountId": account_id, "DefaultLicense": "Basic"}));
    invite_user(&client, &other, "taken@example.com");
    let members =
        json!({"AccountId": account_id, "Email": "here@example.com", "UserType": "SharedDevice"});
    client.ok("CreateUser", members);

    let emails = [
        "new@example.com",
        "TAKEN@example.com",
        "Here@example.com",
        "NEW@Example.com",
        "b@example.com",
    ];
    let answer =
        client.call("InviteUsers", json!({"AccountId": account_id, "UserEmailList": emails}));
    assert_eq!(answer.status, 201);
    let answer = answer.json();
    let invites = answer["Invites"].as_array().unwrap();
    let statuses = ["Pending", "Failed", "Accepted", "Pending", "Pending"];
    for ((invite, email), status) in invites.iter().zip(emails).zip(statuses) {
        let id = &invite["InviteId"];
        let expected = json!({"EmailAddress": email, "EmailStatus": "NotSent", "InviteId": id, "Status": status});
        assert_eq!(*invite, expected);
        assert_eq!(id.is_string(), status == "Pending", "{invite}");
    }
    assert_eq!(invites.len(), emails.len());
    assert_eq!(invites[0]["InviteId"], invites[3]["InviteId"], "one person, however it is written");
    assert_ne!(invites[0]["InviteId"], invites[4]["InviteId"]);

    assert_eq!(walk(&client, "ListUsers", json!({"AccountId": account_id}), "UserId").len(), 3);
    let found =
        client.ok("ListUsers", json!({"AccountId": account_id, "UserEmail": "new@example.com"}));
    let user = &found["Users"][0];
    assert_eq!(user["PrimaryEmail"], "new@example.com", "the case in which it came first");
    assert_eq!(user["UserRegistrationStatus"], "Unregistered");
    assert_eq!(user["UserInvitationStatus"], "Pending");
    assert_eq!(user["LicenseType"], "Basic", "the account's default");
    assert_eq!((&user["RegisteredOn"], &user["DisplayName"]), (&json!(null), &json!(null)));
    assert!(user["InvitedOn"].is_string() && user["UserType"] == "PrivateUser", "{user}");
}

#[test]
fn a_repeated_invite_is_the_same_one_again() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let invite = |email: &str| {
        let members =
            json!({"AccountId": account_id, "UserEmailList": [email], "UserType": "SharedDevice"});
        client.ok("InviteUsers", members)["Invites"][0]["InviteId"].clone()
    };
    let first = invite("jane@example.com");
    let before =
        get_user(&client, &account_id, &invite_user(&client, &account_id, "jane@example.com"));
    assert_eq!(before["UserType"], "SharedDevice");
    server.move_time(60_000);
    assert_eq!(invite("JANE@example.com"), first);
    let ids = walk(&client, "ListUsers", json!({"AccountId": account_id}), "UserId");
    assert_eq!(ids, [before["UserId"].clone()]);
    let after = get_user(&client, &account_id, ids[0].as_str().unwrap());
    assert!(after["InvitedOn"].as_str() > before["InvitedOn"].as_str(), "{after}");
}

#[test]
fn only_team_accounts_invite() {
    let server = Server::start();
    let client = server.client();
    let account_id = create_enterprise_account(&client, "example.com");
    let members = json!({"AccountId": account_id, "UserEmailList": ["jane@example.com"]});
    let (exception, message) = client.error("InviteUsers", members);
    assert_eq!(exception, "BadRequestException");
    let expected =
        format!("Account {account_id} is of type EnterpriseLWA; this needs a Team account");
    assert_eq!(message, expected);
}

#[test]
fn a_request_over_its_limit_changes_nothing() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let emails: Vec<_> = (0..51).map(|number| format!("{number}@example.com")).collect();
    let members = json!({"AccountId": account_id, "UserEmailList": emails});
    let (exception, message) = client.error("InviteUsers", members);
    assert_eq!(exception, "BadRequestException");
    assert_eq!(
        message,
        "1 validation error detected: Value at 'UserEmailList' failed to satisfy constraint: \
         Member must have length less than or equal to 50 (it has 51)"
    );
    let users = || walk(&client, "ListUsers", json!({"AccountId": account_id}), "UserId");
    assert!(users().is_empty());
    let members = json!({"AccountId": account_id, "UserEmailList": emails[..50]});
    assert_eq!(client.ok("InviteUsers", members)["Invites"].as_array().unwrap().len(), 50);

    let items = |count| -> Vec<_> {
        users()[..count].iter().map(|id| json!({"UserId": id, "LicenseType": "Basic"})).collect()
    };
    let update = |count| json!({"AccountId": account_id, "UpdateUserRequestItems": items(count)});
    let (exception, message) = client.error("BatchUpdateUser", update(21));
    assert_eq!(exception, "BadRequestException");
    assert!(
        message.contains("'UpdateUserRequestItems'") && message.contains("(it has 21)"),
        "{message}"
    );
    let licenses = || walk(&client, "ListUsers", json!({"AccountId": account_id}), "LicenseType");
    assert!(licenses().iter().all(|license| license == "Pro"));
    assert_eq!(client.call("BatchUpdateUser", update(20)).body, r#"{"UserErrors":[]}"#);
    assert_eq!(licenses().iter().filter(|license| *license == "Basic").count(), 20);
}

#[test]
fn an_address_that_is_none_is_refused_and_not_repeated() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    for (operation, members, member) in [
        ("InviteUsers", json!({"UserEmailList": ["a@example.com", "nobody"]}), "UserEmailList[1]"),
        ("CreateUser", json!({"Email": "nobody"}), "Email"),
        ("ListUsers", json!({"UserEmail": "nobody"}), "UserEmail"),
    ] {
        let mut request = members;
        request["AccountId"] = json!(account_id);
        let (exception, message) = client.error(operation, request);
        assert_eq!(exception, "BadRequestException");
        assert!(
            message.contains(&format!("'{member}'")) && !message.contains("nobody"),
            "{message}"
        );
    }
    assert!(walk(&client, "ListUsers", json!({"AccountId": account_id}), "UserId").is_empty());
}

#[test]
fn users_are_listed_by_id_and_filtered_by_address_and_type() {
    let server = Server::start();
    let client = server.client();
    let account_id = create_enterprise_account(&client, "example.com");
    let mut people: Vec<_> =
        (0..4).map(|it| create_user(&client, &account_id, &format!("{it}@example.com"))).collect();
    let device =
        json!({"AccountId": account_id, "Email": "D@example.com", "UserType": "SharedDevice"});
    let device = client.ok("CreateUser", device)["User"]["UserId"].as_str().unwrap().to_owned();
    let list = |filter: Value| {
        let mut members = filter;
        members["AccountId"] = json!(account_id);
        let [small, large] = [1, 3].map(|max| {
            members["MaxResults"] = json!(max);
            walk(&client, "ListUsers", members.clone(), "UserId")
        });
        assert_eq!(small, large, "{members}");
        small
    };
    people.sort();
    assert_eq!(json!(list(json!({"UserType": "PrivateUser"}))), json!(people));
    assert_eq!(list(json!({"UserType": "SharedDevice"})), [device.as_str()]);
    assert_eq!(list(json!({"UserEmail": "d@EXAMPLE.com"})), [device.as_str()]);
    let both = json!({"UserEmail": "d@example.com", "UserType": "SharedDevice"});
    assert_eq!(list(both), [device.as_str()]);
    let neither = json!({"UserEmail": "d@example.com", "UserType": "PrivateUser"});
    assert!(list(neither).is_empty());
    assert!(list(json!({"UserEmail": "nobody@example.com"})).is_empty());
    people.push(device);
    people.sort();
    assert_eq!(json!(list(json!({}))), json!(people));
}

#[test]
fn a_token_of_users_serves_its_own_query_alone() {
    let server = Server::start();
    let client = server.client();
    let (first, second) = (client.create_account("first"), client.create_account("second"));
    for email in ["a@example.com", "b@example.com"] {
        invite_user(&client, &first, email);
    }
    let page = client.ok("ListUsers", json!({"AccountId": first, "MaxResults": 1}));
    let token = &page["NextToken"];
    assert!(token.is_string(), "{page}");
    for members in [
        json!({"AccountId": second, "NextToken": token}),
        json!({"AccountId": first, "NextToken": token, "UserType": "PrivateUser"}),
        json!({"AccountId": first, "NextToken": token, "UserEmail": "a@example.com"}),
        json!({"AccountId": first, "NextToken": "2"}),
    ] {
        let (exception, message) = client.error("ListUsers", members.clone());
        assert_eq!(exception, "BadRequestException", "{members}");
        assert!(message.contains("'NextToken'"), "{message}");
    }
    let rest = client.ok("ListUsers", json!({"AccountId": first, "NextToken": token}));
    assert_eq!((rest["Users"].as_array().unwrap().len(), &rest["NextToken"]), (1, &json!(null)));
}

#[test]
fn telephony_is_off_until_somebody_says_otherwise() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let user_id = invite_user(&client, &account_id, "jane@example.com");
    let user = json!({"AccountId": account_id, "UserId": user_id});
    let answer = client.call("GetUserSettings", user.clone());
    assert_eq!(
        answer.body,
        r#"{"UserSettings":{"Telephony":{"InboundCalling":false,"OutboundCalling":false,"SMS":false}}}"#
    );
    assert_eq!(answer.header("content-length"), Some("91"), "the recorded length");

    let settings =
        json!({"Telephony": {"InboundCalling": true, "OutboundCalling": false, "SMS": true}});
    let mut update = user.clone();
    update["UserSettings"] = settings.clone();
    let answer = client.call("UpdateUserSettings", update);
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(client.ok("GetUserSettings", user.clone()), json!({"UserSettings": settings}));

    for (settings, member) in [
        (json!({}), "UserSettings.Telephony"),
        (
            json!({"Telephony": {"InboundCalling": true, "SMS": true}}),
            "UserSettings.Telephony.OutboundCalling",
        ),
    ] {
        let mut update = user.clone();
        update["UserSettings"] = settings;
        let (exception, message) = client.error("UpdateUserSettings", update);
        assert_eq!(exception, "BadRequestException");
        assert!(message.contains(&format!("'{member}'")), "{message}");
    }
}

#[test]
fn who_is_logged_out_is_told_nothing_more() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let user_id = invite_user(&client, &account_id, "jane@example.com");
    let before = get_user(&client, &account_id, &user_id);
    let answer = client.call("LogoutUser", json!({"AccountId": account_id, "UserId": user_id}));
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(get_user(&client, &account_id, &user_id), before);
}

#[test]
fn users_and_accounts_that_are_not_there_are_not_found() {
    let server = Server::start();
    let client = server.client();
    let (account_id, other) = (client.create_account("a"), client.create_account("other"));
    let user_id = invite_user(&client, &other, "jane@example.com");
    let telephony = json!({"InboundCalling": true, "OutboundCalling": true, "SMS": true});
    let change = json!({"LicenseType": "Basic", "UserSettings": {"Telephony": telephony}});
    let theirs = server.client_of("444455556666");
    for operation in [
        "GetUser",
        "GetUserSettings",
        "LogoutUser",
        "ResetPersonalPIN",
        "UpdateUser",
        "UpdateUserSettings",
    ] {
        let try_on = |client: &Client, account_id: &str, user_id: &str| {
            let mut members = members_for(operation, &change);
            members["AccountId"] = json!(account_id);
            members["UserId"] = json!(user_id);
            let (exception, message) = client.error(operation, members);
            assert_eq!(exception, "NotFoundException", "{operation}");
            message
        };
        let not_found = format!("User {user_id} not found");
        assert_eq!(try_on(&client, &account_id, &user_id), not_found, "of another account");
        assert_eq!(try_on(&client, &account_id, "nobody"), "User nobody not found");
        assert_eq!(try_on(&client, "nowhere", &user_id), "Account nowhere not found");
        assert_eq!(try_on(&theirs, &other, &user_id), format!("Account {other} not found"));
    }
    for (operation, list) in
        [("InviteUsers", "UserEmailList"), ("BatchUpdateUser", "UpdateUserRequestItems")]
    {
        let members = json!({"AccountId": "nowhere", list: []});
        let (exception, message) = client.error(operation, members);
        assert_eq!(
            (exception.as_str(), message.as_str()),
            ("NotFoundException", "Account nowhere not found")
        );
    }
}

#[test]
fn users_outlive_the_server_if_its_store_does() {
    let server = Server::start();
    let client = server.client();
    let account_id = create_enterprise_account(&client, "example.com");
    let user_id = create_user(&client, &account_id, "Jane@example.com");
    let before = get_user(&client, &account_id, &user_id);
    let durable = server.is_durable();
    let server = server.restart();
    if !durable {
        return;
    }
    let client = server.client();
    assert_eq!(get_user(&client, &account_id, &user_id), before);
    let members = json!({"AccountId": account_id, "Email": "JANE@example.com"});
    assert_eq!(client.error("CreateUser", members).0, "ConflictException");
}

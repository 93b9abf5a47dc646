//! The recorded forms of users, byte for byte.

use crate::harness::{Client, Options, ROOT_AWS_ACCOUNT_ID, Server};
use campanile::clock::Timestamp;
use campanile::operations::accounts::AccountRecord;
use campanile::operations::users::UserRecord;
use campanile::operations::users::record::{InviteStatus, RegistrationStatus, UserType};
use serde_json::{Value, json};

/// A user id as the samples of the API reference have them.
const SAMPLE_ID: &str = "1ab2345c-67de-8901-f23g-45h678901j2k";
const SAMPLE_ACCOUNT_ID: &str = "12a3456b-7c89-012d-3456-78901e23fg45";
const SAMPLE_TIME: &str = "2018-12-20T18:45:25.231Z";

/// Starts a server that has the user of the API reference's samples.
fn server_with_sample() -> Server {
    Server::start_with(Options::default(), |mut tx| {
        let time = Timestamp::try_from(SAMPLE_TIME.to_owned()).unwrap();
        let account_id = SAMPLE_ACCOUNT_ID.to_owned();
        let account = AccountRecord::team(ROOT_AWS_ACCOUNT_ID, account_id, "Sample", time);
        let of_text = |text: &str| serde_json::from_value(json!(text)).unwrap();
        let user = UserRecord {
            display_name: of_text("Martha Rivera"),
            full_name: of_text("Martha Rivera"),
            personal_pin: serde_json::from_value(json!("0123456789")).unwrap(),
            primary_email: serde_json::from_value(json!("martha@example.com")).unwrap(),
            registered_on: Some(time),
            registration_status: RegistrationStatus::Registered,
            user_invitation_status: Some(InviteStatus::Accepted),
            ..UserRecord::of(&account, SAMPLE_ID.to_owned(), UserType::PrivateUser)
        };
        tx.insert(&account)?;
        tx.insert(&user)
    })
}

fn sample() -> Value {
    json!({"AccountId": SAMPLE_ACCOUNT_ID, "UserId": SAMPLE_ID})
}

/// Returns the recorded body of `GetUser`, with what differs between the operations.
fn recorded_user(pin: &str, presence: &str) -> String {
    format!(
        concat!(
            r#"{{"AccountId":"{account}","Delegates":null,"Devices":null,"#,
            r#""DisplayName":"Martha Rivera","EmailAlias":[],"FullName":"Martha Rivera","#,
            r#""InvitedOn":null,"IsProTrial":false,"LastActiveOn":null,"LicenseType":"Pro","#,
            r#""PersonalPIN":{pin},"PresenceVisibility":{presence},"#,
            r#""PrimaryEmail":"martha@example.com","PrimaryProvisionedNumber":null,"#,
            r#""RegisteredOn":"{time}","UserId":"{user}","UserInvitationStatus":"Accepted","#,
            r#""UserLocale":null,"UserRegistrationStatus":"Registered","Vanity":null}}"#
        ),
        account = SAMPLE_ACCOUNT_ID,
        pin = pin,
        presence = presence,
        time = SAMPLE_TIME,
        user = SAMPLE_ID,
    )
}

/// Adds the members that came after the recordings.
fn with_newer_members(user: &str, alexa: &str, user_type: &str) -> String {
    let alexa = format!(r#","AlexaForBusinessMetadata":{alexa},"Delegates""#);
    let user_type = format!(r#","UserType":{user_type},"Vanity""#);
    user.replace(r#","Delegates""#, &alexa).replace(r#","Vanity""#, &user_type)
}

const NO_ALEXA: &str = r#"{"AlexaForBusinessRoomArn":null,"IsAlexaForBusinessEnabled":false}"#;

#[test]
fn a_user_has_the_recorded_form_in_each_answer() {
    let server = server_with_sample();
    let console = Client { prefix: "/console", ..server.client() };
    let full = recorded_user(r#""0123456789""#, r#""Public""#);
    assert_eq!(console.call("GetUser", sample()).body, format!(r#"{{"User":{full}}}"#));
    let current = with_newer_members(&full, NO_ALEXA, r#""PrivateUser""#);
    let client = server.client();
    assert_eq!(client.call("GetUser", sample()).body, format!(r#"{{"User":{current}}}"#));

    // A list hides the PIN, and whether others see the user's presence.
    let listed = recorded_user("null", "null");
    let answer = console.call("ListUsers", json!({"AccountId": SAMPLE_ACCOUNT_ID}));
    assert_eq!(answer.body, format!(r#"{{"NextToken":null,"Users":[{listed}]}}"#));
    let answer = client.call("ListUsers", json!({"AccountId": SAMPLE_ACCOUNT_ID}));
    let listed = with_newer_members(&listed, NO_ALEXA, r#""PrivateUser""#);
    assert_eq!(answer.body, format!(r#"{{"NextToken":null,"Users":[{listed}]}}"#));

    let answer = console.call("ResetPersonalPIN", sample());
    let pin = answer.json()["User"]["PersonalPIN"].to_string();
    assert_eq!(answer.body, format!(r#"{{"User":{}}}"#, recorded_user(&pin, "null")));
    assert!(pin.len() == 12 && pin != r#""0123456789""#, "{pin}");
    assert_eq!(client.ok("GetUser", sample())["User"]["PersonalPIN"].to_string(), pin);
}

#[test]
fn update_user_answers_with_the_recorded_441_bytes() {
    let server = server_with_sample();
    let console = Client { prefix: "/console", ..server.client() };
    let expected = format!(
        concat!(
            r#"{{"AccountId":null,"Delegates":null,"Devices":null,"DisplayName":null,"#,
            r#""EmailAlias":null,"FullName":null,"InvitedOn":null,"IsProTrial":null,"#,
            r#""LastActiveOn":null,"LicenseType":null,"PersonalPIN":null,"#,
            r#""PresenceVisibility":null,"PrimaryEmail":null,"PrimaryProvisionedNumber":null,"#,
            r#""RegisteredOn":null,"UserId":"{}","UserInvitationStatus":null,"UserLocale":null,"#,
            r#""UserRegistrationStatus":null,"Vanity":null}}"#
        ),
        SAMPLE_ID
    );
    let mut members = sample();
    members["LicenseType"] = json!("Basic");
    let answer = console.call("UpdateUser", members.clone());
    assert_eq!(answer.body, format!(r#"{{"User":{expected}}}"#));
    assert_eq!(answer.header("content-length"), Some("441"));
    let current = with_newer_members(&expected, "null", "null");
    let answer = server.client().call("UpdateUser", members);
    assert_eq!(answer.body, format!(r#"{{"User":{current}}}"#));
    assert_eq!(server.client().ok("GetUser", sample())["User"]["LicenseType"], "Basic");
}

#[test]
fn a_shared_device_is_created_in_the_recorded_form() {
    let server = Server::start();
    let client = server.client();
    let account_id = client.create_account("a");
    let email = "room.device@example.com";
    let members = json!({"AccountId": account_id, "Email": email, "UserType": "SharedDevice"});
    let answer = client.call("CreateUser", members);
    assert_eq!(answer.status, 201);
    let user = &answer.json()["User"];
    let expected = format!(
        concat!(
            r#"{{"User":{{"AccountId":"{account_id}","AlexaForBusinessMetadata":{alexa},"#,
            r#""Delegates":null,"Devices":null,"DisplayName":"Room Device","EmailAlias":[],"#,
            r#""FullName":"Room Device","InvitedOn":null,"IsProTrial":false,"LastActiveOn":null,"#,
            r#""LicenseType":"Pro","PersonalPIN":null,"PresenceVisibility":null,"#,
            r#""PrimaryEmail":"room.device@example.com","PrimaryProvisionedNumber":null,"#,
            r#""RegisteredOn":{registered},"UserId":{id},"UserInvitationStatus":null,"#,
            r#""UserLocale":null,"UserRegistrationStatus":"Registered","#,
            r#""UserType":"SharedDevice","Vanity":null}}}}"#
        ),
        account_id = account_id,
        alexa = NO_ALEXA,
        registered = user["RegisteredOn"],
        id = user["UserId"],
    );
    assert_eq!(answer.body, expected);
    let id = user["UserId"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7, "ids sort by their time");
}

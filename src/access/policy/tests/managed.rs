//! The AWS managed policies allow what they are for, and nothing else.

use super::*;
use crate::clock::Timestamp;

fn allows(policy_name: &str, action: &str) -> bool {
    let arn = format!("arn:aws:iam::aws:policy/{policy_name}");
    let managed = Managed::find(&arn).unwrap_or_else(|| panic!("{arn}"));
    let context = ConditionContext::new();
    let request = Request { principal: &PRINCIPAL, action, resource: "*", context: &context };
    match decide([&managed.policy], &request) {
        Decision::Allowed => true,
        Decision::ImplicitDeny => false,
        Decision::ExplicitDeny => panic!("no managed policy denies"),
    }
}

#[test]
fn the_managed_policies_are_those() {
    let names: Vec<_> = managed().iter().map(|it| it.policy_name).collect();
    #[rustfmt::skip]
    assert_eq!(names, ["AdministratorAccess", "AmazonChimeFullAccess", "AmazonChimeReadOnly", "AmazonChimeSDK",
        "AmazonChimeUserManagement", "IAMFullAccess"]);
    for it in managed() {
        assert_eq!(it.arn, format!("arn:aws:iam::aws:policy/{}", it.policy_name));
        assert!(characters(it.document) <= MANAGED_POLICY_CHARACTERS_MAX, "{}", it.policy_name);
        assert!(it.create_date <= it.update_date, "{}", it.policy_name);
        assert!(it.default_version_id.starts_with('v'), "{}", it.policy_name);
        let document: Value = serde_json::from_str(it.document).unwrap();
        assert_eq!(document["Version"], "2012-10-17");
    }
    let sdk = Managed::find("arn:aws:iam::aws:policy/AmazonChimeSDK").unwrap();
    assert_eq!(sdk.update_date, Timestamp::exactly("2023-01-10T18:05:12Z").unwrap());
    assert!(Managed::find("AmazonChimeSDK").is_none());
}

#[test]
fn they_allow_what_they_are_for() {
    #[rustfmt::skip]
    let rows = [
        // The action, then what each policy says: administrator, full, read-only, SDK, users, IAM.
        ("chime:ListAccounts", [true, true, true, false, true, false]),
        ("chime:GetAccount", [true, true, true, false, true, false]),
        ("chime:SearchAvailablePhoneNumbers", [true, true, true, false, false, false]),
        ("chime:CreateAccount", [true, true, false, false, false, false]),
        ("chime:UpdateAccount", [true, true, false, false, false, false]),
        ("chime:DeleteAccount", [true, true, false, false, false, false]),
        ("chime:InviteUsers", [true, true, false, false, true, false]),
        ("chime:BatchSuspendUser", [true, true, false, false, true, false]),
        ("chime:UpdateGlobalSettings", [true, true, false, false, false, false]),
        ("chime:CreateBot", [true, true, false, false, false, false]),
        ("chime:CreateMeeting", [true, true, false, true, false, false]),
        ("chime:GetUserActivityReportData", [true, true, true, false, true, false]),
        ("iam:CreateUser", [true, false, false, false, false, true]),
        ("sts:AssumeRole", [true, false, false, false, false, false]),
        ("campanile:ClaimDomain", [true, false, false, false, false, false]),
    ];
    for (action, allowed) in rows {
        for (it, allowed) in managed().iter().zip(allowed) {
            assert_eq!(allows(it.policy_name, action), allowed, "{} {action}", it.policy_name);
        }
    }
    let actions = |arn: &str| {
        let document: Value = serde_json::from_str(Managed::find(arn).unwrap().document).unwrap();
        let actions = document["Statement"][0]["Action"].as_array().unwrap().clone();
        assert!(actions.is_sorted_by_key(|it| it.as_str().unwrap().to_owned()), "{arn}");
        actions.len()
    };
    assert_eq!(actions("arn:aws:iam::aws:policy/AmazonChimeUserManagement"), 38);
    assert_eq!(actions("arn:aws:iam::aws:policy/AmazonChimeSDK"), 30);
}

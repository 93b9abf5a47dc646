//! Policies: every document is refused with a reason or decides requests, and more statements change
//! decisions only as they should.
//!
//! The input is a document; with it as its values, also a condition, and as its text, every element.

#![no_main]

use campanile::access::policy::{
    ConditionContext, Decision, Kind, Policy, Principal, Request, decide, managed,
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DENY: LazyLock<Policy> =
    LazyLock::new(|| parsed(r#"{"Effect":"Deny","Action":"iam:*","Resource":"*"}"#));

const USER: &str = "arn:aws:iam::111122223333:user/ann";

fn parsed(statement: &str) -> Policy {
    Policy::parse(&format!(r#"{{"Statement":{statement}}}"#), Kind::Identity).expect("it is good")
}

fn context() -> ConditionContext<'static> {
    let mut context = ConditionContext::new();
    for (key, value) in [
        ("aws:username", "ann"),
        ("aws:PrincipalArn", USER),
        ("aws:SourceIp", "203.0.113.7"),
        ("aws:CurrentTime", "2026-11-26T12:00:00Z"),
        ("aws:EpochTime", "1795694400"),
        ("aws:SecureTransport", "true"),
    ] {
        context.insert(key, value);
    }
    context.insert_all("aws:TagKeys", vec!["a".to_owned(), "b*".to_owned()]);
    context
}

fn check(document: &str) {
    for kind in [Kind::Identity, Kind::Trust] {
        let policy = match Policy::parse(document, kind) {
            Ok(policy) => policy,
            Err(fault) => {
                assert!(!fault.fault.is_empty());
                assert_eq!(Policy::parse(document, kind).err(), Some(fault), "twice the same");
                continue;
            }
        };
        let context = context();
        let principal = Principal { aws_account_id: "111122223333", arns: &[USER] };
        let administrator = managed().first().map(|it| &it.policy).expect("there are some");
        for action in ["chime:ListAccounts", "iam:GetUser", "sts:AssumeRole"] {
            for resource in ["*", USER] {
                let request =
                    Request { principal: &principal, action, resource, context: &context };
                let alone = decide([&policy], &request);
                let denied = decide([&policy, &DENY], &request);
                assert_eq!(denied, decide([&DENY, &policy], &request), "no order matters");
                if action.starts_with("iam:") {
                    assert_eq!(denied, Decision::ExplicitDeny, "what denies, denies");
                } else {
                    assert_eq!(denied, alone);
                }
                let allowed = decide([&policy, administrator], &request);
                let denies = alone == Decision::ExplicitDeny;
                assert_eq!(allowed == Decision::ExplicitDeny, denies, "what allows does not deny");
                assert_eq!(allowed == Decision::Allowed, !denies);
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    check(&text);
    check(&format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{text}}}}}"#
    ));
    let quoted = serde_json::to_string(&text).expect("a text is JSON");
    for (element, value) in [
        ("Action", quoted.clone()),
        ("NotResource", quoted.clone()),
        ("Condition", format!(r#"{{"StringLike":{{"aws:username":{quoted}}}}}"#)),
        ("Condition", format!(r#"{{"ArnLike":{{"aws:PrincipalArn":{quoted}}}}}"#)),
        ("Condition", format!(r#"{{"DateLessThan":{{"aws:CurrentTime":{quoted}}}}}"#)),
        ("Condition", format!(r#"{{"IpAddress":{{"aws:SourceIp":{quoted}}}}}"#)),
    ] {
        let mut elements = vec![("Action", r#""*""#), ("Resource", r#""*""#)];
        elements.retain(|(name, _)| *name != element.trim_start_matches("Not"));
        elements.push((element, &value));
        let elements: Vec<_> =
            elements.iter().map(|(name, it)| format!(r#""{name}":{it}"#)).collect();
        check(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny",{}}}]}}"#,
            elements.join(",")
        ));
    }
});

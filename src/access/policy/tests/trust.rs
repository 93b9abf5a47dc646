//! Trust policies: whom a role trusts.

use super::*;

const ROLE: &str = "arn:aws:iam::111122223333:role/r";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/r/s";

fn trust(statements: &Value) -> Policy {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    Policy::parse(&document.to_string(), Kind::Trust).unwrap()
}

fn decide_for(statements: &Value, principal: &Principal<'_>) -> Decision {
    let context = ConditionContext::new();
    let request =
        Request { principal, action: "sts:AssumeRole", resource: ROLE, context: &context };
    decide([&trust(statements)], &request)
}

#[test]
fn principals_match_as_documented() {
    let session = Principal { aws_account_id: AWS_ACCOUNT_ID, arns: &[SESSION, ROLE] };
    let root =
        Principal { aws_account_id: AWS_ACCOUNT_ID, arns: &["arn:aws:iam::111122223333:root"] };
    let other = Principal {
        aws_account_id: "444455556666",
        arns: &["arn:aws:iam::444455556666:user/111122223333"],
    };
    let everyone = [PRINCIPAL, session, root, other];
    // elements_principal, all rows: ann, a session of the role r, the root, one of another AWS account.
    #[rustfmt::skip]
    let rows = [
        (json!("*"), [true, true, true, true]),
        (json!({"AWS": "*"}), [true, true, true, true]),
        (json!({"AWS": "111122223333"}), [true, true, true, false]),
        (json!({"AWS": "arn:aws:iam::111122223333:root"}), [true, true, true, false]),
        (json!({"AWS": ["444455556666", ANN]}), [true, false, false, true]),
        (json!({"AWS": ANN}), [true, false, false, false]),
        (json!({"AWS": "arn:aws:iam::111122223333:user/Ann"}), [false; 4]),
        (json!({"AWS": "arn:aws:iam::111122223333:user/team/ann"}), [false; 4]),
        (json!({"AWS": ROLE}), [false, true, false, false]),
        (json!({"AWS": SESSION}), [false, true, false, false]),
    ];
    for (principal, trusted) in rows {
        let allow = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        let decisions = everyone.map(|it| decide_for(&allow, &it) == Decision::Allowed);
        assert_eq!(decisions, trusted, "{principal}");
        // elements_notprincipal: everybody but those are denied.
        let statements = json!([
            {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
            {"Effect": "Deny", "NotPrincipal": principal, "Action": "sts:*"},
        ]);
        let decisions = everyone.map(|it| decide_for(&statements, &it) == Decision::Allowed);
        assert_eq!(decisions, trusted, "all but {principal}");
    }
}

#[test]
fn trust_has_conditions_and_actions() {
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": AWS_ACCOUNT_ID},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {"sts:ExternalId": "12345"}},
    });
    let policies = [trust(&statement)];
    assert_eq!(
        ask(&policies, "sts:AssumeRole", ROLE, &[("sts:ExternalId", &["12345"])]),
        Decision::Allowed
    );
    assert_eq!(ask(&policies, "sts:AssumeRole", ROLE, &[]), Decision::ImplicitDeny);
    assert_eq!(
        ask(&policies, "sts:GetSessionToken", ROLE, &[("sts:ExternalId", &["12345"])]),
        Decision::ImplicitDeny
    );
}

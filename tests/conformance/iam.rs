//! The operations that are named after IAM's against IAM's own service model: letter for letter.

use super::operations;
use crate::model::aws::service;
use crate::model::{Operation, Reference, model};
use serde_json::Value;

/// The member that names another AWS account: IAM has no callers who see more than one.
const AWS_ACCOUNT_ID: &str = "AwsAccountId";
/// The ARN that Campanile tells beside IAM's own members of an access key.
const ARN: &str = "Arn";

fn of_iam() -> impl Iterator<Item = (&'static Operation, &'static Value)> {
    let iam = service("iam");
    operations().into_iter().filter_map(move |operation| {
        let name = operation.name.strip_prefix("iam:")?;
        let theirs = iam["operations"].get(name);
        Some((operation, theirs.unwrap_or_else(|| panic!("IAM has no {name}"))))
    })
}

#[test]
fn requests_have_iams_members_and_no_others() {
    let shapes = &service("iam")["shapes"];
    let mut seen = 0;
    for (operation, theirs) in of_iam() {
        let theirs = &shapes[theirs["input"]["shape"].as_str().unwrap()];
        let ours = model().input(operation).unwrap();
        for name in ours.members.keys().filter(|name| *name != AWS_ACCOUNT_ID) {
            assert!(theirs["members"].get(name).is_some(), "{operation:?}: IAM has no {name}");
            seen += 1;
        }
        let required = theirs["required"].as_array().into_iter().flatten();
        for name in required.map(|name| name.as_str().unwrap()) {
            assert!(ours.required.iter().any(|it| it == name), "{operation:?} needs {name}");
        }
        for name in &ours.required {
            let needs = theirs["required"].as_array().unwrap().contains(&Value::from(&**name));
            assert!(needs, "{operation:?}: IAM does not need {name}");
        }
    }
    assert!(seen > 50, "{seen} members were compared");
}

#[test]
fn answers_have_iams_members_and_no_others() {
    for (operation, theirs) in of_iam() {
        let theirs = theirs["output"]["shape"].as_str();
        match (&operation.output, theirs) {
            (Some(ours), Some(theirs)) => compare(operation, ours, theirs),
            (None, None) => {}
            // IAM says that it answers something, and answers nothing.
            (None, Some(theirs)) => {
                let shape = &service("iam")["shapes"][theirs];
                assert!(shape["members"].as_object().unwrap().is_empty(), "{operation:?}");
            }
            (Some(_), None) => panic!("{operation:?}: IAM answers nothing"),
        }
    }
}

/// Asserts that a shape has no member that IAM's has not, and likewise all that it holds.
fn compare(operation: &Operation, ours: &Reference, theirs: &str) {
    let (ours, theirs) = (model().shape(ours), &service("iam")["shapes"][theirs]);
    for (name, member) in &ours.members {
        if name == AWS_ACCOUNT_ID || name == ARN && theirs["members"].get(ARN).is_none() {
            assert!(ours.members.contains_key("AccessKeyId"), "{operation:?}: IAM has no {name}");
            continue;
        }
        let of_theirs = &theirs["members"][name]["shape"];
        let of_theirs =
            of_theirs.as_str().unwrap_or_else(|| panic!("{operation:?}: IAM has no {name}"));
        compare(operation, member, of_theirs);
    }
    if let (Some(ours), Some(theirs)) = (&ours.member, theirs["member"]["shape"].as_str()) {
        compare(operation, ours, theirs);
    }
}

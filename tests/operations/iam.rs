//! Users, roles and policies: who exists, what they have, and what must go before they can.

use crate::harness::{Client, Options, Server};
use campanile::access::quotas::Quotas;
use campanile::server::Limits;
use serde_json::{Value, json};

const READ_ONLY: &str = "arn:aws:iam::aws:policy/AmazonChimeReadOnly";

/// Writes a policy that allows actions.
pub fn allow(actions: &[&str]) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"},
    })
    .to_string()
}

fn trust(principal: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": "sts:AssumeRole",
        },
    })
    .to_string()
}

fn refused(client: &Client, operation: &str, members: Value, exception: &str, message: &str) {
    let error = client.error(operation, members);
    assert_eq!(error, (exception.to_owned(), message.to_owned()), "{operation}");
}

#[test]
fn a_user_is_made_shown_listed_and_deleted() {
    let server = Server::start();
    let root = server.client();
    let made = root.ok("iam:CreateUser", json!({"UserName": "Jane", "Path": "/"}));
    let user = &made["User"];
    assert_eq!(user["Arn"], "arn:aws:iam::111122223333:user/Jane");
    assert_eq!((&user["UserName"], &user["Path"]), (&json!("Jane"), &json!("/")));
    let id = user["UserId"].as_str().unwrap();
    assert!(id.starts_with("AIDA") && id.len() == 21, "{id}");
    assert_eq!(root.ok("iam:GetUser", json!({"UserName": "JANE"})), made, "without regard to case");

    let exists = "User with name jane already exists.";
    let twice = json!({"UserName": "jane"});
    refused(&root, "iam:CreateUser", twice, "EntityAlreadyExistsException", exists);
    for name in ["bob", "Zoe", "alice"] {
        root.ok("iam:CreateUser", json!({"UserName": name}));
    }
    let names = |page: &Value| -> Vec<Value> {
        page["Users"].as_array().unwrap().iter().map(|user| user["UserName"].clone()).collect()
    };
    let page = root.ok("iam:ListUsers", json!({"MaxItems": 3}));
    assert_eq!(
        (names(&page), &page["IsTruncated"]),
        (vec![json!("alice"), json!("bob"), json!("Jane")], &json!(true))
    );
    let rest = root.ok("iam:ListUsers", json!({"Marker": page["Marker"]}));
    assert_eq!((names(&rest), &rest["IsTruncated"]), (vec![json!("Zoe")], &json!(false)));

    root.ok("iam:DeleteUser", json!({"UserName": "Jane"}));
    let gone = "The user with name Jane cannot be found.";
    refused(&root, "iam:GetUser", json!({"UserName": "Jane"}), "NoSuchEntityException", gone);
    let again = root.ok("iam:CreateUser", json!({"UserName": "Jane"}));
    assert_ne!(again["User"]["UserId"], user["UserId"], "another user of the same name");
}

#[test]
fn what_a_user_has_must_go_before_the_user() {
    let server = Server::start();
    let root = server.client();
    let jane = json!({"UserName": "jane"});
    root.ok("iam:CreateUser", jane.clone());
    let key = root.ok("iam:CreateAccessKey", jane.clone());
    let policy =
        json!({"UserName": "jane", "PolicyName": "p", "PolicyDocument": allow(&["chime:*"])});
    root.ok("iam:PutUserPolicy", policy.clone());
    let attached = json!({"UserName": "jane", "PolicyArn": READ_ONLY});
    root.ok("iam:AttachUserPolicy", attached.clone());

    let conflict = "DeleteConflictException";
    let keys = "Cannot delete entity, must delete access keys first.";
    refused(&root, "iam:DeleteUser", jane.clone(), conflict, keys);
    root.ok("iam:DeleteAccessKey", json!({"AccessKeyId": key["AccessKey"]["AccessKeyId"]}));
    let policies = "Cannot delete entity, must delete policies first.";
    refused(&root, "iam:DeleteUser", jane.clone(), conflict, policies);
    root.ok("iam:DeleteUserPolicy", policy);
    refused(&root, "iam:DeleteUser", jane.clone(), conflict, policies);
    root.ok("iam:DetachUserPolicy", attached);
    root.ok("iam:DeleteUser", jane);
}

#[test]
fn inline_policies_belong_to_whom_they_were_put() {
    let server = Server::start();
    let root = server.client();
    let (document, other) = (allow(&["chime:*"]), allow(&["chime:List*"]));
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    root.ok(
        "iam:CreateRole",
        json!({"RoleName": "jane", "AssumeRolePolicyDocument": trust("111122223333")}),
    );
    let put = |kind: &str, document: &str| {
        let name = format!("{kind}Name");
        let members = json!({name: "jane", "PolicyName": "p", "PolicyDocument": document});
        root.ok(&format!("iam:Put{kind}Policy"), members);
    };
    put("User", &document);
    put("Role", &document);
    put("User", &other);
    let of_user = json!({"UserName": "jane", "PolicyName": "p"});
    let of_role = json!({"RoleName": "jane", "PolicyName": "p"});
    let get =
        |operation: &str, of: &Value| root.ok(operation, of.clone())["PolicyDocument"].clone();
    assert_eq!(get("iam:GetUserPolicy", &of_user), other);
    assert_eq!(get("iam:GetRolePolicy", &of_role), document);
    assert_eq!(root.ok("iam:ListUserPolicies", of_user.clone())["PolicyNames"], json!(["p"]));
    assert_eq!(root.ok("iam:ListRolePolicies", of_role.clone())["PolicyNames"], json!(["p"]));
    root.ok("iam:DeleteUserPolicy", of_user.clone());
    let gone = "The user policy with name p cannot be found for jane.";
    refused(&root, "iam:GetUserPolicy", of_user.clone(), "NoSuchEntityException", gone);
    refused(&root, "iam:DeleteUserPolicy", of_user, "NoSuchEntityException", gone);
    root.ok("iam:DeleteRolePolicy", of_role);
}

#[test]
fn inline_policies_are_limited_together() {
    let server = Server::start();
    let root = server.client();
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    let long = |characters: usize| {
        let rest = "a".repeat(characters - allow(&["chime:"]).len());
        allow(&[&format!("chime:{rest}")])
    };
    let put = |name: &str, document: &str| {
        root.call(
            "iam:PutUserPolicy",
            json!({"UserName": "jane", "PolicyName": name, "PolicyDocument": document}),
        )
    };
    assert_eq!(put("a", &long(1500)).status, 200);
    assert_eq!(put("b", &long(549)).error().0, "LimitExceededException");
    assert_eq!(
        put("b", &format!("{}{}", long(548), " ".repeat(500))).status,
        200,
        "blanks do not count"
    );
    assert_eq!(put("a", &long(2049)).error().0, "LimitExceededException");
}

#[test]
fn a_malformed_policy_is_refused_with_the_path_to_its_fault() {
    let server = Server::start();
    let root = server.client();
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    let role = json!({"RoleName": "r", "AssumeRolePolicyDocument": trust("111122223333")});
    root.ok("iam:CreateRole", role);
    root.ok("iam:CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": allow(&["chime:*"])}));
    let document = r#"{"Statement":[{"Effect":"Allow","Action":"chime:*","Resource":"*","Condition":{"Strnigs":{"aws:username":"jane"}}}]}"#;
    let arn = "arn:aws:iam::111122223333:policy/p";
    for (operation, mut members) in [
        ("iam:PutUserPolicy", json!({"UserName": "jane", "PolicyName": "p"})),
        ("iam:PutRolePolicy", json!({"RoleName": "r", "PolicyName": "p"})),
        ("iam:CreatePolicy", json!({"PolicyName": "q"})),
        ("iam:CreatePolicyVersion", json!({"PolicyArn": arn})),
        ("iam:UpdateAssumeRolePolicy", json!({"RoleName": "r"})),
    ] {
        members["PolicyDocument"] = document.into();
        let (exception, message) = root.error(operation, members);
        assert_eq!(exception, "MalformedPolicyDocumentException", "{operation}");
        assert!(message.contains("Statement[0]."), "{operation}: {message}");
    }
    let members = json!({"RoleName": "q", "AssumeRolePolicyDocument": allow(&["sts:AssumeRole"])});
    assert_eq!(root.error("iam:CreateRole", members).0, "MalformedPolicyDocumentException");
}

#[test]
fn a_user_gets_another_name_and_keeps_all_else() {
    let server = Server::start();
    let root = server.client();
    let policy = serde_json::from_str(&allow(&["chime:ListAccounts"])).unwrap();
    let client = server.user("jane", &policy);
    let made = root.ok("iam:GetUser", json!({"UserName": "jane"}))["User"].clone();
    root.ok("iam:CreateAccessKey", json!({"UserName": "jane"}));
    root.ok("iam:AttachUserPolicy", json!({"UserName": "jane", "PolicyArn": READ_ONLY}));
    root.ok("iam:CreateUser", json!({"UserName": "bob"}));

    let rename = |new: &str| json!({"UserName": "jane", "NewUserName": new, "NewPath": "/"});
    let taken = "User with name BOB already exists.";
    refused(&root, "iam:UpdateUser", rename("BOB"), "EntityAlreadyExistsException", taken);
    root.ok("iam:UpdateUser", json!({"UserName": "jane"}));
    root.ok("iam:UpdateUser", rename("Jane"));
    root.ok("iam:UpdateUser", rename("Joan"));
    let gone = "The user with name jane cannot be found.";
    refused(&root, "iam:UpdateUser", rename("a"), "NoSuchEntityException", gone);

    let joan = json!({"UserName": "joan", "PolicyName": "policy"});
    let mut expected = made;
    expected["UserName"] = "Joan".into();
    expected["Arn"] = "arn:aws:iam::111122223333:user/Joan".into();
    assert_eq!(root.ok("iam:GetUser", joan.clone())["User"], expected);
    let keys = root.ok("iam:ListAccessKeys", joan.clone())["AccessKeyMetadata"].clone();
    let owners: Vec<_> = keys.as_array().unwrap().iter().map(|key| &key["UserName"]).collect();
    assert_eq!(owners, ["Joan", "Joan"]);
    root.ok("iam:GetUserPolicy", joan.clone());
    let attached = root.ok("iam:ListAttachedUserPolicies", joan.clone());
    assert_eq!(attached["AttachedPolicies"][0]["PolicyArn"], READ_ONLY);
    client.ok("ListAccounts", json!({}));
    let (_, message) = client.error("CreateAccount", json!({"Name": "a"}));
    assert!(message.starts_with("User: arn:aws:iam::111122223333:user/Joan is"), "{message}");

    // Whoever has the old name now has nothing of hers.
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    root.ok("iam:DeleteUser", json!({"UserName": "jane"}));
    let keys = "Cannot delete entity, must delete access keys first.";
    refused(&root, "iam:DeleteUser", joan, "DeleteConflictException", keys);
}

#[test]
fn whom_a_policy_is_attached_to_is_listed_users_first() {
    let server = Server::start();
    let (root, other) = (server.client(), server.client_of("444455556666"));
    let mut ids = Vec::new();
    for client in [&root, &other] {
        for name in ["a", "B", "c"] {
            let members = json!({
                "UserName": name,
                "RoleName": name,
                "AssumeRolePolicyDocument": trust("111122223333"),
                "PolicyArn": READ_ONLY,
            });
            let user = client.ok("iam:CreateUser", members.clone());
            let role = client.ok("iam:CreateRole", members.clone());
            if name != "c" {
                client.ok("iam:AttachUserPolicy", members.clone());
                client.ok("iam:AttachRolePolicy", members);
                ids.push((user["User"]["UserId"].clone(), role["Role"]["RoleId"].clone()));
            }
        }
    }
    let users = json!([
        {"UserId": ids[0].0, "UserName": "a"},
        {"UserId": ids[1].0, "UserName": "B"},
    ]);
    let roles = json!([
        {"RoleId": ids[0].1, "RoleName": "a"},
        {"RoleId": ids[1].1, "RoleName": "B"},
    ]);
    let list = |members: Value| {
        let mut members = members;
        members["PolicyArn"] = READ_ONLY.into();
        root.ok("iam:ListEntitiesForPolicy", members)
    };
    let all = list(json!({}));
    assert_eq!((&all["PolicyUsers"], &all["PolicyRoles"]), (&users, &roles));
    assert_eq!((&all["IsTruncated"], &all["Marker"]), (&json!(false), &Value::Null));
    for (filter, expected) in
        [("User", (users.clone(), json!([]))), ("Role", (json!([]), roles.clone()))]
    {
        let page = list(json!({"EntityFilter": filter}));
        assert_eq!((page["PolicyUsers"].clone(), page["PolicyRoles"].clone()), expected);
    }
    for max in 1..=4 {
        let mut walked = (Vec::new(), Vec::new());
        let mut page = list(json!({"MaxItems": max}));
        loop {
            let of = |name: &str| page[name].as_array().unwrap().clone();
            assert!((1..=max).contains(&(of("PolicyUsers").len() + of("PolicyRoles").len())));
            walked.0.extend(of("PolicyUsers"));
            walked.1.extend(of("PolicyRoles"));
            if page["IsTruncated"] == false {
                break;
            }
            page = list(json!({"MaxItems": max, "Marker": page["Marker"]}));
        }
        assert_eq!((json!(walked.0), json!(walked.1)), (users.clone(), roles.clone()));
    }
    let none = json!({"PolicyArn": "arn:aws:iam::aws:policy/AmazonChimeSDK"});
    assert_eq!(root.ok("iam:ListEntitiesForPolicy", none)["PolicyUsers"], json!([]));
    let absent = json!({"PolicyArn": "arn:aws:iam::111122223333:policy/absent"});
    assert_eq!(root.error("iam:ListEntitiesForPolicy", absent).0, "NoSuchEntityException");
}

#[test]
fn a_role_is_made_changed_and_deleted() {
    let server = Server::start();
    let root = server.client();
    let document = trust("arn:aws:iam::111122223333:user/jane");
    let made = root.ok(
        "iam:CreateRole",
        json!({"RoleName": "Admin", "AssumeRolePolicyDocument": document, "Description": "d"}),
    );
    let role = &made["Role"];
    assert_eq!(role["Arn"], "arn:aws:iam::111122223333:role/Admin");
    assert_eq!((&role["MaxSessionDuration"], &role["Description"]), (&json!(3600), &json!("d")));
    assert_eq!(role["AssumeRolePolicyDocument"], document);
    assert!(role["RoleId"].as_str().unwrap().starts_with("AROA"));
    let admin = json!({"RoleName": "admin"});
    root.ok("iam:UpdateRole", json!({"RoleName": "admin", "MaxSessionDuration": 7200}));
    let other = trust("444455556666");
    root.ok("iam:UpdateAssumeRolePolicy", json!({"RoleName": "admin", "PolicyDocument": other}));
    let now = root.ok("iam:GetRole", admin.clone());
    assert_eq!(
        (&now["Role"]["MaxSessionDuration"], &now["Role"]["Description"]),
        (&json!(7200), &json!("d"))
    );
    assert_eq!(now["Role"]["AssumeRolePolicyDocument"], other);
    assert_eq!(root.ok("iam:ListRoles", json!({}))["Roles"], json!([now["Role"]]));
    let attached = json!({"RoleName": "admin", "PolicyArn": READ_ONLY});
    root.ok("iam:AttachRolePolicy", attached.clone());
    let listed = root.ok("iam:ListAttachedRolePolicies", admin.clone());
    assert_eq!(
        listed["AttachedPolicies"],
        json!([{"PolicyArn": READ_ONLY, "PolicyName": "AmazonChimeReadOnly"}])
    );
    let policies = "Cannot delete entity, must delete policies first.";
    refused(&root, "iam:DeleteRole", admin.clone(), "DeleteConflictException", policies);
    root.ok("iam:DetachRolePolicy", attached.clone());
    assert_eq!(root.error("iam:DetachRolePolicy", attached).0, "NoSuchEntityException");
    root.ok("iam:DeleteRole", admin.clone());
    assert_eq!(root.error("iam:GetRole", admin).0, "NoSuchEntityException");
}

#[test]
fn a_managed_policy_has_up_to_five_versions() {
    let server = Server::start();
    let root = server.client();
    let made = root
        .ok("iam:CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": allow(&["chime:a"])}));
    let arn = &made["Policy"]["Arn"];
    assert_eq!(arn, "arn:aws:iam::111122223333:policy/p");
    assert_eq!(made["Policy"]["DefaultVersionId"], "v1");
    for version in 2..=5 {
        let document = allow(&[&format!("chime:{version}")]);
        let members =
            json!({"PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": version == 3});
        let made = root.ok("iam:CreatePolicyVersion", members);
        assert_eq!(made["PolicyVersion"]["VersionId"], format!("v{version}"));
        assert_eq!(made["PolicyVersion"]["IsDefaultVersion"], version == 3);
    }
    let sixth = json!({"PolicyArn": arn, "PolicyDocument": allow(&["chime:*"])});
    assert_eq!(root.error("iam:CreatePolicyVersion", sixth.clone()).0, "LimitExceededException");
    let of = |version: &str| json!({"PolicyArn": arn, "VersionId": version});
    let conflict = "Cannot delete the default version of a policy.";
    refused(&root, "iam:DeletePolicyVersion", of("v3"), "DeleteConflictException", conflict);
    root.ok("iam:SetDefaultPolicyVersion", of("v5"));
    root.ok("iam:DeletePolicyVersion", of("v3"));
    assert_eq!(root.error("iam:GetPolicyVersion", of("v3")).0, "NoSuchEntityException");
    let newest = root.ok("iam:CreatePolicyVersion", sixth);
    assert_eq!(newest["PolicyVersion"]["VersionId"], "v6", "no number is used again");
    let listed = root.ok("iam:ListPolicyVersions", json!({"PolicyArn": arn}));
    let ids: Vec<_> =
        listed["Versions"].as_array().unwrap().iter().map(|it| &it["VersionId"]).collect();
    assert_eq!(ids, ["v6", "v5", "v4", "v2", "v1"]);
    assert_eq!(
        root.ok("iam:GetPolicy", json!({"PolicyArn": arn}))["Policy"]["DefaultVersionId"],
        "v5"
    );
    let document = root.ok("iam:GetPolicyVersion", of("v5"))["PolicyVersion"]["Document"].clone();
    assert_eq!(document, allow(&["chime:5"]));
}

#[test]
fn a_managed_policy_that_somebody_has_is_not_deleted() {
    let server = Server::start();
    let root = server.client();
    root.ok("iam:CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": allow(&["chime:*"])}));
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    let arn = "arn:aws:iam::111122223333:policy/p";
    let attached = json!({"UserName": "jane", "PolicyArn": arn});
    root.ok("iam:AttachUserPolicy", attached.clone());
    root.ok("iam:AttachUserPolicy", attached.clone());
    let of = json!({"PolicyArn": arn});
    let conflict = "Cannot delete a policy attached to entities.";
    refused(&root, "iam:DeletePolicy", of.clone(), "DeleteConflictException", conflict);
    root.ok("iam:DetachUserPolicy", attached.clone());
    root.ok("iam:DeletePolicy", of);
    assert_eq!(root.error("iam:AttachUserPolicy", attached).0, "NoSuchEntityException");
}

#[test]
fn aws_own_policies_are_there_and_cannot_be_changed() {
    let server = Server::start();
    let root = server.client();
    let names = |members: Value| -> Vec<Value> {
        let listed = root.ok("iam:ListPolicies", members);
        listed["Policies"].as_array().unwrap().iter().map(|it| it["PolicyName"].clone()).collect()
    };
    let aws = names(json!({"Scope": "AWS"}));
    for name in [
        "AmazonChimeFullAccess",
        "AmazonChimeReadOnly",
        "AmazonChimeSDK",
        "AmazonChimeUserManagement",
    ] {
        assert!(aws.contains(&json!(name)), "{aws:?}");
    }
    assert_eq!(names(json!({"Scope": "Local"})), Vec::<Value>::new());
    root.ok("iam:CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": allow(&["chime:*"])}));
    assert_eq!(names(json!({})), [aws, vec![json!("p")]].concat());
    let version =
        json!({"PolicyArn": READ_ONLY, "VersionId": "v10", "PolicyDocument": allow(&["*"])});
    let document =
        root.ok("iam:GetPolicyVersion", version.clone())["PolicyVersion"]["Document"].clone();
    assert!(document.as_str().unwrap().contains("chime:List*"), "{document}");
    for operation in
        ["CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "SetDefaultPolicyVersion"]
    {
        let (exception, _) = root.error(&format!("iam:{operation}"), version.clone());
        assert_eq!(exception, "AccessDeniedException", "{operation}");
    }
}

#[test]
fn at_most_ten_managed_policies_are_attached() {
    let server = Server::start();
    let root = server.client();
    root.ok("iam:CreateUser", json!({"UserName": "jane"}));
    let attach = |number: usize| {
        let name = format!("p{number}");
        root.ok(
            "iam:CreatePolicy",
            json!({"PolicyName": name, "PolicyDocument": allow(&["chime:*"])}),
        );
        let arn = format!("arn:aws:iam::111122223333:policy/{name}");
        root.call("iam:AttachUserPolicy", json!({"UserName": "jane", "PolicyArn": arn}))
    };
    (0..10).for_each(|number| assert_eq!(attach(number).status, 200));
    let error = attach(10).error();
    let message = "Cannot exceed quota for PoliciesPerUser: 10";
    assert_eq!(error, ("LimitExceededException".to_owned(), message.to_owned()));
    let listed = root.ok("iam:ListAttachedUserPolicies", json!({"UserName": "jane"}));
    assert_eq!(listed["AttachedPolicies"].as_array().unwrap().len(), 10);
}

#[test]
fn a_deployment_says_other_numbers_for_its_quotas() {
    let settings = [
        "access-keys-per-user=3",
        "customer-managed-policies-per-account=2",
        "iam-users-per-account=2",
        "managed-policies-per-role=1",
        "managed-policies-per-user=2",
        "roles-per-account=1",
        "versions-per-managed-policy=1",
    ];
    let quotas = Quotas::default().with(&settings.map(|setting| setting.parse().unwrap()));
    let limits = Limits { quotas, ..Limits::default() };
    let server = Server::start_with(Options { limits, ..Options::default() }, |_| Ok(()));
    let root = server.client();
    let members = |name: &str, policy: &str| {
        json!({
            "UserName": name,
            "RoleName": name,
            "AssumeRolePolicyDocument": trust("111122223333"),
            "PolicyName": name,
            "PolicyDocument": allow(&["chime:*"]),
            "PolicyArn": format!("arn:aws:iam::aws:policy/{policy}"),
        })
    };
    let (full, read) = ("AmazonChimeFullAccess", "AmazonChimeReadOnly");
    for (operation, taken, one_more, quota) in [
        ("CreateUser", &[("a", ""), ("b", "")][..], ("c", ""), "UsersPerAccount: 2"),
        ("CreateRole", &[("a", "")], ("b", ""), "RolesPerAccount: 1"),
        ("CreatePolicy", &[("a", ""), ("b", "")], ("c", ""), "PoliciesPerAccount: 2"),
        ("CreateAccessKey", &[("a", ""); 3], ("a", ""), "AccessKeysPerUser: 3"),
        (
            "AttachUserPolicy",
            &[("a", full), ("a", read)],
            ("a", "AmazonChimeSDK"),
            "PoliciesPerUser: 2",
        ),
        ("AttachRolePolicy", &[("a", full), ("a", full)], ("a", read), "PoliciesPerRole: 1"),
    ] {
        let operation = format!("iam:{operation}");
        for (name, policy) in taken {
            root.ok(&operation, members(name, policy));
        }
        let message = format!("Cannot exceed quota for {quota}");
        let one_more = members(one_more.0, one_more.1);
        refused(&root, &operation, one_more, "LimitExceededException", &message);
    }
    let version = json!({
        "PolicyArn": "arn:aws:iam::111122223333:policy/a",
        "PolicyDocument": allow(&["chime:*"]),
    });
    let message = "A managed policy can have up to 1 versions. Before you create a new version, you \
                   must delete an existing version.";
    refused(&root, "iam:CreatePolicyVersion", version, "LimitExceededException", message);
    refused(
        &root,
        "iam:CreateUser",
        json!({"UserName": "A"}),
        "EntityAlreadyExistsException",
        "User with name A already exists.",
    );
    root.ok("iam:DeleteUser", json!({"UserName": "b"}));
    root.ok("iam:CreateUser", json!({"UserName": "c"}));
    root.ok("iam:CreateUser", json!({"UserName": "c", "AwsAccountId": "444455556666"}));
}

#[test]
fn the_deployments_root_alone_reaches_other_aws_accounts() {
    let server = Server::start();
    let (root, other) = (server.client(), server.client_of("444455556666"));
    let jane = json!({"UserName": "jane", "AwsAccountId": "444455556666"});
    assert_eq!(
        root.ok("iam:CreateUser", jane.clone())["User"]["Arn"],
        "arn:aws:iam::444455556666:user/jane"
    );
    assert_eq!(root.ok("iam:ListUsers", json!({}))["Users"], json!([]));
    assert_eq!(other.ok("iam:ListUsers", json!({}))["Users"].as_array().unwrap().len(), 1);
    root.ok("iam:CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": allow(&["chime:*"])}));
    let policy = json!({"PolicyArn": "arn:aws:iam::111122223333:policy/p", "UserName": "jane"});
    for operation in ["iam:GetPolicy", "iam:AttachUserPolicy", "iam:DeletePolicy"] {
        assert_eq!(
            other.error(operation, policy.clone()).0,
            "NoSuchEntityException",
            "{operation}"
        );
    }
    let mine = json!({"UserName": "jane", "AwsAccountId": "111122223333"});
    assert_eq!(other.error("iam:CreateUser", mine).0, "ForbiddenException");
    let mut attached = jane;
    attached["PolicyArn"] = policy["PolicyArn"].clone();
    assert_eq!(
        root.error("iam:AttachUserPolicy", attached).0,
        "NoSuchEntityException",
        "it is of another"
    );
}

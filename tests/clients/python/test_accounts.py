"""The account operations, as boto3 calls them."""

import uuid
from datetime import datetime, timedelta, timezone

import pytest

from test_errors import check

MODELLED = {
    "AccountId",
    "AccountStatus",
    "AccountType",
    "AwsAccountId",
    "CreatedTimestamp",
    "DefaultLicense",
    "Name",
    "SigninDelegateGroups",
    "SupportedLicenses",
}


def names(accounts):
    return [account["Name"] for account in accounts]


def test_an_account_is_created_with_the_defaults_of_the_service(chime, aws_account):
    before = datetime.now(timezone.utc)
    answer = chime.create_account(Name="My Organisation")
    account = answer["Account"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    # botocore drops what its model does not have, and what is null.
    assert set(account) == MODELLED
    created = account.pop("CreatedTimestamp")
    assert created.tzinfo is not None and created.utcoffset() == timedelta(0)
    assert before - timedelta(milliseconds=1) <= created <= datetime.now(timezone.utc)
    assert created.microsecond % 1000 == 0
    assert str(uuid.UUID(account["AccountId"])) == account.pop("AccountId")
    assert account == {
        "AccountStatus": "Active",
        "AccountType": "Team",
        "AwsAccountId": aws_account.id,
        "DefaultLicense": "Pro",
        "Name": "My Organisation",
        "SigninDelegateGroups": [],
        "SupportedLicenses": ["Basic", "Pro"],
    }


def test_an_account_is_read_as_it_was_created(chime):
    created = chime.create_account(Name="a")["Account"]
    answer = chime.get_account(AccountId=created["AccountId"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["Account"] == created


def test_an_account_is_updated(chime):
    created = chime.create_account(Name="a")["Account"]
    account_id = created["AccountId"]
    renamed = chime.update_account(AccountId=account_id, Name="b")["Account"]
    assert renamed == created | {"Name": "b"}
    relicensed = chime.update_account(AccountId=account_id, DefaultLicense="Basic")["Account"]
    assert relicensed == created | {"Name": "b", "DefaultLicense": "Basic"}
    both = chime.update_account(AccountId=account_id, Name="c", DefaultLicense="Pro")["Account"]
    assert both == created | {"Name": "c"}
    # With no member in it, botocore sends `{}`.
    assert chime.update_account(AccountId=account_id)["Account"] == both
    assert chime.get_account(AccountId=account_id)["Account"] == both


def test_an_account_is_deleted(chime):
    account_id = chime.create_account(Name="a")["Account"]["AccountId"]
    answer = chime.delete_account(AccountId=account_id)
    assert set(answer) == {"ResponseMetadata"}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(chime.exceptions.NotFoundException):
        chime.get_account(AccountId=account_id)
    assert chime.list_accounts()["Accounts"] == []


def test_a_team_account_is_deleted_once_it_has_no_users(chime, team):
    chime.invite_users(AccountId=team, UserEmailList=["a@example.com"])
    chime.create_user(AccountId=team, Email="room@example.com", UserType="SharedDevice")
    for user in chime.list_users(AccountId=team)["Users"]:
        with pytest.raises(chime.exceptions.UnprocessableEntityException) as raised:
            chime.delete_account(AccountId=team)
        name, code = "UnprocessableEntityException", "Unprocessable"
        message = check(raised.value, "DeleteAccount", 422, name, code)
        assert team in message and "users" in message
        chime.batch_suspend_user(AccountId=team, UserIdList=[user["UserId"]])
    assert chime.delete_account(AccountId=team)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_settings_are_changed_one_at_a_time(chime, team):
    def settings():
        return chime.get_account_settings(AccountId=team)["AccountSettings"]

    assert settings() == {"DisableRemoteControl": False, "EnableDialOut": False}
    for change, expected in [
        ({"DisableRemoteControl": True}, (True, False)),
        ({"EnableDialOut": True}, (True, True)),
        ({"DisableRemoteControl": False}, (False, True)),
        ({}, (False, True)),
        ({"DisableRemoteControl": True, "EnableDialOut": False}, (True, False)),
    ]:
        answer = chime.update_account_settings(AccountId=team, AccountSettings=change)
        assert set(answer) == {"ResponseMetadata"}
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert settings() == dict(zip(["DisableRemoteControl", "EnableDialOut"], expected))


def groups(chime, account_id):
    (account,) = chime.list_accounts()["Accounts"]
    assert chime.get_account(AccountId=account_id)["Account"] == account
    return [group["GroupName"] for group in account["SigninDelegateGroups"]]


def test_signin_delegate_groups_come_and_go(chime, team):
    def associate(*names):
        answer = chime.associate_signin_delegate_groups_with_account(
            AccountId=team, SigninDelegateGroups=[{"GroupName": name} for name in names]
        )
        assert set(answer) == {"ResponseMetadata"}
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200

    def disassociate(*names):
        return chime.disassociate_signin_delegate_groups_from_account(
            AccountId=team, GroupNames=list(names)
        )

    associate("b", "a", "b")
    assert groups(chime, team) == ["b", "a"]
    associate("a", "c", "B")
    assert groups(chime, team) == ["b", "a", "c", "B"]
    with pytest.raises(chime.exceptions.NotFoundException) as raised:
        disassociate("b", "unknown")
    operation = "DisassociateSigninDelegateGroupsFromAccount"
    message = check(raised.value, operation, 404, "NotFoundException", "NotFound")
    assert "'unknown'" in message
    assert groups(chime, team) == ["b", "a", "c", "B"]
    answer = disassociate("a", "b", "a")
    assert set(answer) == {"ResponseMetadata"}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert groups(chime, team) == ["c", "B"]


def test_an_account_is_found_by_the_address_of_a_user(chime, team, other_aws_account):
    chime.create_account(Name="Other")
    chime.invite_users(AccountId=team, UserEmailList=["Jane@Example.com"])

    def found(client=chime, **filters):
        return names(client.list_accounts(**filters)["Accounts"])

    assert found(UserEmail="jane@EXAMPLE.com") == ["Team"]
    assert found(UserEmail="jane@example.com", Name="Te", MaxResults=1) == ["Team"]
    assert found(UserEmail="jane@example.com", Name="Other") == []
    assert found(UserEmail="john@example.com") == []
    assert found(other_aws_account.client(), UserEmail="jane@example.com") == []
    (user,) = chime.list_users(AccountId=team)["Users"]
    chime.batch_suspend_user(AccountId=team, UserIdList=[user["UserId"]])
    assert found(UserEmail="jane@example.com") == []
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.list_accounts(UserEmail="no-address")
    message = check(raised.value, "ListAccounts", 400, "BadRequestException", "BadRequest")
    assert "UserEmail" in message and "no-address" not in message


def test_every_answer_has_a_request_id_of_its_own(chime):
    ids = [chime.list_accounts()["ResponseMetadata"]["RequestId"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(str(uuid.UUID(request_id)) == request_id for request_id in ids)


@pytest.mark.parametrize("page_size", [1, 7, 100, 200, None])
def test_the_paginator_walks_all_accounts(many_accounts, page_size):
    aws_account, expected = many_accounts
    if page_size == 1:
        expected = expected[:10]
    paginator = aws_account.client().get_paginator("list_accounts")
    # A prefix keeps the walk in pages of one short.
    arguments = {"Name": "Site 00"} if page_size == 1 else {}
    config = {} if page_size is None else {"PageSize": page_size}
    pages = list(paginator.paginate(**arguments, PaginationConfig=config))
    size = page_size or 100
    assert len(pages) == -(-len(expected) // size)
    assert all(len(page["Accounts"]) == size for page in pages[:-1])
    assert all(page["NextToken"] for page in pages[:-1])
    assert pages[-1].get("NextToken") is None
    assert names(account for page in pages for account in page["Accounts"]) == expected


def test_the_paginator_resumes(many_accounts):
    aws_account, expected = many_accounts
    paginator = aws_account.client().get_paginator("list_accounts")
    config = {"PageSize": 30, "MaxItems": 45}
    first = paginator.paginate(PaginationConfig=config).build_full_result()
    assert names(first["Accounts"]) == expected[:45]
    rest = paginator.paginate(PaginationConfig={"StartingToken": first["NextToken"]})
    assert names(rest.build_full_result()["Accounts"]) == expected[45:]


def test_a_list_is_filtered_by_the_beginning_of_the_name(chime):
    for name in ["Site B", "Site A", "site C", "Other"]:
        chime.create_account(Name=name)
    assert names(chime.list_accounts(Name="Site")["Accounts"]) == ["Site A", "Site B"]
    assert names(chime.list_accounts(Name="S*")["Accounts"]) == []
    assert names(chime.list_accounts(UserEmail="nobody@example.com")["Accounts"]) == []


@pytest.mark.parametrize(
    "name",
    [
        "Zürich & Söhne",
        "東京オフィス",
        "😀 🏳️‍🌈",
        'a "quoted" \\ name',
        "100 % + 1/2 = ?",
        "~-._!*'();:@&=+$,/?#[] ",
        "ñ",
        "x" * 100,
    ],
)
def test_a_name_of_any_script_is_kept_and_found(chime, name):
    account_id = chime.create_account(Name=name)["Account"]["AccountId"]
    assert chime.get_account(AccountId=account_id)["Account"]["Name"] == name
    assert names(chime.list_accounts(Name=name)["Accounts"]) == [name]


def test_an_aws_account_sees_only_its_own(aws_account, other_aws_account):
    ours, theirs = aws_account.client(), other_aws_account.client()
    account_id = ours.create_account(Name="ours")["Account"]["AccountId"]
    assert theirs.list_accounts()["Accounts"] == []
    for call in [
        lambda: theirs.get_account(AccountId=account_id),
        lambda: theirs.update_account(AccountId=account_id, Name="theirs"),
        lambda: theirs.delete_account(AccountId=account_id),
    ]:
        with pytest.raises(theirs.exceptions.NotFoundException):
            call()
    assert names(ours.list_accounts()["Accounts"]) == ["ours"]


def test_the_caller_learns_who_it_is(aws_account, root):
    identity = aws_account.client("sts").get_caller_identity()
    assert identity["Account"] == aws_account.id
    assert identity["Arn"] == aws_account.arn
    assert root.client("sts").get_caller_identity()["Account"] == root.id

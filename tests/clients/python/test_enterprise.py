"""What is of Enterprise accounts alone, and the states that AWS left to its console."""

from datetime import datetime, timedelta, timezone

import pytest

from conftest import new_domain
from test_errors import check

GRACE = timedelta(days=30)
DIRECTORY = {
    "DirectoryId": "d-906717dc08",
    "Groups": [
        {"GroupId": "basic_users", "License": "Basic"},
        {"GroupId": "pro_users", "License": "Pro"},
    ],
}
OPEN_ID = {"ClientId": "0oa1", "Issuer": "https://id.example.com"}


def person(chime, account_id, email="jane@example.com"):
    return chime.create_user(AccountId=account_id, Email=email)["User"]


def user(chime, account_id, user_id):
    return chime.get_user(AccountId=account_id, UserId=user_id)["User"]


def account_type(chime, account_id):
    return chime.get_account(AccountId=account_id)["Account"]["AccountType"]


def test_users_are_suspended_and_let_in_again(chime, enterprise):
    first = person(chime, enterprise, "a@example.com")
    second = person(chime, enterprise, "b@example.com")
    ids = [first["UserId"], "unknown", second["UserId"], first["UserId"]]
    answer = chime.batch_suspend_user(AccountId=enterprise, UserIdList=ids)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    (error,) = answer["UserErrors"]
    assert (error["UserId"], error["ErrorCode"]) == ("unknown", "NotFound")
    suspended = {"UserRegistrationStatus": "Suspended"}
    assert user(chime, enterprise, first["UserId"]) == first | suspended
    assert user(chime, enterprise, second["UserId"]) == second | suspended
    # The second is not suspended any more by the second call, which is no error.
    for ids in [[second["UserId"]], [second["UserId"], first["UserId"]]]:
        answer = chime.batch_unsuspend_user(AccountId=enterprise, UserIdList=ids)
        assert answer["UserErrors"] == []
        assert user(chime, enterprise, second["UserId"]) == second
    assert user(chime, enterprise, first["UserId"]) == first


@pytest.mark.parametrize(
    ("connect", "disconnect", "members", "expected"),
    [
        ("ConnectDirectory", "DisconnectDirectory", DIRECTORY, "EnterpriseDirectory"),
        ("ConnectOpenId", "DisconnectOpenId", OPEN_ID, "EnterpriseOIDC"),
    ],
)
def test_a_directory_has_the_last_word(
    aws_account, chime, enterprise, connect, disconnect, members, expected
):
    """Who may sign in, and with which licence, is then settled there and not here."""
    jane = person(chime, enterprise)
    user_id = jane["UserId"]
    answer = aws_account.call(connect, AccountId=enterprise, **members)
    assert answer["Account"]["AccountType"] == account_type(chime, enterprise) == expected
    assert answer["Account"]["Groups"] == members.get("Groups", [])

    for call in [chime.batch_suspend_user, chime.batch_unsuspend_user]:
        errors = call(AccountId=enterprise, UserIdList=[user_id, "unknown"])["UserErrors"]
        codes = [(error["UserId"], error["ErrorCode"]) for error in errors]
        assert codes == [(user_id, "BadRequest"), ("unknown", "NotFound")]
        assert expected in errors[0]["ErrorMessage"]
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.update_user(AccountId=enterprise, UserId=user_id, LicenseType="Basic")
    message = check(raised.value, "UpdateUser", 400, "BadRequestException", "BadRequest")
    assert expected in message
    items = [{"UserId": user_id, "LicenseType": "Basic"}]
    answer = chime.batch_update_user(AccountId=enterprise, UpdateUserRequestItems=items)
    (error,) = answer["UserErrors"]
    assert (error["UserId"], error["ErrorCode"]) == (user_id, "BadRequest")
    assert user(chime, enterprise, user_id) == jane

    aws_account.call(disconnect, AccountId=enterprise)
    assert account_type(chime, enterprise) == "EnterpriseLWA"
    chime.update_user(AccountId=enterprise, UserId=user_id, LicenseType="Basic")
    assert user(chime, enterprise, user_id) == jane | {"LicenseType": "Basic"}


def retention(chime, account_id):
    answer = chime.get_retention_settings(AccountId=account_id)
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    return answer


def test_messages_are_kept_for_as_long_as_is_said(chime, enterprise):
    # Nothing is said: for ever.
    assert retention(chime, enterprise) == {"RetentionSettings": {}}
    for settings in [
        {"RoomRetentionSettings": {"RetentionDays": 1}},
        {
            "RoomRetentionSettings": {"RetentionDays": 5475},
            "ConversationRetentionSettings": {"RetentionDays": 30},
        },
        {"ConversationRetentionSettings": {"RetentionDays": 30}},
    ]:
        put = chime.put_retention_settings(AccountId=enterprise, RetentionSettings=settings)
        # The model gives the 204 members; HTTP forbids it a body.
        assert set(put) == {"ResponseMetadata"}
        assert put["ResponseMetadata"]["HTTPStatusCode"] == 204
        answer = retention(chime, enterprise)
        deletion = answer.pop("InitiateDeletionTimestamp")
        assert answer == {"RetentionSettings": settings}
        assert abs(datetime.now(timezone.utc) + GRACE - deletion) < timedelta(minutes=1)
    # To switch one off, one leaves out its RetentionDays.
    off = {"RoomRetentionSettings": {}, "ConversationRetentionSettings": {}}
    chime.put_retention_settings(AccountId=enterprise, RetentionSettings=off)
    assert retention(chime, enterprise) == {"RetentionSettings": {}}


@pytest.mark.parametrize("days", [0, 5476, -1, "all"])
@pytest.mark.parametrize("kind", ["RoomRetentionSettings", "ConversationRetentionSettings"])
def test_retention_has_the_bounds_of_the_model(aws_account, enterprise, kind, days):
    chime = aws_account.client(parameter_validation=False)
    settings = {kind: {"RetentionDays": days}}
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.put_retention_settings(AccountId=enterprise, RetentionSettings=settings)
    message = check(raised.value, "PutRetentionSettings", 400, "BadRequestException", "BadRequest")
    assert f"RetentionSettings.{kind}.RetentionDays" in message
    assert retention(chime, enterprise) == {"RetentionSettings": {}}


def test_retention_is_of_enterprise_accounts_alone(chime, team):
    settings = {"RoomRetentionSettings": {"RetentionDays": 30}}
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.put_retention_settings(AccountId=team, RetentionSettings=settings)
    message = check(raised.value, "PutRetentionSettings", 400, "BadRequestException", "BadRequest")
    assert "of type Team" in message
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.get_retention_settings(AccountId=team)
    check(raised.value, "GetRetentionSettings", 400, "BadRequestException", "BadRequest")


def test_an_account_is_deleted_once_its_domains_are_released(aws_account, chime):
    account_id = chime.create_account(Name="Enterprise")["Account"]["AccountId"]
    domains = [new_domain(), new_domain()]
    for domain in domains:
        aws_account.call("ClaimDomain", AccountId=account_id, DomainName=domain)
    jane = person(chime, account_id)
    for domain in domains:
        with pytest.raises(chime.exceptions.UnprocessableEntityException) as raised:
            chime.delete_account(AccountId=account_id)
        name, code = "UnprocessableEntityException", "Unprocessable"
        message = check(raised.value, "DeleteAccount", 422, name, code)
        assert account_id in message and "domain" in message
        assert account_type(chime, account_id) == "EnterpriseLWA"
        assert user(chime, account_id, jane["UserId"]) == jane
        aws_account.call("ReleaseDomain", AccountId=account_id, DomainName=domain)
    # That suspends all users, so that there is nothing against the deletion.
    assert account_type(chime, account_id) == "Team"
    suspended = jane | {"UserRegistrationStatus": "Suspended"}
    assert user(chime, account_id, jane["UserId"]) == suspended
    chime.delete_account(AccountId=account_id)
    assert chime.list_accounts()["Accounts"] == []
    aws_account.call("RestoreAccount", AccountId=account_id)
    assert user(chime, account_id, jane["UserId"]) == suspended


def test_a_suspended_account_is_read_and_deleted_and_not_written(aws_account, chime, team):
    """That every write is refused, test_errors.py says."""
    chime.invite_users(AccountId=team, UserEmailList=["jane@example.com"])
    account = chime.get_account(AccountId=team)["Account"]
    users = chime.list_users(AccountId=team)["Users"]
    aws_account.call("SuspendAccount", AccountId=team)
    suspended = account | {"AccountStatus": "Suspended"}
    assert chime.get_account(AccountId=team)["Account"] == suspended
    assert chime.list_accounts(UserEmail="jane@example.com")["Accounts"] == [suspended]
    assert chime.list_users(AccountId=team)["Users"] == users
    with pytest.raises(chime.exceptions.ForbiddenException) as raised:
        chime.batch_suspend_user(AccountId=team, UserIdList=[users[0]["UserId"]])
    message = check(raised.value, "BatchSuspendUser", 403, "ForbiddenException", "Forbidden")
    assert team in message and "suspended" in message
    with pytest.raises(chime.exceptions.UnprocessableEntityException):
        chime.delete_account(AccountId=team)
    aws_account.call("ActivateAccount", AccountId=team)
    assert chime.get_account(AccountId=team)["Account"] == account
    chime.batch_suspend_user(AccountId=team, UserIdList=[users[0]["UserId"]])
    aws_account.call("SuspendAccount", AccountId=team)
    chime.delete_account(AccountId=team)

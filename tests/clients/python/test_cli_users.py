"""The AWS CLI's documented examples of the user operations."""

import json
import re

import pytest

from test_cli import ERROR, EXAMPLES, example, failure, keys, output, with_ids

COMMANDS = {
    "batch-suspend-user",
    "batch-unsuspend-user",
    "batch-update-user",
    "create-user",
    "get-user",
    "get-user-settings",
    "invite-users",
    "list-users",
    "logout-user",
    "reset-personal-pin",
    "update-user",
    "update-user-settings",
}
NO_ERRORS = {"UserErrors": []}


@pytest.fixture
def people(chime, enterprise):
    """Returns the ids of Registered users of an Enterprise account."""
    addresses = ["mariag@example.com", "richardr@example.com", "saanvis@example.com"]
    people = [chime.create_user(AccountId=enterprise, Email=it)["User"] for it in addresses]
    return [user["UserId"] for user in people]


def run(aws_account, command, account_id, user_ids=()):
    """Runs an example; returns what it printed, and what AWS says that it prints."""
    assert command in COMMANDS
    arguments, shown = example(command)
    printed = output(aws_account.aws(*with_ids(arguments, account_id, user_ids)))
    if shown is None:
        assert printed == ""
        return None, None
    return json.loads(printed), shown


def statuses(chime, account_id):
    users = chime.list_users(AccountId=account_id)["Users"]
    return {user["UserId"]: user["UserRegistrationStatus"] for user in users}


def as_answered(shown):
    """Returns an example's user as the service answered it.

    The example has the text "null" where the answer had null (recorded for CreateUser in the API
    reference), which the CLI leaves out, and some lack the type that others have.
    """
    metadata = shown["AlexaForBusinessMetadata"]
    assert metadata.pop("AlexaForBusinessRoomArn") == "null"
    return shown | {"UserType": "PrivateUser"}


def test_every_example_of_a_user_operation_is_run():
    """Those about a user's telephone number come with the numbers."""
    ours = re.compile(r"(?!.*phone-number).*(user|personal-pin)")
    assert {path.stem for path in EXAMPLES.glob("*.rst") if ours.match(path.stem)} == COMMANDS


def test_the_invite_users_example(aws_account, team):
    answer, shown = run(aws_account, "invite-users", team)
    assert keys(answer) == keys(shown)
    for invite, sample in zip(answer["Invites"], shown["Invites"], strict=True):
        # This server has nobody to give its mail to.
        same = {"EmailStatus": "NotSent", "InviteId": invite["InviteId"]}
        assert invite == sample | same


def test_the_create_user_example(aws_account, team):
    answer, shown = run(aws_account, "create-user", team)
    user, sample = answer["User"], shown["User"]
    assert keys(user) == keys(sample)
    for same in ["PrimaryEmail", "LicenseType", "UserType", "UserRegistrationStatus"]:
        assert user[same] == sample[same]
    assert user["AlexaForBusinessMetadata"] == sample["AlexaForBusinessMetadata"]
    # The example has two words of an address that AWS made up: roomdevice@example.com.
    assert (user["DisplayName"], sample["DisplayName"]) == ("Roomdevice", "Room Device")


def test_the_list_users_example(aws_account, enterprise, people):
    answer, shown = run(aws_account, "list-users", enterprise)
    assert answer.keys() == shown.keys() == {"Users"}
    assert [user["UserId"] for user in answer["Users"]] == sorted(people)
    for user in answer["Users"]:
        assert keys(user) == keys(shown["Users"][0])


def test_the_get_user_example(aws_account, enterprise, people):
    answer, shown = run(aws_account, "get-user", enterprise, people[:1])
    sample = as_answered(shown["User"])
    # Recorded: a Registered user of an Enterprise account, whom nobody invited, has none.
    del sample["InvitedOn"]
    assert keys(answer["User"]) == keys(sample)
    assert re.fullmatch(r"\d{10}", answer["User"]["PersonalPIN"])


def test_the_reset_personal_pin_example(aws_account, chime, enterprise, people):
    before = chime.get_user(AccountId=enterprise, UserId=people[0])["User"]["PersonalPIN"]
    answer, shown = run(aws_account, "reset-personal-pin", enterprise, people[:1])
    assert keys(answer["User"]) == keys(as_answered(shown["User"]))
    after = chime.get_user(AccountId=enterprise, UserId=people[0])["User"]["PersonalPIN"]
    assert answer["User"]["PersonalPIN"] == after != before


def test_the_update_user_example(aws_account, chime, enterprise, people):
    answer, shown = run(aws_account, "update-user", enterprise, people[:1])
    assert keys(answer) == keys(shown)
    assert answer == {"User": {"UserId": people[0]}}
    assert chime.get_user(AccountId=enterprise, UserId=people[0])["User"]["LicenseType"] == "Basic"


def test_the_batch_update_user_example(aws_account, chime, enterprise, people):
    answer, shown = run(aws_account, "batch-update-user", enterprise, people[:2])
    assert answer == shown == NO_ERRORS
    users = [chime.get_user(AccountId=enterprise, UserId=user_id)["User"] for user_id in people]
    assert [user["LicenseType"] for user in users] == ["Basic", "Basic", "Pro"]


def test_the_examples_of_suspension(aws_account, chime, enterprise, people):
    answer, shown = run(aws_account, "batch-suspend-user", enterprise, people)
    assert answer == shown == NO_ERRORS
    assert statuses(chime, enterprise) == dict.fromkeys(people, "Suspended")
    answer, shown = run(aws_account, "batch-unsuspend-user", enterprise, people)
    assert answer == shown == NO_ERRORS
    assert statuses(chime, enterprise) == dict.fromkeys(people, "Registered")


def test_the_logout_user_example(aws_account, enterprise, people):
    assert run(aws_account, "logout-user", enterprise, people[:1]) == (None, None)


def test_the_examples_of_user_settings(aws_account, enterprise, people):
    answer, shown = run(aws_account, "get-user-settings", enterprise, people[:1])
    assert keys(answer) == keys(shown)
    # What the API reference shows has the recorded length only if all of them are off, as the
    # Administration Guide has it of a new user.
    assert set(answer["UserSettings"]["Telephony"].values()) == {False}
    assert run(aws_account, "update-user-settings", enterprise, people[:1]) == (None, None)
    answer, shown = run(aws_account, "get-user-settings", enterprise, people[:1])
    assert answer == shown


def test_errors_of_one_and_of_many(aws_account, enterprise, people):
    suspend = ["chime", "batch-suspend-user", "--account-id", enterprise, "--user-id-list"]
    answer = json.loads(output(aws_account.aws(*suspend, "unknown", people[0])))
    errors = [(error["UserId"], error["ErrorCode"]) for error in answer["UserErrors"]]
    assert errors == [("unknown", "NotFound")]
    for arguments, expected in [
        (["delete-account"], "(UnprocessableEntityException) when calling the DeleteAccount"),
        (
            ["create-user", "--email", "MariaG@example.com"],
            "(ConflictException) when calling the CreateUser",
        ),
        (
            ["invite-users", "--user-email-list", "jane@example.com"],
            "(BadRequestException) when calling the InviteUsers",
        ),
    ]:
        command = ["chime", *arguments, "--account-id", enterprise]
        assert expected in failure(aws_account.aws(*command), ERROR)


def test_retention_is_put_and_got(aws_account, enterprise):
    """AWS's documentation has no example of these two."""
    put = ["chime", "put-retention-settings", "--account-id", enterprise, "--retention-settings"]
    get = ["chime", "get-retention-settings", "--account-id", enterprise]
    assert output(aws_account.aws(*put, "RoomRetentionSettings={RetentionDays=365}")) == ""
    answer = json.loads(output(aws_account.aws(*get)))
    assert answer["RetentionSettings"] == {"RoomRetentionSettings": {"RetentionDays": 365}}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", answer["InitiateDeletionTimestamp"])
    assert output(aws_account.aws(*put, "RoomRetentionSettings={}")) == ""
    assert json.loads(output(aws_account.aws(*get))) == {"RetentionSettings": {}}


def test_a_list_of_users_is_walked_by_the_cli(aws_account, chime, team):
    addresses = [f"user{number:02}@example.com" for number in range(25)]
    chime.invite_users(AccountId=team, UserEmailList=addresses)
    command = ["chime", "list-users", "--account-id", team]
    query = ["--query", "Users[].PrimaryEmail", "--output", "json"]
    walked = json.loads(output(aws_account.aws(*command, "--page-size", "10", *query)))
    assert sorted(walked) == addresses
    answer = json.loads(output(aws_account.aws(*command, "--max-items", "3")))
    rest = ["--starting-token", answer["NextToken"]]
    resumed = json.loads(output(aws_account.aws(*command, *rest, *query)))
    assert [user["PrimaryEmail"] for user in answer["Users"]] + resumed == walked
    email = ["--user-email", "USER07@example.com"]
    assert json.loads(output(aws_account.aws(*command, *email, *query))) == ["user07@example.com"]

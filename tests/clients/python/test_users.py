"""The user operations, as boto3 calls them."""

import re
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from test_errors import NO_ACCOUNT, NO_USER, check

INVITED = {
    "AccountId",
    "AlexaForBusinessMetadata",
    "InvitedOn",
    "LicenseType",
    "PrimaryEmail",
    "UserId",
    "UserInvitationStatus",
    "UserRegistrationStatus",
    "UserType",
}
REGISTERED = INVITED - {"InvitedOn", "UserInvitationStatus"} | {"DisplayName", "RegisteredOn"}
PIN = re.compile(r"\d{10}")
# What InviteUsers and the batches take at the most, in the words of AWS's model.
INVITES_MAX, SUSPENSIONS_MAX, UPDATES_MAX = 50, 50, 20


def is_uuid(text):
    return str(uuid.UUID(text)) == text


def is_now(timestamp):
    """Tells whether an answer's timestamp is in UTC and of this moment."""
    age = datetime.now(timezone.utc) - timestamp
    return timestamp.utcoffset() == timedelta(0) and abs(age) < timedelta(minutes=1)


def invited(chime, account_id, *addresses):
    """Invites people, and returns them as users in the order of their addresses."""
    chime.invite_users(AccountId=account_id, UserEmailList=list(addresses))
    found = [chime.list_users(AccountId=account_id, UserEmail=it)["Users"] for it in addresses]
    return [user for (user,) in found]


def device(chime, account_id, email="room.device@example.com"):
    answer = chime.create_user(AccountId=account_id, Email=email, UserType="SharedDevice")
    return answer["User"]


def emails(users):
    return {user.get("PrimaryEmail") for user in users}


def test_people_are_invited_in_the_order_of_the_request(chime, team):
    addresses = ["Zoe@Example.com", "alejandror@example.com", "müller@example.com"]
    answer = chime.invite_users(AccountId=team, UserEmailList=addresses)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    invites = answer["Invites"]
    assert [invite["EmailAddress"] for invite in invites] == addresses
    ids = {invite["InviteId"] for invite in invites}
    assert len(ids) == 3 and all(is_uuid(invite_id) for invite_id in ids)
    for invite in invites:
        assert set(invite) == {"EmailAddress", "EmailStatus", "InviteId", "Status"}
        # This server has nobody to give its mail to.
        assert (invite["Status"], invite["EmailStatus"]) == ("Pending", "NotSent")
    users = chime.list_users(AccountId=team)["Users"]
    assert emails(users) == set(addresses)
    for user in users:
        assert set(user) == INVITED
        assert is_uuid(user["UserId"]) and user["AccountId"] == team
        assert is_now(user["InvitedOn"])
        assert user["UserRegistrationStatus"] == "Unregistered"
        assert user["UserInvitationStatus"] == "Pending"
        assert (user["LicenseType"], user["UserType"]) == ("Pro", "PrivateUser")
        assert user["AlexaForBusinessMetadata"] == {"IsAlexaForBusinessEnabled": False}


def test_who_is_invited_has_the_default_license_and_the_type_of_the_request(chime, team):
    chime.update_account(AccountId=team, DefaultLicense="Basic")
    invite = {"UserEmailList": ["a@example.com"], "UserType": "SharedDevice"}
    chime.invite_users(AccountId=team, **invite)
    (user,) = chime.list_users(AccountId=team)["Users"]
    assert (user["LicenseType"], user["UserType"]) == ("Basic", "SharedDevice")


def test_who_is_invited_again_keeps_its_invite(chime, team):
    first = chime.invite_users(AccountId=team, UserEmailList=["Jane@Example.com"])["Invites"]
    (user,) = chime.list_users(AccountId=team)["Users"]
    again = ["new@example.com", "jane@example.COM", "JANE@example.com"]
    invites = chime.invite_users(AccountId=team, UserEmailList=again)["Invites"]
    assert [invite["EmailAddress"] for invite in invites] == again
    assert invites[1]["InviteId"] == invites[2]["InviteId"] == first[0]["InviteId"]
    assert invites[0]["InviteId"] != first[0]["InviteId"]
    users = chime.list_users(AccountId=team)["Users"]
    assert emails(users) == {"Jane@Example.com", "new@example.com"}
    (same,) = [it for it in users if it["UserId"] == user["UserId"]]
    assert same["InvitedOn"] >= user["InvitedOn"]


def test_an_address_of_another_account_fails_alone(chime, team, other_aws_account):
    other = chime.create_account(Name="Other")["Account"]["AccountId"]
    invited(chime, other, "taken@example.com")
    addresses = ["a@example.com", "Taken@example.com", "b@example.com"]
    invites = chime.invite_users(AccountId=team, UserEmailList=addresses)["Invites"]
    assert [it["Status"] for it in invites] == ["Pending", "Failed", "Pending"]
    # botocore drops the InviteId, which is null.
    failed = {"EmailAddress": "Taken@example.com", "EmailStatus": "NotSent", "Status": "Failed"}
    assert invites[1] == failed
    assert emails(chime.list_users(AccountId=team)["Users"]) == {"a@example.com", "b@example.com"}
    # Who has an account under another AWS account is no concern of this one.
    theirs = other_aws_account.client()
    account_id = theirs.create_account(Name="Theirs")["Account"]["AccountId"]
    assert len(invited(theirs, account_id, *addresses)) == 3


def test_invites_that_are_refused(chime, team, enterprise):
    bad = chime.exceptions.BadRequestException
    for account_id, addresses, fault in [
        (team, [f"{number}@example.com" for number in range(INVITES_MAX + 1)], "UserEmailList"),
        (team, ["a@example.com", "no-address"], "UserEmailList[1]"),
        (enterprise, ["a@example.com"], "EnterpriseLWA"),
    ]:
        with pytest.raises(bad) as raised:
            chime.invite_users(AccountId=account_id, UserEmailList=addresses)
        message = check(raised.value, "InviteUsers", 400, "BadRequestException", "BadRequest")
        # An address is sensitive, even where it is none.
        assert fault in message and "no-address" not in message
        assert chime.list_users(AccountId=account_id)["Users"] == []
    full = [f"{number}@example.com" for number in range(INVITES_MAX)]
    answer = chime.invite_users(AccountId=team, UserEmailList=full)
    assert [invite["EmailAddress"] for invite in answer["Invites"]] == full


def test_a_shared_device_is_created_as_recorded(chime, team):
    answer = chime.create_user(
        AccountId=team, Email="room.device@example.com", UserType="SharedDevice"
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    user = answer["User"]
    # No PIN among it.
    assert set(user) == REGISTERED
    assert is_uuid(user["UserId"]) and is_now(user["RegisteredOn"])
    assert user["DisplayName"] == "Room Device"
    assert (user["LicenseType"], user["UserRegistrationStatus"]) == ("Pro", "Registered")
    assert chime.get_user(AccountId=team, UserId=user["UserId"])["User"] == user


def test_a_person_is_created_on_an_enterprise_account_alone(chime, team, enterprise):
    answer = chime.create_user(
        AccountId=enterprise, Email="jane.doe@example.com", Username="Jane", UserType="PrivateUser"
    )
    user = answer["User"]
    assert set(user) == REGISTERED | {"PersonalPIN"}
    assert user["DisplayName"] == "Jane" and PIN.fullmatch(user["PersonalPIN"])
    for user_type in [{}, {"UserType": "PrivateUser"}]:
        # The service refused it, too (boto/boto3#2384).
        with pytest.raises(chime.exceptions.BadRequestException) as raised:
            chime.create_user(AccountId=team, Email="b@example.com", **user_type)
        message = check(raised.value, "CreateUser", 400, "BadRequestException", "BadRequest")
        assert "of type Team" in message
    assert chime.list_users(AccountId=team)["Users"] == []


def test_an_address_is_taken_in_whatever_case(chime, team, enterprise):
    user = device(chime, team, "Room@Example.com")
    for account_id in [team, enterprise]:
        with pytest.raises(chime.exceptions.ConflictException) as raised:
            device(chime, account_id, "room@EXAMPLE.com")
        message = check(raised.value, "CreateUser", 409, "ConflictException", "Conflict")
        assert user["UserId"] in message and team in message and "EXAMPLE" not in message
    assert chime.list_users(AccountId=team)["Users"] == [user]
    assert chime.list_users(AccountId=enterprise)["Users"] == []


def test_users_are_found_by_address_and_by_type(chime, team):
    (jane,) = invited(chime, team, "Jane@Example.com")
    room = device(chime, team)

    def found(**filters):
        return chime.list_users(AccountId=team, **filters)["Users"]

    assert found(UserEmail="jANE@example.com") == [jane]
    assert found(UserEmail="jane@example.co") == []
    assert found(UserType="PrivateUser") == [jane]
    assert found(UserType="SharedDevice") == [room]
    assert found(UserType="SharedDevice", UserEmail="jane@example.com") == []
    assert found(UserType="PrivateUser", UserEmail="jane@example.com") == [jane]
    assert sorted(found(), key=lambda it: it["UserId"]) == found() and len(found()) == 2


@pytest.mark.parametrize("filters", [{}, {"UserType": "PrivateUser"}])
def test_the_paginator_walks_all_users(chime, team, filters):
    addresses = [f"user{number:02}@example.com" for number in range(25)]
    chime.invite_users(AccountId=team, UserEmailList=addresses)
    device(chime, team)
    expected = set(addresses) if filters else {*addresses, "room.device@example.com"}
    paginator = chime.get_paginator("list_users")
    pages = list(
        paginator.paginate(AccountId=team, **filters, PaginationConfig={"PageSize": 10})
    )
    assert [len(page["Users"]) for page in pages] == [10, 10, len(expected) - 20]
    users = [user for page in pages for user in page["Users"]]
    assert emails(users) == expected
    assert users == chime.list_users(AccountId=team, **filters)["Users"]
    token = pages[0]["NextToken"]
    other = {} if filters else {"UserType": "PrivateUser"}
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.list_users(AccountId=team, **other, NextToken=token)
    assert "NextToken" in raised.value.response["Message"]


def test_get_user_shows_the_pin_and_list_users_does_not(chime, enterprise):
    answer = chime.create_user(AccountId=enterprise, Email="jane@example.com")
    created, user_id = answer["User"], answer["User"]["UserId"]
    got = chime.get_user(AccountId=enterprise, UserId=user_id)["User"]
    assert got == created
    listed = chime.list_users(AccountId=enterprise)["Users"]
    assert listed == [{key: it for key, it in got.items() if key != "PersonalPIN"}]


def test_a_user_belongs_to_its_account(chime, team, enterprise):
    user_id = device(chime, team)["UserId"]
    for account_id, unknown in [(enterprise, user_id), (NO_ACCOUNT, NO_ACCOUNT)]:
        with pytest.raises(chime.exceptions.NotFoundException) as raised:
            chime.get_user(AccountId=account_id, UserId=user_id)
        assert unknown in check(raised.value, "GetUser", 404, "NotFoundException", "NotFound")


def test_update_user_answers_the_user_id_alone(chime, team):
    user = device(chime, team)
    user_id = user["UserId"]
    answer = chime.update_user(AccountId=team, UserId=user_id, LicenseType="Basic")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["User"] == {"UserId": user_id}
    expected = user | {"LicenseType": "Basic"}
    assert chime.get_user(AccountId=team, UserId=user_id)["User"] == expected
    arn = "arn:aws:a4b:us-east-1:111122223333:room/1"
    change = {"IsAlexaForBusinessEnabled": True, "AlexaForBusinessRoomArn": arn}
    chime.update_user(AccountId=team, UserId=user_id, AlexaForBusinessMetadata=change)
    expected["AlexaForBusinessMetadata"] = change
    # With no member in it, botocore sends `{}`.
    chime.update_user(AccountId=team, UserId=user_id)
    assert chime.get_user(AccountId=team, UserId=user_id)["User"] == expected


@pytest.mark.parametrize("license", ["Plus", "ProTrial", "pro", ""])
def test_a_user_has_a_license_that_the_account_supports(chime, team, license):
    user = device(chime, team)
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.update_user(AccountId=team, UserId=user["UserId"], LicenseType=license)
    message = check(raised.value, "UpdateUser", 400, "BadRequestException", "BadRequest")
    assert "LicenseType" in message
    assert chime.get_user(AccountId=team, UserId=user["UserId"])["User"] == user


def test_a_batch_updates_whom_it_can_and_tells_the_others_in_order(chime, team):
    first, second, third = invited(chime, team, *[f"{it}@example.com" for it in "abc"])
    items = [
        {"UserId": "unknown", "LicenseType": "Basic"},
        {"UserId": first["UserId"], "LicenseType": "Basic"},
        {"UserId": second["UserId"], "LicenseType": "Plus"},
        {"UserId": third["UserId"], "UserType": "SharedDevice"},
        {"UserId": NO_USER},
    ]
    answer = chime.batch_update_user(AccountId=team, UpdateUserRequestItems=items)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    errors = answer["UserErrors"]
    assert [(it["UserId"], it["ErrorCode"]) for it in errors] == [
        ("unknown", "NotFound"),
        (second["UserId"], "BadRequest"),
        (NO_USER, "NotFound"),
    ]
    assert "unknown" in errors[0]["ErrorMessage"] and "Plus" in errors[1]["ErrorMessage"]

    def now(user):
        return chime.get_user(AccountId=team, UserId=user["UserId"])["User"]

    assert now(first) == first | {"LicenseType": "Basic"}
    assert now(second) == second
    assert now(third) == third | {"UserType": "SharedDevice"}


def test_a_batch_of_updates_has_a_limit(chime, team):
    (user,) = invited(chime, team, "a@example.com")
    unknown = [{"UserId": f"user{number}", "LicenseType": "Basic"} for number in range(UPDATES_MAX)]
    answer = chime.batch_update_user(AccountId=team, UpdateUserRequestItems=unknown)
    ids = [error["UserId"] for error in answer["UserErrors"]]
    assert ids == [item["UserId"] for item in unknown]
    items = [{"UserId": user["UserId"], "LicenseType": "Basic"}, *unknown]
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.batch_update_user(AccountId=team, UpdateUserRequestItems=items)
    message = check(raised.value, "BatchUpdateUser", 400, "BadRequestException", "BadRequest")
    assert "UpdateUserRequestItems" in message and str(UPDATES_MAX) in message
    assert chime.list_users(AccountId=team)["Users"] == [user]


def test_who_is_suspended_on_a_team_account_leaves_it(chime, team):
    first, second = invited(chime, team, "a@example.com", "b@example.com")
    ids = ["unknown", first["UserId"], NO_USER, first["UserId"]]
    answer = chime.batch_suspend_user(AccountId=team, UserIdList=ids)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    errors = [(it["UserId"], it["ErrorCode"]) for it in answer["UserErrors"]]
    assert errors == [("unknown", "NotFound"), (NO_USER, "NotFound")]
    assert chime.list_users(AccountId=team)["Users"] == [second]
    # Its address is free: it may come back, here or to another account.
    (again,) = invited(chime, team, "a@example.com")
    assert again["UserId"] != first["UserId"]
    answer = chime.batch_unsuspend_user(AccountId=team, UserIdList=[second["UserId"]])
    (error,) = answer["UserErrors"]
    assert (error["UserId"], error["ErrorCode"]) == (second["UserId"], "BadRequest")
    assert "of type Team" in error["ErrorMessage"]


@pytest.mark.parametrize("name", ["BatchSuspendUser", "BatchUnsuspendUser"])
def test_a_batch_of_suspensions_has_a_limit(chime, team, name):
    (user,) = invited(chime, team, "a@example.com")
    call = {
        "BatchSuspendUser": chime.batch_suspend_user,
        "BatchUnsuspendUser": chime.batch_unsuspend_user,
    }[name]
    unknown = [f"user{number}" for number in range(SUSPENSIONS_MAX)]
    errors = call(AccountId=team, UserIdList=unknown)["UserErrors"]
    assert [error["UserId"] for error in errors] == unknown
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        call(AccountId=team, UserIdList=[user["UserId"], *unknown])
    message = check(raised.value, name, 400, "BadRequestException", "BadRequest")
    assert "UserIdList" in message and str(SUSPENSIONS_MAX) in message
    assert chime.list_users(AccountId=team)["Users"] == [user]


def test_a_user_is_logged_out(chime, team):
    user = device(chime, team)
    answer = chime.logout_user(AccountId=team, UserId=user["UserId"])
    assert set(answer) == {"ResponseMetadata"}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert chime.get_user(AccountId=team, UserId=user["UserId"])["User"] == user


def test_a_pin_is_reset(chime, enterprise):
    answer = chime.create_user(AccountId=enterprise, Email="jane@example.com")
    created, user_id = answer["User"], answer["User"]["UserId"]
    answer = chime.reset_personal_pin(AccountId=enterprise, UserId=user_id)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    pin = answer["User"]["PersonalPIN"]
    assert PIN.fullmatch(pin) and pin != created["PersonalPIN"]
    assert answer["User"] == created | {"PersonalPIN": pin}
    assert chime.get_user(AccountId=enterprise, UserId=user_id)["User"] == answer["User"]


def test_the_settings_of_a_user(chime, team):
    user_id = device(chime, team)["UserId"]

    def settings():
        return chime.get_user_settings(AccountId=team, UserId=user_id)["UserSettings"]

    off = {"InboundCalling": False, "OutboundCalling": False, "SMS": False}
    assert settings() == {"Telephony": off}
    for changed in [{"InboundCalling": True, "SMS": True}, {"OutboundCalling": True}, {}]:
        new = {"Telephony": off | changed}
        answer = chime.update_user_settings(AccountId=team, UserId=user_id, UserSettings=new)
        assert set(answer) == {"ResponseMetadata"}
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert settings() == new


@pytest.mark.parametrize(
    ("settings", "member"),
    [
        ({"Telephony": {"InboundCalling": True, "OutboundCalling": True}}, "Telephony.SMS"),
        ({"Telephony": {"InboundCalling": 1, "OutboundCalling": True, "SMS": True}}, "Telephony"),
        ({}, "UserSettings.Telephony"),
    ],
)
def test_settings_of_a_user_are_all_or_nothing(aws_account, team, settings, member):
    chime = aws_account.client(parameter_validation=False)
    user_id = device(chime, team)["UserId"]
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.update_user_settings(AccountId=team, UserId=user_id, UserSettings=settings)
    message = check(raised.value, "UpdateUserSettings", 400, "BadRequestException", "BadRequest")
    assert member in message
    telephony = chime.get_user_settings(AccountId=team, UserId=user_id)["UserSettings"]["Telephony"]
    assert not any(telephony.values())

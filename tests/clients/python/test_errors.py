"""What boto3 makes of errors."""

import uuid

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session

NO_ACCOUNT = "00000000-0000-7000-8000-000000000000"
NO_USER = "00000000-0000-7000-8000-000000000001"

# The operations on one account, and what else they require.
READS = {
    "get_account": {},
    "get_account_settings": {},
    "get_retention_settings": {},
    "get_user": {"UserId": NO_USER},
    "get_user_settings": {"UserId": NO_USER},
    "list_users": {},
}
TELEPHONY = {"InboundCalling": True, "OutboundCalling": True, "SMS": True}
WRITES = {
    "associate_signin_delegate_groups_with_account": {"SigninDelegateGroups": []},
    "batch_suspend_user": {"UserIdList": [NO_USER]},
    "batch_unsuspend_user": {"UserIdList": [NO_USER]},
    "batch_update_user": {"UpdateUserRequestItems": [{"UserId": NO_USER}]},
    "create_user": {"Email": "jane@example.com"},
    "disassociate_signin_delegate_groups_from_account": {"GroupNames": ["a"]},
    "invite_users": {"UserEmailList": ["jane@example.com"]},
    "logout_user": {"UserId": NO_USER},
    "put_retention_settings": {"RetentionSettings": {}},
    "reset_personal_pin": {"UserId": NO_USER},
    "update_account": {},
    "update_account_settings": {"AccountSettings": {}},
    "update_user": {"UserId": NO_USER},
    "update_user_settings": {"UserId": NO_USER, "UserSettings": {"Telephony": TELEPHONY}},
}
# A suspended account can be deleted, too.
CALLS = READS | WRITES | {"delete_account": {}}
ON_A_USER = [method for method, members in CALLS.items() if "UserId" in members]
# The model asks nothing of their ids.
ANY_ID = {"get_user_settings", "update_user_settings"}


def unvalidated(aws_account):
    """Returns a client that lets through what botocore would refuse by itself."""
    return aws_account.client(parameter_validation=False)


def check(error, operation, status, exception, code):
    """Checks all that an exception of boto3 holds, and returns the message."""
    response = error.response
    assert error.operation_name == operation
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    request_id = response["ResponseMetadata"]["RequestId"]
    assert str(uuid.UUID(request_id)) == request_id
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"] == request_id
    assert response["Error"]["Code"] == exception
    message = response["Error"]["Message"]
    assert str(error).startswith(f"An error occurred ({exception}) when calling the {operation}")
    assert message in str(error)
    if code is not None:
        # The members of the modelled exception, beside botocore's own `Error`.
        assert (response["Code"], response["Message"]) == (code, message)
    return message


def test_not_found(chime):
    with pytest.raises(chime.exceptions.NotFoundException) as raised:
        chime.get_account(AccountId=NO_ACCOUNT)
    message = check(raised.value, "GetAccount", 404, "NotFoundException", "NotFound")
    assert NO_ACCOUNT in message


def operation_of(chime, method):
    return chime.meta.method_to_api_mapping[method]


@pytest.mark.parametrize("method", CALLS)
def test_an_operation_on_an_unknown_account_is_not_found(chime, method):
    with pytest.raises(chime.exceptions.NotFoundException) as raised:
        getattr(chime, method)(AccountId=NO_ACCOUNT, **CALLS[method])
    operation = operation_of(chime, method)
    message = check(raised.value, operation, 404, "NotFoundException", "NotFound")
    assert message == f"Account {NO_ACCOUNT} not found"


@pytest.mark.parametrize("method", ON_A_USER)
def test_an_operation_on_an_unknown_user_is_not_found(chime, team, method):
    with pytest.raises(chime.exceptions.NotFoundException) as raised:
        getattr(chime, method)(AccountId=team, **CALLS[method])
    operation = operation_of(chime, method)
    message = check(raised.value, operation, 404, "NotFoundException", "NotFound")
    assert message == f"User {NO_USER} not found"


@pytest.mark.parametrize(
    ("method", "member"),
    [(method, "AccountId") for method in CALLS] + [(method, "UserId") for method in ON_A_USER],
)
def test_an_id_that_is_blank_is_a_bad_request(chime, team, method, member):
    arguments = {"AccountId": team} | CALLS[method]
    with pytest.raises(ClientError) as raised:
        getattr(chime, method)(**arguments | {member: " "})
    operation, error = operation_of(chime, method), raised.value
    if method in ANY_ID:
        check(error, operation, 404, "NotFoundException", "NotFound")
    else:
        message = check(error, operation, 400, "BadRequestException", "BadRequest")
        assert f"'{member}'" in message


@pytest.mark.parametrize("method", WRITES)
def test_a_write_to_a_suspended_account_is_forbidden(aws_account, chime, enterprise, method):
    aws_account.call("SuspendAccount", AccountId=enterprise)
    with pytest.raises(chime.exceptions.ForbiddenException) as raised:
        getattr(chime, method)(AccountId=enterprise, **WRITES[method])
    operation = operation_of(chime, method)
    message = check(raised.value, operation, 403, "ForbiddenException", "Forbidden")
    assert message.startswith(f"Account {enterprise} is suspended")


@pytest.mark.parametrize(
    ("arguments", "member"),
    [
        ({"Name": ""}, "Name"),
        ({"Name": " "}, "Name"),
        ({"Name": "x" * 101}, "Name"),
        ({"Name": 1}, "Name"),
        ({}, "Name"),
    ],
)
def test_a_bad_request_names_the_member(aws_account, arguments, member):
    chime = unvalidated(aws_account)
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.create_account(**arguments)
    assert member in check(raised.value, "CreateAccount", 400, "BadRequestException", "BadRequest")


@pytest.mark.parametrize("license", ["Plus", "ProTrial", "pro", "Enterprise", ""])
def test_a_license_must_be_supported(chime, license):
    account_id = chime.create_account(Name="a")["Account"]["AccountId"]
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.update_account(AccountId=account_id, DefaultLicense=license)
    message = check(raised.value, "UpdateAccount", 400, "BadRequestException", "BadRequest")
    assert "DefaultLicense" in message
    assert chime.get_account(AccountId=account_id)["Account"]["DefaultLicense"] == "Pro"


@pytest.mark.parametrize("max_results", [0, 201, -1, "all"])
def test_a_page_has_a_size_that_the_model_allows(aws_account, max_results):
    chime = unvalidated(aws_account)
    with pytest.raises(chime.exceptions.BadRequestException) as raised:
        chime.list_accounts(MaxResults=max_results)
    assert "MaxResults" in raised.value.response["Message"]


def test_a_token_belongs_to_its_query_and_its_caller(aws_account, other_aws_account):
    chime = aws_account.client()
    for name in ["a1", "a2", "a3"]:
        chime.create_account(Name=name)
    token = chime.list_accounts(MaxResults=1)["NextToken"]
    theirs = other_aws_account.client()
    for call in [
        lambda: chime.list_accounts(Name="a", NextToken=token),
        lambda: chime.list_accounts(NextToken=token[:-1]),
        lambda: chime.list_accounts(NextToken="token"),
        lambda: theirs.list_accounts(NextToken=token),
    ]:
        with pytest.raises(ClientError) as raised:
            call()
        check(raised.value, "ListAccounts", 400, "BadRequestException", "BadRequest")


def test_an_operation_that_is_not_there_yet(chime):
    with pytest.raises(ClientError) as raised:
        chime.list_phone_numbers()
    # Not modelled, so that botocore knows its name from the header alone.
    assert type(raised.value) is ClientError
    check(raised.value, "ListPhoneNumbers", 404, "UnknownOperationException", None)


@pytest.mark.parametrize("name", sorted(get_session().get_service_model("chime").operation_names))
def test_every_operation_answers_in_the_form_of_the_api(aws_account, name):
    """Sends each operation as boto3 does, with what its model requires."""
    chime = unvalidated(aws_account)
    model = chime.meta.service_model.operation_model(name)
    required = model.input_shape.required_members if model.input_shape else []
    values = {"structure": {}, "list": [], "boolean": True}
    arguments = {
        member: values.get(model.input_shape.members[member].type_name, "+1 2/3")
        for member in required
    }
    method = next(
        method for method, operation in chime.meta.method_to_api_mapping.items() if operation == name
    )
    try:
        answer = getattr(chime, method)(**arguments)
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        assert status == model.http.get("responseCode", 200)
    except ClientError as error:
        modelled = {shape.name for shape in model.error_shapes}
        code = error.response["Error"]["Code"]
        assert code in modelled | {"UnknownOperationException"}, error
        # A signature that does not verify would answer this to any of them.
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404), error

"""Who is refused, and what boto3 makes of it: class, status, code, message and headers.

What signatures are refused for is in test_signatures.py, too much of requests in test_throttling.py, and
what operations themselves refuse in test_errors.py. A session whose time is over is boto3's in
`tests/protocol/sessions.rs`, where a test can move the server's clock.
"""

import json
import os
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from server import Server, note_secret

from conftest import AwsAccount, new_root
from test_errors import NO_ACCOUNT, check

USER_NAME = "jane"
UNKNOWN_TOKEN = "The security token included in the request is invalid."
WRONG_SIGNATURE = "The request signature we calculated does not match the signature you provided."


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions, **members):
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"} | members


def deny(*actions, **members):
    return allow(*actions) | {"Effect": "Deny"} | members


@pytest.fixture
def owner():
    """Returns the root of an AWS account, whoever else the suite runs as."""
    aws_account_id, key = new_root()
    return AwsAccount(aws_account_id, *key)


@pytest.fixture
def iam(owner):
    return owner.client("iam")


@pytest.fixture
def user(owner, iam):
    """Returns a user who may do nothing yet."""
    arn = iam.create_user(UserName=USER_NAME)["User"]["Arn"]
    key = iam.create_access_key(UserName=USER_NAME)["AccessKey"]
    note_secret("SecretAccessKey", key["SecretAccessKey"])
    return AwsAccount(owner.id, key["AccessKeyId"], key["SecretAccessKey"], arn)


def may(iam, *statements):
    iam.put_user_policy(
        UserName=USER_NAME, PolicyName="p", PolicyDocument=policy(*statements)
    )


def refused(call, operation, status, exception, code=None):
    """Checks a refusal in the form of Chime's API, and returns its message."""
    with pytest.raises(ClientError) as raised:
        call()
    message = check(raised.value, operation, status, exception, code)
    headers = raised.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-errortype"] == exception
    assert headers["content-type"] == "application/json"
    if code is not None:
        assert type(raised.value).__name__ == exception
    return message


def refused_by_query(call, operation, status, code, exception="ClientError"):
    """Checks a refusal in the form of STS and IAM, and returns its message."""
    with pytest.raises(ClientError) as raised:
        call()
    error, answer = raised.value, raised.value.response
    assert (type(error).__name__, error.operation_name) == (exception, operation)
    assert answer["Error"]["Code"] == code
    assert answer["Error"]["Type"] == "Sender"
    metadata = answer["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == status
    assert str(uuid.UUID(metadata["RequestId"])) == metadata["RequestId"]
    assert metadata["HTTPHeaders"]["x-amzn-requestid"] == metadata["RequestId"]
    assert metadata["HTTPHeaders"]["content-type"] == "text/xml"
    return answer["Error"]["Message"]


def forbidden(call, operation):
    return refused(call, operation, 403, "ForbiddenException", "Forbidden")


# What a policy does not allow.


def test_what_nothing_allows(user, iam):
    chime = user.client()
    for statements in [[allow("chime:CreateAccount")], [allow("chime:listaccount")], []]:
        if statements:
            may(iam, *statements)
        message = forbidden(chime.list_accounts, "ListAccounts")
        assert message == (
            f"User: {user.arn} is not authorized to perform: chime:ListAccounts because no "
            "identity-based policy allows the chime:ListAccounts action"
        )


def test_what_a_policy_denies(user, iam):
    may(iam, allow("chime:*"), deny("chime:Delete*"))
    chime = user.client()
    account_id = chime.create_account(Name="a")["Account"]["AccountId"]
    message = forbidden(lambda: chime.delete_account(AccountId=account_id), "DeleteAccount")
    assert message == (
        f"User: {user.arn} is not authorized to perform: chime:DeleteAccount with an explicit deny "
        "in an identity-based policy"
    )
    # What is there and what is not is refused alike.
    assert message == forbidden(
        lambda: chime.delete_account(AccountId=NO_ACCOUNT), "DeleteAccount"
    )
    assert len(chime.list_accounts()["Accounts"]) == 1


@pytest.mark.parametrize(
    ("met", "unmet"),
    [
        (
            {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
            {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        ),
        (
            {"DateLessThan": {"aws:CurrentTime": "2100-01-01T00:00:00Z"}},
            {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
        ),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"Bool": {"aws:SecureTransport": "true"}}),
        (
            {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
            {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
        ),
        ({"StringEquals": {"aws:username": USER_NAME}}, {"Null": {"aws:username": "true"}}),
    ],
    ids=["SourceIp", "CurrentTime", "SecureTransport", "RequestedRegion", "username"],
)
def test_what_a_condition_keeps_out(user, iam, met, unmet):
    chime = user.client(region_name="us-east-1")
    may(iam, allow("chime:ListAccounts", Condition=unmet))
    message = forbidden(chime.list_accounts, "ListAccounts")
    assert message.endswith("because no identity-based policy allows the chime:ListAccounts action")
    may(iam, allow("chime:ListAccounts", Condition=met))
    assert chime.list_accounts()["Accounts"] == []
    may(iam, allow("chime:ListAccounts"), deny("chime:*", Condition=met))
    message = forbidden(chime.list_accounts, "ListAccounts")
    assert message.endswith("with an explicit deny in an identity-based policy")
    may(iam, allow("chime:ListAccounts"), deny("chime:*", Condition=unmet))
    assert chime.list_accounts()["Accounts"] == []


def test_iam_and_sts_say_it_their_way(user, owner, iam):
    message = refused_by_query(user.client("iam").list_users, "ListUsers", 403, "AccessDenied")
    assert message == (
        f"User: {user.arn} is not authorized to perform: iam:ListUsers because no identity-based "
        "policy allows the iam:ListUsers action"
    )
    named = lambda: user.client("iam").delete_user(UserName=USER_NAME)
    message = refused_by_query(named, "DeleteUser", 403, "AccessDenied")
    assert f"iam:DeleteUser on resource: {user.arn} because" in message
    role = f"arn:aws:iam::{owner.id}:role/none"
    assume = lambda: user.client("sts").assume_role(RoleArn=role, RoleSessionName="s1")
    message = refused_by_query(assume, "AssumeRole", 403, "AccessDenied")
    assert message.startswith(
        f"User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {role}"
    )
    assume = lambda: owner.client("sts").assume_role(RoleArn=role, RoleSessionName="s1")
    message = refused_by_query(assume, "AssumeRole", 403, "AccessDenied")
    assert message == "Roles may not be assumed by root accounts."


def test_what_is_another_aws_accounts(owner, user, iam, other_aws_account):
    theirs = other_aws_account.client().create_account(Name="a")["Account"]["AccountId"]
    may(iam, allow("*"))
    for caller in [owner, user]:
        chime = caller.client()
        for account_id in [theirs, NO_ACCOUNT]:
            get = lambda: chime.get_account(AccountId=account_id)
            message = refused(get, "GetAccount", 404, "NotFoundException", "NotFound")
            assert message == f"Account {account_id} not found"
    _, key = new_root()
    stranger = AwsAccount("", *key).client("iam")
    get = lambda: stranger.get_user(UserName=USER_NAME)
    message = refused_by_query(
        get, "GetUser", 404, "NoSuchEntity", "NoSuchEntityException"
    )
    assert message == f"The user with name {USER_NAME} cannot be found."


# Keys that open nothing.


def unknown_everywhere(key):
    list_accounts = key.client().list_accounts
    message = refused(list_accounts, "ListAccounts", 403, "UnrecognizedClientException")
    assert message == UNKNOWN_TOKEN
    for service, method, operation in [
        ("sts", "get_caller_identity", "GetCallerIdentity"),
        ("iam", "list_users", "ListUsers"),
    ]:
        call = getattr(key.client(service), method)
        message = refused_by_query(call, operation, 403, "InvalidClientTokenId")
        assert message == UNKNOWN_TOKEN


def test_a_key_that_is_inactive_or_deleted(user, iam):
    may(iam, allow("chime:ListAccounts"))
    chime, of_key = user.client(), {"UserName": USER_NAME, "AccessKeyId": user.access_key_id}
    assert chime.list_accounts()["Accounts"] == []
    iam.update_access_key(**of_key, Status="Inactive")
    unknown_everywhere(user)
    iam.update_access_key(**of_key, Status="Active")
    assert chime.list_accounts()["Accounts"] == []
    iam.delete_access_key(**of_key)
    unknown_everywhere(user)


def test_a_key_that_never_was(user):
    unknown_everywhere(AwsAccount(user.id, "AKIAIOSFODNN7UNKNOWN", user.secret_access_key))


@pytest.mark.parametrize(
    ("service", "method", "operation"),
    [("sts", "get_caller_identity", "GetCallerIdentity"), ("iam", "list_users", "ListUsers")],
)
def test_a_wrong_secret(user, service, method, operation):
    wrong = AwsAccount(user.id, user.access_key_id, user.secret_access_key[::-1])
    call = getattr(wrong.client(service), method)
    message = refused_by_query(call, operation, 403, "SignatureDoesNotMatch")
    assert message.startswith(WRONG_SIGNATURE)


# Sessions.


def begin(user):
    """Returns the temporary credentials of a session."""
    session = user.client("sts").get_session_token()["Credentials"]
    note_secret("SecretAccessKey", session["SecretAccessKey"])
    note_secret("SessionToken", session["SessionToken"])
    return session


def with_session(session, token, service="chime"):
    return boto3.client(
        service,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=token,
    )


def test_a_session_without_its_token(user, iam):
    may(iam, allow("chime:ListAccounts"))
    session, other = begin(user), begin(user)
    token = session["SessionToken"]
    assert with_session(session, token).list_accounts()["Accounts"] == []
    for wrong in [None, "FwoGZXIvYXdzEXAMPLE", other["SessionToken"], token[:-8]]:
        chime, sts = with_session(session, wrong), with_session(session, wrong, "sts")
        message = refused(
            chime.list_accounts, "ListAccounts", 403, "UnrecognizedClientException"
        )
        assert message == UNKNOWN_TOKEN
        identity = sts.get_caller_identity
        message = refused_by_query(identity, "GetCallerIdentity", 403, "InvalidClientTokenId")
        assert message == UNKNOWN_TOKEN


def test_a_session_whose_user_is_gone(user, iam):
    session = begin(user)
    with_session(session, session["SessionToken"], "sts").get_caller_identity()
    iam.delete_access_key(UserName=USER_NAME, AccessKeyId=user.access_key_id)
    iam.delete_user(UserName=USER_NAME)
    chime = with_session(session, session["SessionToken"])
    refused(chime.list_accounts, "ListAccounts", 403, "UnrecognizedClientException")


def test_old_sessions_are_kept_out_by_their_time(user, iam):
    may(iam, allow("chime:*"))
    session = begin(user)
    chime = with_session(session, session["SessionToken"])
    assert chime.list_accounts()["Accounts"] == []
    before = {"DateLessThan": {"aws:TokenIssueTime": "2100-01-01T00:00:00Z"}}
    may(iam, allow("chime:*"), deny("*", Condition=before))
    message = forbidden(chime.list_accounts, "ListAccounts")
    assert message.endswith("with an explicit deny in an identity-based policy")
    # The key that it was begun with has no such time.
    assert user.client().list_accounts()["Accounts"] == []


def test_what_a_session_may_not_do(user, iam):
    may(iam, allow("*"))
    session = begin(user)
    token = session["SessionToken"]
    again = with_session(session, token, "sts").get_session_token
    message = refused_by_query(again, "GetSessionToken", 403, "AccessDenied")
    assert message == "Cannot call GetSessionToken with session credentials"
    create = with_session(session, token, "iam").create_access_key
    message = refused_by_query(create, "CreateAccessKey", 403, "AccessDenied")
    assert message.endswith("with credentials of GetSessionToken")


def test_durations_of_sessions(user):
    sts = user.client("sts", parameter_validation=False)
    for seconds in [899, 129_601]:
        ask = lambda: sts.get_session_token(DurationSeconds=seconds)
        message = refused_by_query(ask, "GetSessionToken", 400, "ValidationError")
        assert "DurationSeconds" in message


# What IAM refuses by its own names.


def test_a_malformed_policy(iam):
    iam.create_user(UserName=USER_NAME)
    for statement, path in [
        ({"Effect": "Permit", "Action": "chime:*", "Resource": "*"}, "Statement[0].Effect"),
        (allow("chime:*", Condition={"IpAddress": {"aws:SourceIp": "here"}}), "aws:SourceIp"),
    ]:
        call = lambda: may(iam, statement)
        message = refused_by_query(
            call,
            "PutUserPolicy",
            400,
            "MalformedPolicyDocument",
            "MalformedPolicyDocumentException",
        )
        assert path in message
    assert iam.list_user_policies(UserName=USER_NAME)["PolicyNames"] == []


def test_a_quota(user, iam):
    create = lambda: iam.create_access_key(UserName=USER_NAME)
    note_secret("SecretAccessKey", create()["AccessKey"]["SecretAccessKey"])
    message = refused_by_query(
        create, "CreateAccessKey", 409, "LimitExceeded", "LimitExceededException"
    )
    assert "AccessKeysPerUser: 2" in message


def test_what_is_in_use_is_not_deleted(user, iam):
    delete = lambda: iam.delete_user(UserName=USER_NAME)
    message = refused_by_query(
        delete, "DeleteUser", 409, "DeleteConflict", "DeleteConflictException"
    )
    assert message == "Cannot delete entity, must delete access keys first."
    iam.delete_access_key(UserName=USER_NAME, AccessKeyId=user.access_key_id)
    may(iam, allow("chime:*"))
    message = refused_by_query(
        delete, "DeleteUser", 409, "DeleteConflict", "DeleteConflictException"
    )
    assert message == "Cannot delete entity, must delete policies first."


def test_a_name_that_is_taken_and_one_that_is_not(user, iam):
    create = lambda: iam.create_user(UserName=USER_NAME)
    message = refused_by_query(
        create, "CreateUser", 409, "EntityAlreadyExists", "EntityAlreadyExistsException"
    )
    assert message == f"User with name {USER_NAME} already exists."
    delete = lambda: iam.delete_user(UserName="bob")
    message = refused_by_query(
        delete, "DeleteUser", 404, "NoSuchEntity", "NoSuchEntityException"
    )
    assert message == "The user with name bob cannot be found."


# Too much.


def test_a_body_that_is_too_large(aws_account):
    chime = aws_account.client()
    create = lambda: chime.create_account(Name="x" * (1 << 20))
    message = refused(create, "CreateAccount", 413, "RequestEntityTooLargeException")
    assert message.startswith("The request's body may have 1048576 bytes")
    assert chime.list_accounts()["Accounts"] == []


def client_of(server, service="chime", attempts=1):
    retries = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(
        service,
        endpoint_url=server.url,
        aws_access_key_id=server.credential.access_key_id,
        aws_secret_access_key=server.credential.secret_access_key,
        config=Config(retries=retries),
    )


def test_too_many_requests_have_two_names():
    # A token comes back after a thousand seconds.
    settings = ["--rate-caller-reads", "0.001/1"]
    with Server(os.environ["TEST_ENGINE"], settings=settings) as server:
        chime, told = client_of(server, attempts=2), []
        chime.meta.events.register(
            "before-parse.chime", lambda response_dict, **_: told.append(response_dict)
        )
        assert chime.list_accounts()["Accounts"] == []
        told.clear()
        message = refused(
            chime.list_accounts, "ListAccounts", 429, "ThrottledClientException", "Throttled"
        )
        assert message.startswith(
            f"Rate exceeded: --rate-caller-reads lets {server.credential.arn} ask 0.001 times a "
            "second"
        )
        # The attempt after which boto3 makes another is told the name that every SDK retries.
        names = [it["headers"]["x-amzn-errortype"] for it in told]
        assert names == ["ThrottlingException", "ThrottledClientException"]
        assert [it["status_code"] for it in told] == [429, 429]
        assert all(900 < int(it["headers"]["retry-after"]) <= 1000 for it in told)
        identity = client_of(server, "sts").get_caller_identity
        told = refused_by_query(identity, "GetCallerIdentity", 400, "Throttling")
        # Of how many seconds they speak depends on when.
        assert told.rpartition(" in ")[0] == message.rpartition(" in ")[0] != ""


class SlowMail:
    """A mail server that keeps its clients waiting until it is told to go on."""

    ANSWERS = {b"EHLO": b"250 a", b"DATA": b"354 go on", b"QUIT": b"221 bye"}

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.came, self.may_go_on = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.may_go_on.set()
        self.thread.join(60)
        self.listener.close()

    def serve(self):
        connection, _ = self.listener.accept()
        self.came.set()
        self.may_go_on.wait(60)
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 a\r\n")
            in_data = False
            for line in lines:
                if in_data and line != b".\r\n":
                    continue
                in_data = line.startswith(b"DATA")
                connection.sendall(self.ANSWERS.get(line[:4].upper(), b"250 ok") + b"\r\n")
                if line.startswith(b"QUIT"):
                    return


def test_too_many_requests_at_once():
    with SlowMail() as mail, ThreadPoolExecutor() as threads:
        port = mail.listener.getsockname()[1]
        settings = ["--smtp-url", f"smtp://127.0.0.1:{port}", "--mail-from", "a@example.com"]
        settings += ["--public-url", "http://a.example", "--max-concurrent-requests", "1"]
        expected = "ServiceUnavailableException"
        with Server(os.environ["TEST_ENGINE"], settings=settings, expected=expected) as server:
            chime = client_of(server)
            account_id = chime.create_account(Name="a")["Account"]["AccountId"]
            emails = ["jane@example.com"]
            invited = threads.submit(
                chime.invite_users, AccountId=account_id, UserEmailList=emails
            )
            # The request that caused the mail is served until that is sent.
            assert mail.came.wait(60)
            other = client_of(server)
            with pytest.raises(other.exceptions.ServiceUnavailableException) as raised:
                other.list_accounts()
            headers = raised.value.response["ResponseMetadata"]["HTTPHeaders"]
            assert headers["retry-after"] == "1"
            message = check(
                raised.value,
                "ListAccounts",
                503,
                "ServiceUnavailableException",
                "ServiceUnavailable",
            )
            assert message == (
                "The service has as many requests to answer as it takes at once. Try again in 1 "
                "second"
            )
            mail.may_go_on.set()
            invited.result(60)
            assert len(other.list_accounts()["Accounts"]) == 1

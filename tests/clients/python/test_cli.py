"""The AWS CLI, from its documented examples to its exit codes."""

import json
import re
import shlex
from pathlib import Path

import awscli
import pytest

EXAMPLES = Path(awscli.__file__).parent / "examples" / "chime"
# The examples have ids of two styles.
EXAMPLE_ACCOUNT_IDS = {
    "a1b2c3d4-5678-90ab-cdef-11111EXAMPLE",
    "12a3456b-7c89-012d-3456-78901e23fg45",
}
EXAMPLE_USER_IDS = [
    "a1b2c3d4-5678-90ab-cdef-22222EXAMPLE",
    "a1b2c3d4-5678-90ab-cdef-33333EXAMPLE",
    "a1b2c3d4-5678-90ab-cdef-44444EXAMPLE",
]
EXAMPLE_USER_ID = "1ab2345c-67de-8901-f23g-45h678901j2k"
NO_ACCOUNT = "00000000-0000-7000-8000-000000000000"
# Of version 1 of the CLI; version 2 ends with 254 after an error of the service.
ERROR, USAGE_ERROR = 255, 2


def example(command):
    """Returns the arguments that the CLI's own documentation gives, and the output that it shows.

    The examples were written by hand. Some commands lack the backslash at a line's end, so that a
    line's end is a space like another here; and some outputs are no JSON, see `read_json`.
    """
    text = (EXAMPLES / f"{command}.rst").read_text() + "\n"
    lines = re.search(r"::\n\n((?:    .*\n)+)", text).group(1).replace("\\\n", "")
    arguments = shlex.split(lines)
    assert arguments[:3] == ["aws", "chime", command]
    shown = re.search(r"Output::\n\n((?:(?:    .*)?\n)+)", text)
    return arguments[1:], shown and read_json(shown.group(1))


def read_json(shown):
    """Reads the JSON of an example, which has Python's words in it, and commas too many or too few."""
    shown = re.sub(r"\b(True|False)\b", lambda word: word.group().lower(), shown)
    shown = re.sub(r",(\s*[\]}])", r"\1", shown)
    shown = re.sub(r'(["\]}])(\s*\n\s*["{\[])', r"\1,\2", shown)
    return json.loads(shown)


def with_ids(arguments, account_id, user_ids=()):
    """Puts real ids in the place of an example's, each of which must have one."""
    if len(user_ids) == 1 and any(EXAMPLE_USER_ID in argument for argument in arguments):
        pairs = [(EXAMPLE_USER_ID, user_ids[0])]
    else:
        pairs = list(zip(EXAMPLE_USER_IDS, user_ids))
    assert len(pairs) == len(user_ids)
    (example_account_id,) = EXAMPLE_ACCOUNT_IDS.intersection(arguments)
    for sample, ours in [(example_account_id, account_id), *pairs]:
        assert any(sample in argument for argument in arguments), (sample, arguments)
        arguments = [argument.replace(sample, ours) for argument in arguments]
    assert not any("EXAMPLE" in argument for argument in arguments)
    return arguments


def keys(value):
    """Returns the shape of an output: its keys, and what they hold."""
    if isinstance(value, dict):
        return {key: keys(member) for key, member in value.items()}
    return [keys(value[0])] if isinstance(value, list) and value else type(value)


def check_account(account, shown):
    # The examples are older than the member that the service answered all along.
    assert keys(account) == keys(shown) | {"AccountStatus": str, "SigninDelegateGroups": list}


@pytest.fixture
def account(chime):
    """Returns an account that the CLI can work on."""
    return chime.create_account(Name="Before")["Account"]


def output(finished):
    assert (finished.returncode, finished.stderr) == (0, ""), finished
    return finished.stdout


def failure(finished, code):
    """Returns what the CLI says of an error."""
    assert (finished.returncode, finished.stdout) == (code, ""), finished
    return finished.stderr


def test_the_create_account_example(aws_account):
    arguments, shown = example("create-account")
    account = json.loads(output(aws_account.aws(*arguments)))["Account"]
    check_account(account, shown["Account"])
    for same in ["Name", "AccountType", "DefaultLicense", "SupportedLicenses"]:
        assert account[same] == shown["Account"][same]
    assert account["AwsAccountId"] == aws_account.id


def test_the_get_account_example(aws_account, account):
    arguments, shown = example("get-account")
    answer = json.loads(output(aws_account.aws(*with_ids(arguments, account["AccountId"]))))
    assert list(answer) == ["Account"]
    check_account(answer["Account"], shown["Account"])
    assert answer["Account"]["Name"] == "Before"


def test_the_list_accounts_example(aws_account, chime, account):
    chime.create_account(Name="After")
    arguments, shown = example("list-accounts")
    answer = json.loads(output(aws_account.aws(*arguments)))
    assert keys(answer).keys() == keys(shown).keys() == {"Accounts"}
    assert [account["Name"] for account in answer["Accounts"]] == ["After", "Before"]
    for account, sample in zip(answer["Accounts"], shown["Accounts"], strict=True):
        check_account(account, sample)


def test_the_update_account_example(aws_account, account):
    arguments, shown = example("update-account")
    answer = json.loads(output(aws_account.aws(*with_ids(arguments, account["AccountId"]))))
    check_account(answer["Account"], shown["Account"])
    assert answer["Account"]["Name"] == shown["Account"]["Name"] == "MyAccountName"


def test_the_delete_account_example(aws_account, chime, account):
    arguments, shown = example("delete-account")
    assert shown is None
    assert output(aws_account.aws(*with_ids(arguments, account["AccountId"]))) == ""
    assert chime.list_accounts()["Accounts"] == []


def test_the_examples_of_account_settings(aws_account, team):
    arguments, shown = example("get-account-settings")
    get = with_ids(arguments, team)
    # Recorded: nothing is on in a new account.
    assert json.loads(output(aws_account.aws(*get))) == shown
    arguments, none = example("update-account-settings")
    assert none is None
    assert output(aws_account.aws(*with_ids(arguments, team))) == ""
    shown["AccountSettings"]["DisableRemoteControl"] = True
    assert json.loads(output(aws_account.aws(*get))) == shown


def test_the_examples_of_signin_delegate_groups(aws_account, chime, team):
    def groups():
        return chime.get_account(AccountId=team)["Account"]["SigninDelegateGroups"]

    for command, expected in [
        ("associate-signin-delegate-groups-with-account", [{"GroupName": "my_users"}]),
        ("disassociate-signin-delegate-groups-from-account", []),
    ]:
        arguments, shown = example(command)
        assert shown is None
        # Recorded: the answer is `{}`, of which the CLI makes no output.
        assert output(aws_account.aws(*with_ids(arguments, team))) == ""
        assert groups() == expected


def test_an_output_can_be_queried(aws_account, account):
    query = ["--query", "Accounts[0].[AccountId,Name]", "--output", "text"]
    finished = aws_account.aws("chime", "list-accounts", *query)
    assert output(finished) == f"{account['AccountId']}\tBefore\n"


def test_an_output_can_be_a_table(aws_account, account):
    finished = aws_account.aws("chime", "list-accounts", "--output", "table")
    table = output(finished)
    assert "ListAccounts" in table and "SupportedLicenses" in table
    row = re.search(r"\|\s*CreatedTimestamp\s*\|\s*(\S+)\s*\|", table)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row.group(1)), table


def test_a_list_is_walked_by_the_cli(many_accounts):
    aws_account, expected = many_accounts
    text = ["--query", "Accounts[].Name", "--output", "json"]
    finished = aws_account.aws("chime", "list-accounts", "--page-size", "60", *text)
    assert json.loads(output(finished)) == expected
    finished = aws_account.aws("chime", "list-accounts", "--max-items", "3")
    answer = json.loads(output(finished))
    assert [account["Name"] for account in answer["Accounts"]] == expected[:3]
    rest = ["--max-items", "2", "--starting-token", answer["NextToken"]]
    finished = aws_account.aws("chime", "list-accounts", *rest, *text)
    assert json.loads(output(finished)) == expected[3:5]
    finished = aws_account.aws("chime", "list-accounts", "--name", "Site 24", *text)
    assert json.loads(output(finished)) == expected[240:250]


def test_an_error_is_told_and_has_its_exit_code(aws_account):
    finished = aws_account.aws("chime", "get-account", "--account-id", NO_ACCOUNT)
    said = failure(finished, ERROR)
    expected = "An error occurred (NotFoundException) when calling the GetAccount operation: "
    assert expected in said and NO_ACCOUNT in said
    finished = aws_account.aws("chime", "create-account", "--name", " ")
    said = failure(finished, ERROR)
    assert "(BadRequestException) when calling the CreateAccount operation: " in said
    finished = aws_account.aws("chime", "list-phone-numbers")
    said = failure(finished, ERROR)
    assert "(UnknownOperationException) when calling the ListPhoneNumbers operation: " in said
    wrong = {"AWS_SECRET_ACCESS_KEY": "wrong"}
    said = failure(aws_account.aws("chime", "list-accounts", **wrong), ERROR)
    assert "(InvalidSignatureException) when calling the ListAccounts operation: " in said
    said = failure(aws_account.aws("chime", "get-account"), USAGE_ERROR)
    assert "the following arguments are required: --account-id" in said


def test_the_endpoint_may_be_an_argument(aws_account, account):
    endpoint = aws_account.environment()["AWS_ENDPOINT_URL_CHIME"]
    # Nothing listens on port 9 of an address that nobody uses: the argument must win.
    nowhere = {"AWS_ENDPOINT_URL_CHIME": "http://127.254.254.254:9"}
    get = ["chime", "get-account", "--account-id", account["AccountId"]]
    finished = aws_account.aws(*get, "--endpoint-url", endpoint, **nowhere)
    assert json.loads(output(finished))["Account"]["Name"] == "Before"
    console = ["--endpoint-url", f"{endpoint}/console"]
    finished = aws_account.aws(*get, *console, **nowhere)
    answer = json.loads(output(finished))["Account"]
    assert answer["Name"] == "Before" and "SigninDelegateGroups" not in answer


def test_the_caller_is_told(aws_account):
    finished = aws_account.aws("sts", "get-caller-identity", "--query", "Account")
    assert json.loads(output(finished)) == aws_account.id

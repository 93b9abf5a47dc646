"""Each action of the suite's policy lets its holder do one thing, and nothing else lets it do that.

`server.py --as-user` shows that the suite needs no more than its policy says. This shows that it needs
no less: without one of the actions, what the suite did is refused.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from server import binary, campanile, new_user

from conftest import new_root

POLICY_FILE = Path(__file__).with_name("least_privilege.json")
(STATEMENT,) = json.loads(POLICY_FILE.read_text())["Statement"]
ACTIONS = STATEMENT["Action"]
USER_NAME = "tried"
# What stands in the operations' paths. All else of a request is looked at later.
MEMBERS = json.dumps(dict.fromkeys(["AccountId", "DomainName", "UserId"], "none"))


class Holder:
    """A user who may do what a test says."""

    def __init__(self):
        _, self.root = new_root()
        # Not by the name of the user whom `server.py` watches: this one does everything.
        self.key = new_user(self.root, os.environ, POLICY_FILE, USER_NAME)

    def may(self, *actions):
        statement = STATEMENT | {"Action": list(actions)}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        put = ("--user-name", USER_NAME, "--policy-name", "least", "--policy-document", document)
        campanile(os.environ | self.root.environment(), "users", "put-user-policy", *put)

    def tries(self, action):
        """Calls the operation of an action, and returns what the program says of a refusal."""
        operation = action.removeprefix("chime:").removeprefix("campanile:")
        command = [binary(), "call", operation, MEMBERS]
        environment = os.environ | self.key.environment()
        return subprocess.run(command, env=environment, capture_output=True, text=True).stderr


@pytest.fixture(scope="module")
def holder():
    return Holder()


def test_a_policy_lists_its_actions_one_by_one():
    assert STATEMENT.keys() == {"Effect", "Action", "Resource"}
    assert not [action for action in ACTIONS if "*" in action or "?" in action]
    assert len({action.lower() for action in ACTIONS}) == len(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_without_its_action_an_operation_is_refused(holder, action):
    refusal = f"User: {holder.key.arn} is not authorized to perform: {action} because"
    holder.may(*(it for it in ACTIONS if it != action))
    assert refusal in holder.tries(action)
    holder.may(action)
    assert "is not authorized" not in holder.tries(action)

"""The search that ends a run of all tests finds what it is there to find."""

import base64
import subprocess
import sys
from urllib.parse import quote

import pytest
from server import REPOSITORY

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYOTHERSECRET"
OTHER = "FwoGZXIvYXdzEXAMPLE//////////=="


def search(folder, *kinds):
    (folder / "secrets").write_text(f"SecretAccessKey\t{SECRET}\nSessionToken\t{OTHER}\n")
    command = [sys.executable, REPOSITORY / "tests" / "search_secrets.py", folder / "secrets", folder]
    return subprocess.run([*command, *kinds], capture_output=True, text=True)


def encoded(before, after=""):
    return base64.b64encode(f"{before}{SECRET}{after}".encode()).decode()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (SECRET, "as it is"),
        (quote(SECRET, safe=""), "URL-encoded"),
        (quote(SECRET, safe="").replace("%2F", "%2f").replace("%2B", "%2b"), "URL-encoded"),
        *[(encoded("u" * length + ":", after), "in base64") for length in range(3) for after in ["", "ab"]],
        (encoded("", "").replace("+", "-").replace("/", "_"), "in base64"),
    ],
)
def test_a_secret_is_found(tmp_path, text, form):
    folder = tmp_path / "servers"
    folder.mkdir()
    (folder / "1.log").write_text(f"a line\nheader={text}, and more\n")
    searched = search(tmp_path)
    assert searched.returncode == 1
    assert searched.stderr == f"{folder / '1.log'}:2 has a SecretAccessKey {form}\n"


def test_what_is_no_secret_is_not_found(tmp_path):
    (tmp_path / "log").write_text(f"{SECRET[:-1]}\n{SECRET[::-1]}\n{OTHER[1:]}\n")
    searched = search(tmp_path, "SecretAccessKey", "SessionToken")
    assert (searched.returncode, searched.stderr) == (0, "")
    assert searched.stdout.startswith("2 secrets searched for in ")


def test_a_search_for_nothing_fails(tmp_path):
    searched = search(tmp_path, "SecretAccessKey", "MasterKey")
    assert searched.returncode == 1
    assert searched.stderr == "no test noted a MasterKey\n"

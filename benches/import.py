"""Imports a directory of many users into a server, each pinned to a core of its own, and tells how
long it took and how much memory the two had at the most. `make bench-import` runs it."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

USERS_PER_ACCOUNT = 50_000
USERS_PER_FILE = 1_000_000
ROOT = {
    "CAMPANILE_ROOT_ACCESS_KEY_ID": "AKIABENCH",
    "CAMPANILE_ROOT_SECRET_ACCESS_KEY": "bench",
    "CAMPANILE_ROOT_AWS_ACCOUNT_ID": "111122223333",
}


def uuid(kind, number):
    # Scattered, as the service's own were.
    digits = f"{(number * 0x9E3779B97F4A7C15 + kind) % (1 << 128):032x}"
    return "-".join(digits[a:b] for a, b in [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)])


def account(number):
    return {
        "AwsAccountId": ROOT["CAMPANILE_ROOT_AWS_ACCOUNT_ID"],
        "AccountId": uuid(1, number),
        "Name": f"Account {number}",
        "AccountType": "EnterpriseLWA",
        "CreatedTimestamp": "2018-12-20T18:38:02.181000+00:00",
        "DefaultLicense": "Pro",
        "SupportedLicenses": ["Basic", "Pro"],
        "AccountStatus": "Active",
        "SigninDelegateGroups": [],
    }


def user(number):
    return {
        "UserId": uuid(2, number),
        "AccountId": uuid(1, number // USERS_PER_ACCOUNT),
        "PrimaryEmail": f"user.{number}@example.com",
        "LicenseType": "Pro" if number % 3 else "Basic",
        "UserType": "PrivateUser",
        "UserRegistrationStatus": "Registered",
        "UserInvitationStatus": "Accepted",
        "RegisteredOn": "2018-12-20T18:45:25.231000+00:00",
        "InvitedOn": "2018-12-19T08:00:00.000000+00:00",
        "AlexaForBusinessMetadata": {"IsAlexaForBusinessEnabled": False},
        "PersonalPIN": f"{number:010}",
        "DisplayName": f"Person {number}",
    }


def generate(folder, users):
    """Writes what list-accounts and list-users of the AWS CLI print."""
    accounts = [account(number) for number in range(-(-users // USERS_PER_ACCOUNT))]
    (folder / "accounts.json").write_text(json.dumps({"Accounts": accounts}, indent=4))
    with open(folder / "users.json", "w", encoding="utf-8") as file:
        file.write('{\n    "Users": [\n')
        for number in range(users):
            text = json.dumps(user(number), indent=4)
            file.write(("" if number == 0 else ",\n") + text)
        file.write("\n    ]\n}\n")


def peak_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s*(\d+) kB", status).group(1)) // 1024


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(program, folder, users):
    data = folder / "in"
    data.mkdir()
    generate(data, users)
    size = sum(file.stat().st_size for file in data.iterdir()) >> 20
    store = f"embedded:{folder / 'data'}"
    command = ["taskset", "-c", "0", program, "serve", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(
        [*command, "--store", store], env={**os.environ, **ROOT}, stdout=subprocess.PIPE, text=True
    )
    try:
        url = server.stdout.readline().rsplit(" ", 1)[1].strip()
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": ROOT["CAMPANILE_ROOT_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": ROOT["CAMPANILE_ROOT_SECRET_ACCESS_KEY"],
            "AWS_ENDPOINT_URL_CHIME": url,
            "TMPDIR": str(folder),
        }
        client = ["taskset", "-c", "1", program]
        for name in ["import", "import again", "export"]:
            paths = ["--output", folder / "out.jsonl"] if name == "export" else [data]
            begun, cpu = time.monotonic(), cpu_seconds(server.pid)
            process = subprocess.Popen(
                [*client, name.split()[0], *paths], env=environment, stdout=subprocess.DEVNULL
            )
            _, status, usage = os.wait4(process.pid, 0)
            took = time.monotonic() - begun
            assert status == 0, f"{name} ended with {status}"
            print(
                f"{users} users, {size} MiB: {name}: {took:.1f} s, {users / took:.0f} users/s; "
                f"client {usage.ru_maxrss // 1024} MiB, {usage.ru_utime + usage.ru_stime:.1f} s of "
                f"its core; server {peak_mib(server.pid)} MiB, "
                f"{cpu_seconds(server.pid) - cpu:.1f} s of its core",
                flush=True,
            )
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    for count in map(int, sys.argv[2:] or ["100000", "1000000"]):
        with tempfile.TemporaryDirectory(prefix="campanile-bench-", dir="target") as temporary:
            run(sys.argv[1], Path(temporary).resolve(), count)

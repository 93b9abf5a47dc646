"""What the AWS CLI prints is what `campanile import` takes."""

import subprocess

from server import binary


def test_what_the_cli_saved_is_what_is_there(aws_account, chime, enterprise, tmp_path):
    account_id = enterprise
    users = [
        chime.create_user(AccountId=account_id, Email=email, Username=name)["User"]["UserId"]
        for email, name in [("zoe@example.com", "Zoë"), ("jane@example.com", "Jane")]
    ]
    chime.batch_suspend_user(AccountId=account_id, UserIdList=users[1:])
    chime.update_account_settings(AccountId=account_id, AccountSettings={"EnableDialOut": True})
    telephony = {"InboundCalling": True, "OutboundCalling": False, "SMS": True}
    chime.update_user_settings(
        AccountId=account_id, UserId=users[0], UserSettings={"Telephony": telephony}
    )
    retention = {"RoomRetentionSettings": {"RetentionDays": 30}}
    chime.put_retention_settings(AccountId=account_id, RetentionSettings=retention)

    def save(name, *arguments):
        printed = aws_account.aws("chime", *arguments)
        assert printed.returncode == 0, printed.stderr
        (tmp_path / f"{name}.json").write_text(printed.stdout, encoding="utf-8")

    account = ["--account-id", account_id]
    save("accounts", "list-accounts")
    save("account", "get-account", *account)
    save(f"settings of {account_id}", "get-account-settings", *account)
    save(f"retention of {account_id}", "get-retention-settings", *account)
    save("users", "list-users", *account)
    for user_id in users:
        save(user_id, "get-user", *account, "--user-id", user_id)
        save(f"settings-{user_id}", "get-user-settings", *account, "--user-id", user_id)

    def imported(*arguments):
        command = [binary(), "import", *arguments, tmp_path]
        finished = subprocess.run(
            command, env=aws_account.environment(), capture_output=True, text=True
        )
        assert finished.returncode == 0, finished.stderr
        return [line.split() for line in finished.stdout.splitlines()]

    for arguments in [["--dry-run"], [], ["--overwrite"]]:
        summary = imported(*arguments)
        assert ["accounts", "0", "1", "0"] in summary
        assert ["users", "0", "2", "0"] in summary

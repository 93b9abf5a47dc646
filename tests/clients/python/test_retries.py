"""What a client does not learn of, it asks for again by itself. It is done once all the same."""

import http.client
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest


class Relay(BaseHTTPRequestHandler):
    """Passes requests on to the server, and loses as many answers as it is told to."""

    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(urlsplit(os.environ["AWS_ENDPOINT_URL_CHIME"]).netloc)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        self.server.statuses.append(answer.status)
        if self.server.to_lose:
            self.server.to_lose -= 1
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = pass_on

    def log_message(self, *_):
        pass


@pytest.fixture
def relay():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    server.to_lose, server.statuses = 0, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["legacy", "standard"])
def retrying(request, aws_account, relay):
    return aws_account.client(endpoint_url=relay.url, retries={"mode": request.param})


def test_an_account_is_made_once(retrying, relay, chime):
    relay.to_lose = 2
    account = retrying.create_account(Name="My")["Account"]
    assert relay.statuses == [201, 201, 201]
    assert [it["AccountId"] for it in chime.list_accounts()["Accounts"]] == [account["AccountId"]]


def test_an_account_that_was_deleted_is_not_missed(retrying, relay, chime):
    account_id = chime.create_account(Name="My")["Account"]["AccountId"]
    relay.to_lose = 2
    retrying.delete_account(AccountId=account_id)
    assert relay.statuses == [204, 204, 204]


def test_the_command_line_makes_an_account_once(aws_account, relay, chime):
    relay.to_lose = 2
    made = aws_account.aws("chime", "create-account", "--name", "My", AWS_ENDPOINT_URL_CHIME=relay.url)
    assert made.returncode == 0, made.stderr
    assert len(chime.list_accounts()["Accounts"]) == 1
    assert relay.statuses == [201, 201, 201]


def test_calls_are_told_apart(retrying, relay, chime):
    for _ in range(2):
        relay.to_lose = 1
        retrying.create_account(Name="My")
    assert len(chime.list_accounts()["Accounts"]) == 2

"""Signs a request of every operation for the endpoint it is given, as botocore does, and prints each
as a line of JSON. Nothing is sent."""

import datetime
import json
import sys
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config

# What ids and texts are made of: what is encoded once, twice, or not at all.
TEXTS = [
    "plain",
    "+12065550100",
    "%2B12065550100",
    "a/b c",
    "a//b",
    "a%2Fb",
    "ü€😀",
    "~'()*!-_.",
    "?x=1&y#z;:@,$",
    ".",
    "..",
]


class Nothing:
    def stream(self, *_args, **_kwargs):
        yield b"{}"

    def read(self, *_args):
        return b"{}"


def value(shape, text):
    if shape.type_name == "structure":
        return {name: value(member, text) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [value(shape.member, text)]
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else text
    if shape.type_name == "timestamp":
        return datetime.datetime(2020, 1, 1)
    return {"integer": 7, "boolean": True}[shape.type_name]


def show(operation, form, text, request):
    parts = urlsplit(request.url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    headers = [
        [name, header.decode() if isinstance(header, bytes) else str(header)]
        for name, header in request.headers.items()
    ]
    if not any(name.lower() == "host" for name, _ in headers):
        # botocore signs it and leaves it to the HTTP library to send it.
        headers.append(["Host", parts.netloc])
    body = request.body or b""
    line = {
        "operation": operation,
        "form": form,
        "text": text,
        "method": request.method,
        "target": target,
        "headers": headers,
        "body": body.decode() if isinstance(body, bytes) else body,
    }
    print(json.dumps(line))


def client_of(session, endpoint, sent):
    config = Config(parameter_validation=False, retries={"max_attempts": 0})
    client = session.create_client(
        "chime", region_name="eu-west-1", endpoint_url=endpoint, config=config
    )

    def before_send(request, **_kwargs):
        sent.append(request)
        return AWSResponse(request.url, 200, {}, Nothing())

    client.meta.events.register("before-send.chime.*", before_send)
    return client


def main(endpoint):
    session = botocore.session.get_session()
    credentials = session.get_credentials()
    sent = []
    endpoints = [endpoint, endpoint + "/console"]
    clients = [client_of(session, it, sent) for it in endpoints]
    model = clients[0].meta.service_model
    for number, name in enumerate(model.operation_names):
        operation = model.operation_model(name)
        shape = operation.input_shape
        for turn, text in enumerate(TEXTS, start=number):
            arguments = value(shape, text) if shape is not None else {}
            # The two forms change places from text to text, and from operation to operation.
            client = clients[turn % 2]
            client._make_api_call(name, arguments)
            show(name, "header", text, sent.pop())

            client, endpoint = clients[(turn + 1) % 2], endpoints[(turn + 1) % 2]
            prepared = client._convert_to_request_dict(arguments, operation, endpoint)
            request = AWSRequest(method=prepared["method"], url=prepared["url"], data=b"")
            SigV4QueryAuth(credentials, "chime", "us-east-1", 3600).add_auth(request)
            show(name, "presigned", text, request.prepare())


main(sys.argv[1])

"""Calls Chime and STS with the session in the environment, and prints what boto3 says of the refusals."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
for service, method in [("chime", "list_accounts"), ("sts", "get_caller_identity")]:
    client = boto3.client(service, endpoint_url=endpoint, region_name="us-east-1")
    try:
        getattr(client, method)()
        print(json.dumps({"class": None}))
    except ClientError as error:
        answer = error.response
        said = {
            "class": type(error).__name__,
            "code": answer["Error"]["Code"],
            "message": answer["Error"]["Message"],
            "status": answer["ResponseMetadata"]["HTTPStatusCode"],
        }
        print(json.dumps(said))

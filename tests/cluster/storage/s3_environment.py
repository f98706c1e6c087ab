"""The variables that name an S3 server, set for a while; and a client for them beside the one that is tested."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest


@contextmanager
def s3_environment(endpoint: str, access_key: str = "testing", secret_key: str = "testing") -> Iterator[None]:
    """Clients of this process, and of those it starts, use this server and these keys, and look for them nowhere else."""
    told = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        yield


def s3_client(**settings: Any) -> Any:
    """A client by today's environment: boto's shared session would keep the keys that it saw first."""
    return boto3.session.Session().client("s3", **settings)


def end_uploads() -> int:
    """End what attempts began whose answer was lost, so that nobody knows its name; how many there were."""
    uploads = s3_client().list_multipart_uploads(Bucket="faces").get("Uploads", [])
    for upload in uploads:
        s3_client().abort_multipart_upload(Bucket="faces", Key=upload["Key"], UploadId=upload["UploadId"])
    return len(uploads)

"""Environment variables that name an S3 server, and a boto3 client apart from the tested one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest


@contextmanager
def s3_environment(endpoint: str, access_key: str = "testing", secret_key: str = "testing") -> Iterator[None]:
    """Let clients in this process and its children use this server and these keys, and no configuration files."""
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
    """Return a client for the current environment; boto3's shared session would keep the first credentials."""
    return boto3.session.Session().client("s3", **settings)


def end_uploads() -> int:
    """Abort all multipart uploads, such as those whose id was lost with an answer; return their number."""
    uploads = s3_client().list_multipart_uploads(Bucket="faces").get("Uploads", [])
    for upload in uploads:
        s3_client().abort_multipart_upload(Bucket="faces", Key=upload["Key"], UploadId=upload["UploadId"])
    return len(uploads)

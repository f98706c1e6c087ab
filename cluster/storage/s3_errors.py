"""Errors of S3 servers and of boto3, as one line for the user."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnection
from urllib3.exceptions import HTTPError

from cluster.storage.objects import Unreachable
from facegan.errors import UserError

_NO_ANSWER = (NoConnection, HTTPClientError, IncompleteReadError, HTTPError)
_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_DAMAGED = ("the bytes arrived damaged", "run again; if it happens again check the network and the memory")
_REGION = ("the bucket is in another region", "set AWS_DEFAULT_REGION to the region of the bucket")
_TOKEN = ("the session token is no longer valid", "log in again and set a new AWS_SESSION_TOKEN")
_BUSY = ("the server failed several times", "try again later")
_CLOCK = ("this machine's clock differs from the server's", "set the clock: timedatectl set-ntp true")
_NAME = ("this is not a valid name for an object", "correct the name")
_REASONS = {
    "NoSuchBucket": ("there is no such bucket", "create it or correct the name; AWS_ENDPOINT_URL names the server"),
    "InvalidObjectName": _NAME,
    "KeyTooLongError": _NAME,
    "InvalidBucketName": ("this is not a valid name for a bucket", "correct the name"),
    "InvalidAccessKeyId": ("the server does not know the access key", f"{_KEYS} for this server"),
    "SignatureDoesNotMatch": ("the secret key is wrong", "set the AWS_SECRET_ACCESS_KEY of this AWS_ACCESS_KEY_ID"),
    "ExpiredToken": _TOKEN,
    "InvalidToken": _TOKEN,
    "TokenRefreshRequired": _TOKEN,
    "RequestTimeTooSkewed": _CLOCK,
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "QuotaExceeded": ("the bucket or its owner is over the quota", "remove objects or ask for a larger quota"),
    "PreconditionFailed": ("the object has changed since it was listed", "run again"),
    "InternalError": _BUSY,
    "ServiceUnavailable": _BUSY,
    "SlowDown": _BUSY,
    "500": _BUSY,
    "502": _BUSY,
    "503": _BUSY,
    "504": _BUSY,
    "ConditionalRequestConflict": ("other processes write the same object", "run again when they have finished"),
    "EntityTooLarge": ("a single request can write at most 5 GiB", "make the file smaller"),
    "InvalidRange": ("the object is shorter than when it was listed", "run again"),
}


@contextmanager
def translate_s3_errors(uri: str) -> Iterator[None]:
    """Raise UserError for errors of the server or the client; FileNotFoundError if the server has no such object."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in ("NoSuchKey", "404"):
            raise FileNotFoundError(uri) from error
        kind = Unreachable if _REASONS.get(code_of(error)) in (_BUSY, _CLOCK) else UserError
        raise kind(f"{uri}: {_server_error(error)}") from error
    except (BotoCoreError, HTTPError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        kind = Unreachable if isinstance(error, _NO_ANSWER) else UserError
        raise kind(f"{uri}: {_client_error(error)}") from error


def code_of(error: ClientError) -> str:
    """Return the error code that the server sent."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _server_error(error: ClientError) -> str:
    code = code_of(error)
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        return f"access denied to {error.operation_name}; ask for the permission, or {_KEYS} of a user who has it"
    message = error.response.get("Error", {}).get("Message") or "no reason given"
    reason, action = _REASONS.get(code, (_one_line(message), "see the documentation of the server"))
    return f"{reason} ({code}); {action}"


def _client_error(error: Exception) -> str:
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)):
        return f"there are no credentials ({_one_line(error)}); {_KEYS}"
    if isinstance(error, _NO_ANSWER):
        server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3"
        return f"{server} cannot be reached ({_one_line(error)}); check that it runs, or set AWS_ENDPOINT_URL"
    if isinstance(error, (ParamValidationError, UnicodeError)):
        return f"this is not a valid name for a bucket or an object ({_one_line(error)}); correct it"
    return f"the client cannot be set up ({_one_line(error)}); correct the environment variable AWS_... that this names"


def _one_line(error: object) -> str:
    return " ".join(str(error).split())

"""What an S3 server or its client says, as one line for the user."""

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

from facegan.errors import UserError

_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_DAMAGED = ("the bytes arrived damaged", "run again; if it happens again look at the network and the memory")
_REGION = ("the bucket lies in another region", "set AWS_DEFAULT_REGION to the region of the bucket")
_TOKEN = ("the session token is no longer valid", "log in again and set a new AWS_SESSION_TOKEN")
_BUSY = ("the server failed several times", "try again later")
_NAME = ("no object can be called so", "correct the name")
_REASONS = {
    "NoSuchBucket": ("there is no such bucket", "create it or correct the name; AWS_ENDPOINT_URL names the server"),
    "InvalidObjectName": _NAME,
    "KeyTooLongError": _NAME,
    "InvalidBucketName": ("that cannot be the name of a bucket", "correct the name"),
    "InvalidAccessKeyId": ("the server does not know the access key", f"{_KEYS} for this server"),
    "SignatureDoesNotMatch": ("the secret key is wrong", "set the AWS_SECRET_ACCESS_KEY of this AWS_ACCESS_KEY_ID"),
    "ExpiredToken": _TOKEN,
    "InvalidToken": _TOKEN,
    "TokenRefreshRequired": _TOKEN,
    "RequestTimeTooSkewed": ("this machine's clock differs from the server's", "set the clock"),
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "QuotaExceeded": ("the bucket or its owner is over the quota", "remove something or ask for more"),
    "PreconditionFailed": ("the object has changed since it was listed", "run again"),
    "InternalError": _BUSY,
    "ServiceUnavailable": _BUSY,
    "SlowDown": _BUSY,
    "500": _BUSY,
    "502": _BUSY,
    "503": _BUSY,
    "504": _BUSY,
    "ConditionalRequestConflict": ("other writers are at the same object", "run again when they are done"),
    "InvalidRange": ("the object has become shorter than it was", "run again"),
}


@contextmanager
def translate_errors(uri: str) -> Iterator[None]:
    """A UserError for what a server or the client refuses; FileNotFoundError where the server has no such object."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in ("NoSuchKey", "404"):
            raise FileNotFoundError(uri) from error
        raise UserError(f"{uri}: {_refused(error)}") from error
    except (BotoCoreError, HTTPError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{uri}: {_failed(error)}") from error


def code_of(error: ClientError) -> str:
    """What the server calls the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(error: ClientError) -> str:
    code, doing = code_of(error), error.operation_name
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        return f"access denied to {doing}; ask for the right to it, or {_KEYS} of someone who has it"
    reason, cure = _REASONS.get(
        code, (_line(error.response.get("Error", {}).get("Message") or "no reason given"), "see to that")
    )
    return f"{reason} ({code}); {cure}"


def _failed(error: Exception) -> str:
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)):
        return f"there are no credentials ({_line(error)}); {_KEYS}"
    if isinstance(error, (NoConnection, HTTPClientError, IncompleteReadError, HTTPError)):
        server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3"
        return f"{server} cannot be reached ({_line(error)}); see that it runs, or set AWS_ENDPOINT_URL"
    if isinstance(error, (ParamValidationError, UnicodeError)):
        return f"no bucket or object can be called so ({_line(error)}); correct it"
    return f"the client cannot be set up ({_line(error)}); correct the variable AWS_... that this is about"


def _line(error: object) -> str:
    return " ".join(str(error).split())

"""A large file to an object of a bucket: in parts, several at once, and nothing is left of what fails."""

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cluster.storage.objects import AlreadyThere
from cluster.storage.s3_client import check_sent, client, head, md5, tag_of
from cluster.storage.s3_errors import code_of

PART = 8 << 20
"""Bytes; what is no longer is sent in one piece."""
_PARTS_AT_MOST = 10_000
_THREADS = 4


@dataclass(frozen=True, slots=True)
class InParts:
    """How a local file of this SHA-256 gets to the object at `at`, its Bucket and Key."""

    at: dict[str, Any]
    uri: str
    local: Path
    sha256: str

    def send(self, condition: dict[str, str]) -> None:
        """Make or replace the object; AlreadyThere, and nothing changed, where the condition does not hold at the end."""
        upload = client().create_multipart_upload(**self.at, Metadata={"sha256": self.sha256})["UploadId"]
        try:
            self._complete(upload, self._send_parts(upload), condition)
        except ClientError as error:
            # A completion whose answer was lost has ended the upload; what is there is looked at next.
            if code_of(error) != "NoSuchUpload":
                self._abort(upload)
                raise
        except BaseException:  # Ctrl-C too: parts of an unfinished upload are billed and in no listing
            self._abort(upload)
            raise

    def _complete(self, upload: str, parts: list[dict[str, Any]], condition: dict[str, str]) -> None:
        # radosgw takes no condition with the completion: there the look just before it has to do.
        if condition and tag_of(head(self.at)) != condition.get("IfMatch", ""):
            raise AlreadyThere(self.uri)
        try:
            client().complete_multipart_upload(**self.at, UploadId=upload, MultipartUpload={"Parts": parts}, **condition)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
                raise
            # An attempt whose answer was lost may have made the object that the next attempt met.
            if head(self.at).get("Metadata", {}).get("sha256") != self.sha256:
                raise AlreadyThere(self.uri) from None

    def _send_parts(self, upload: str) -> list[dict[str, Any]]:
        part_size = max(PART, -(-self.local.stat().st_size // _PARTS_AT_MOST))
        digest, pending, sent = hashlib.sha256(), deque[Future[dict[str, Any]]](), list[dict[str, Any]]()
        with ThreadPoolExecutor(_THREADS) as pool, self.local.open("rb") as stream:
            while part := stream.read(part_size):
                digest.update(part)
                pending.append(pool.submit(self._send_part, upload, len(sent) + len(pending) + 1, part))
                if len(pending) > _THREADS:  # no more of the file than this in memory
                    sent.append(pending.popleft().result())
            sent += [future.result() for future in pending]
        check_sent(self.local, digest, self.sha256)
        return sent

    def _send_part(self, upload: str, number: int, part: bytes) -> dict[str, Any]:
        where = self.at | {"UploadId": upload, "PartNumber": number}
        return {"PartNumber": number, "ETag": client().upload_part(**where, Body=part, ContentMD5=md5(part))["ETag"]}

    def _abort(self, upload: str) -> None:
        try:
            client(attempts=2).abort_multipart_upload(**self.at, UploadId=upload)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and code_of(error) == "NoSuchUpload":
                return  # ended already: nothing is left of it
            print(f"storage  an unfinished upload stays, out of sight, at {self.uri}", flush=True)

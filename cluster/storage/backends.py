"""The storage back ends: which URI scheme opens which store."""

from collections.abc import Callable

from cluster.storage.objects import RemoteStore


def _open_s3(bucket: str, prefix: str) -> RemoteStore:
    from cluster.storage.s3 import Bucket  # importing boto3 takes 0.3 s, which users of folders need not wait for

    return Bucket(bucket, prefix)


REMOTE_STORES: dict[str, Callable[[str, str], RemoteStore]] = {"s3": _open_s3}
"""For each scheme, a function that takes a bucket and a prefix and opens the store. It imports its client library itself."""


def open_remote_store(uri: str) -> RemoteStore:
    """Open the store of scheme://bucket/prefix."""
    scheme, _, location = uri.partition("://")
    bucket, _, prefix = location.partition("/")
    return REMOTE_STORES[scheme](bucket, prefix)


def remote_forms() -> list[str]:
    """Return the accepted forms of remote URIs, for messages: ["s3://bucket/prefix"]."""
    return [f"{scheme}://bucket/prefix" for scheme in REMOTE_STORES]

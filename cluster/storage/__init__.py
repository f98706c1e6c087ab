"""Storage for data sets, studies and weights: folders and buckets behind one interface.

- `uri.py`: StorageURI, the interface that the rest of the code uses, and `storage_uri`, which parses flags.
- `objects.py`: `Store` and `RemoteStore`, the protocols of a storage back end; `Entry`; `AlreadyThere`.
- `backends.py`: the one mapping from URI schemes to stores.
- `folder.py`: objects as files.
- `s3.py`: objects in S3 and compatible servers; repeats reads whose body breaks off and conditional writes that conflict.
- `s3_client.py`: the boto3 client, which repeats failed requests; `ATTEMPTS`, 6, limits both kinds of retries.
- `s3_errors.py`: the wording of errors, and no retries.
- `local_copy.py`: verified downloads that resume. `weights.py`: trained weights copied to a node.
- `scratch.py`, `leftovers.py`: temporary folders, and removal of what killed processes left behind.

To add a back end, say gs://bucket/prefix: write a module with a class that implements `RemoteStore`, and add
its scheme to `REMOTE_STORES` in `backends.py`. The accepted flags and the messages of errors follow; the help texts of
jobs name s3:// only, so add the new form there. Then run the cases of tests/cluster/storage/contract.py on it.
"""

"""An AWS for a network of namespaces: moto, the nodes' metadata service, and a list of the instances that should run.

    python -m tests.cloud.aws ADDRESS FOLDER        on the host that plays AWS

The list is FOLDER/instances.json, written anew each second; FOLDER/ended/<id> says that an instance powered itself off.
FOLDER/calls.jsonl tells who asked for what ("key", "service", "action", "resource", "prefix"), roles.json what the instances
may ask for, by key.
"""

import ast
import io
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs

METADATA = "169.254.169.254"
REGION = "us-east-1"
ACCOUNT = "123456789012"


def main(address: str, folder: Path) -> None:
    """Serve until killed."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "behind", "AWS_SECRET_ACCESS_KEY": "the-scenes", "AWS_DEFAULT_REGION": REGION}
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    from tests.infra.aws.images import make_images

    app = told_calls(DomainDispatcherApplication(create_backend_app), folder / "calls.jsonl")
    Thread(target=make_server(address, 5000, app, threaded=True).serve_forever, daemon=True).start()
    make_images(REGION)
    Thread(target=ThreadingHTTPServer((METADATA, 80), Metadata).serve_forever, daemon=True).start()
    (folder / "ended").mkdir()
    while True:
        end_what_powered_off(folder / "ended")
        partial = folder / "instances.partial"
        partial.write_text(json.dumps([told(instance) for instance in running()]))
        partial.replace(folder / "instances.json")
        time.sleep(1)


def told_calls(app: Callable[..., Any], calls: Path) -> Callable[..., Any]:
    """The application, which also writes down who asked for what."""
    lock = Lock()

    def answer(request: dict[str, Any], start: Any) -> Any:
        signed = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/", request.get("HTTP_AUTHORIZATION", ""))
        if signed:
            row = {"key": signed[1], "service": signed[2], **_asked(request, signed[2])}
            with lock, calls.open("a") as sink:
                sink.write(json.dumps(row) + "\n")
        return app(request, start)

    return answer


def _asked(request: dict[str, Any], service: str) -> dict[str, str]:
    query = {name: values[0] for name, values in parse_qs(request.get("QUERY_STRING", ""), keep_blank_values=True).items()}
    if service == "s3":
        return _asked_of_s3(request["REQUEST_METHOD"], request["PATH_INFO"].strip("/"), query)
    if "HTTP_X_AMZ_TARGET" in request:
        return {"action": request["HTTP_X_AMZ_TARGET"].rsplit(".", 1)[1]}
    body = request["wsgi.input"].read(int(request.get("CONTENT_LENGTH") or 0))
    request["wsgi.input"] = io.BytesIO(body)
    return {"action": parse_qs(body.decode(errors="replace")).get("Action", [""])[0]}


def _asked_of_s3(method: str, path: str, query: dict[str, str]) -> dict[str, str]:
    """The right that S3 asks for; those of uploads in parts are PutObject's but for two."""
    if "/" not in path:
        return {
            "action": "ListBucket" if method in ("GET", "HEAD") else method,
            "resource": path,
            "prefix": query.get("prefix", ""),
        }
    if method == "DELETE":
        return {"action": "AbortMultipartUpload" if "uploadId" in query else "DeleteObject", "resource": path}
    reads = "ListMultipartUploadParts" if "uploadId" in query else "GetObject"
    return {"action": reads if method in ("GET", "HEAD") else "PutObject", "resource": path}


def running() -> list[Any]:
    """moto's instances that are not ended."""
    from moto.ec2.models import ec2_backends

    return [i for i in ec2_backends[ACCOUNT][REGION].all_instances() if i.state in ("pending", "running")]


def told(instance: Any) -> dict[str, str]:
    """What boots an instance."""
    pairs = instance.ec2_backend.key_pairs
    return {
        "id": instance.id,
        "type": instance.instance_type,
        "private": instance.private_ip,
        "public": instance.public_ip,
        "key": pairs[instance.key_name].material_public.decode(),
    }


def end_what_powered_off(ended: Path) -> None:
    """An instance whose shutdown behaviour is to terminate is gone once it is off."""
    for mark in ended.iterdir():
        for instance in running():
            if instance.id == mark.name:
                instance.ec2_backend.terminate_instances([instance.id])
        mark.unlink()


def credentials(instance: Any) -> tuple[str, dict[str, str]]:
    """The role of the instance's profile, and keys that moto knows as that role's; roles.json tells what it may do."""
    import boto3

    here = {"endpoint_url": f"http://{sys.argv[1]}:5000", "region_name": REGION}
    associations = boto3.client("ec2", **here).describe_iam_instance_profile_associations(
        Filters=[{"Name": "instance-id", "Values": [instance.id]}]
    )["IamInstanceProfileAssociations"]
    name = associations[0]["IamInstanceProfile"]["Arn"].rsplit("/", 1)[1]
    (role,) = boto3.client("iam", **here).get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    session = boto3.client("sts", **here).assume_role(RoleArn=role["Arn"], RoleSessionName=instance.id)
    note_role(session["Credentials"]["AccessKeyId"], role["RoleName"], boto3.client("iam", **here))
    return role["RoleName"], session["Credentials"]


def note_role(key: str, role: str, iam: Any) -> None:
    """Write down whose a key is, and the statements of that role's policies."""
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    # moto tells a role's own policies as Python would print them.
    documents = [ast.literal_eval(document) if isinstance(document, str) else document for document in documents]
    roles = Path(sys.argv[2]) / "roles.json"
    known = json.loads(roles.read_text()) if roles.exists() else {}
    known[key] = {"role": role, "statements": [statement for document in documents for statement in document["Statement"]]}
    roles.write_text(json.dumps(known))


class Metadata(BaseHTTPRequestHandler):
    """IMDSv2: who has not asked for a token is told nothing."""

    tokens: set[str] = set()  # noqa: RUF012  (all requests share it)
    keys: dict[str, tuple[str, dict[str, str]]] = {}  # noqa: RUF012

    def do_PUT(self) -> None:
        self._answer(200, self._token()) if self.path == "/latest/api/token" else self._answer(404, "")

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") not in self.tokens:
            return self._answer(401, "")
        asker = next((i for i in running() if i.private_ip == self.client_address[0]), None)
        content = self._content(asker, self.path.removeprefix("/latest/meta-data/")) if asker else None
        return self._answer(200 if content is not None else 404, content or "")

    def _content(self, asker: Any, path: str) -> str | None:
        plain: dict[str, str] = {
            "placement/region": REGION,
            "placement/availability-zone": f"{REGION}a",
            "instance-id": asker.id,
            "instance-type": asker.instance_type,
            "local-ipv4": asker.private_ip,
            "public-ipv4": asker.public_ip,
        }
        if path in plain:
            return plain[path]
        if not path.startswith("iam/security-credentials/"):
            return None
        if asker.id not in self.keys:
            self.keys[asker.id] = credentials(asker)
        role, keys = self.keys[asker.id]
        if path.endswith("/"):
            return str(role)
        said = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": _stamp(0), "Expiration": _stamp(6)}
        return json.dumps(
            said
            | {"AccessKeyId": keys["AccessKeyId"], "SecretAccessKey": keys["SecretAccessKey"], "Token": keys["SessionToken"]}
        )

    def _token(self) -> str:
        token = secrets.token_urlsafe(32)
        self.tokens.add(token)
        return token

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.end_headers()
        self.wfile.write(text.encode())


def _stamp(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

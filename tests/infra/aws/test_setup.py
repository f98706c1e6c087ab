"""infra.aws.setup and stage_weights against a mocked AWS."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import boto3
import pytest
import torch
from moto.backends import get_backend

from facegan.errors import UserError
from infra.aws import setup, stage_weights
from infra.aws.stack import Stack, read_stack
from tests.infra.aws.commands import BUCKET, OWNER, run_main, run_setup


def parameters(aws: boto3.session.Session) -> dict[str, str]:
    rows = aws.client("cloudformation").describe_stacks(StackName="facegan")["Stacks"][0]["Parameters"]
    return {row["ParameterKey"]: row["ParameterValue"] for row in rows}


@pytest.mark.s3
def test_second_setup_changes_only_what_is_new(aws: boto3.session.Session) -> None:
    run_setup("--bucket", BUCKET)
    token = (Path.home() / ".ray" / "auth_token").read_text()
    before = parameters(aws)
    run_setup("--ssh_from", "198.51.100.0/24")
    assert parameters(aws) == {**before, "SshCidr": "198.51.100.0/24"}
    assert (Path.home() / ".ray" / "auth_token").read_text() == token
    run_setup("--ssh_from", "198.51.100.0/24")  # no change at all


@pytest.mark.s3
def test_weights_are_uploaded_once(aws: boto3.session.Session, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg19-dcbb9e9d.pth").write_bytes(b"weights")
    assert "vgg19-dcbb9e9d.pth" in run_setup("--bucket", BUCKET, "--weights", str(tmp_path / "weights"))
    there = aws.client("s3").get_object(Bucket=BUCKET, Key="facegan/weights/vgg19-dcbb9e9d.pth")
    assert there["Body"].read() == b"weights"
    assert "vgg19-dcbb9e9d.pth" not in run_setup("--weights", str(tmp_path / "weights"))


@pytest.mark.s3
def test_node_writes_store_to_its_environment_and_downloads_weights(
    aws: boto3.session.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_setup("--bucket", BUCKET)
    aws.client("s3").put_object(Bucket=BUCKET, Key="facegan/weights/vgg19-dcbb9e9d.pth", Body=b"weights")
    environment = tmp_path / "facegan.env"
    environment.write_text("RAY_AUTH_MODE=token\nFACEGAN_STORE=s3://old/store\n")
    monkeypatch.setattr(stage_weights, "ENVIRONMENT", environment)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    run_main(stage_weights.main, stage_weights.StageWeights)
    assert environment.read_text() == f"RAY_AUTH_MODE=token\nFACEGAN_STORE=s3://{BUCKET}/facegan\n"
    assert (Path(torch.hub.get_dir()) / "checkpoints" / "vgg19-dcbb9e9d.pth").read_bytes() == b"weights"


@pytest.mark.s3
def test_other_region_in_the_environment_is_an_error(aws: boto3.session.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(UserError, match=r"'eu-west-1', infra/cluster.yaml says 'us-east-1'"):
        run_setup()


@pytest.mark.s3
def test_bucket_in_another_region_is_an_error(aws: boto3.session.Session) -> None:
    far = boto3.session.Session(region_name="eu-west-1").client("s3")
    far.create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(UserError, match="it is in eu-west-1"):
        run_setup("--bucket", "far-away")


@pytest.mark.s3
@pytest.mark.parametrize("network", ["0.0.0.0/0", "10.0.0.0/8", "my house"])
def test_ssh_network_that_is_too_large_or_malformed_is_an_error(aws: boto3.session.Session, network: str) -> None:
    with pytest.raises(UserError, match=f"--ssh_from is '{network}'"):
        run_setup("--ssh_from", network)


@pytest.mark.s3
@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_FAILED"])
def test_stack_that_cannot_be_updated_is_an_error(aws: boto3.session.Session, status: str) -> None:
    run_setup()
    for region in (backends["us-east-1"] for backends in get_backend("cloudformation").values()):
        for stack in region.stacks.values():
            stack.status = status
    with pytest.raises(UserError, match=f"stack facegan is in {status}"):
        run_setup()
    assert parameters(aws)["SshCidr"] == OWNER


@pytest.mark.parametrize(("vcpus", "hint"), [(0.0, True), (32.0, False)])
def test_quota_of_zero_prints_a_hint(
    vcpus: float, hint: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SimpleNamespace(get_service_quota=lambda **_: {"Quota": {"Value": vcpus}})
    monkeypatch.setattr(Stack, "client", lambda self, service: answer)
    setup._print_quotas(read_stack())
    assert capsys.readouterr().out.count("no worker can start") == (2 if hint else 0)


@contextmanager
def server_that_answers(status: int) -> Iterator[str]:
    """The URL of an HTTP server that answers each HEAD request with `status`."""

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.s3
@pytest.mark.parametrize(("status", "message"), [(403, "have no access to it"), (400, "bucket faces: .*\\(400\\)")])
def test_only_a_denied_bucket_is_reported_as_taken(
    aws: boto3.session.Session, monkeypatch: pytest.MonkeyPatch, status: int, message: str
) -> None:
    with server_that_answers(status) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(UserError, match=message):
            setup._bucket_exists(read_stack(), "faces")

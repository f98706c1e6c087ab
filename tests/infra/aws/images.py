"""The public image parameters of Canonical and AWS, which moto lacks: put in from behind, for its API refuses such names."""

from infra.aws.stack import TEMPLATE

AMAZON = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
"""Images that moto has; two different ones, so that the head's and the workers' can be told apart."""


def make_images(region: str) -> None:
    """Both parameters that infra/aws/stack.yaml names as its defaults; for a moto that runs in this process."""
    from moto.ssm.models import ssm_backends

    parameters = ssm_backends["123456789012"][region]._parameters
    defaults = [line.split()[-1] for line in TEMPLATE.read_text().splitlines() if "Default: /aws/service/" in line]
    for name, architecture in zip(defaults, ("x86_64", "arm64"), strict=True):
        parameters[name] = parameters[AMAZON + architecture]

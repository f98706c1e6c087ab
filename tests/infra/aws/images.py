"""Image parameters of Canonical and AWS that moto lacks. They are set in moto's backend, as its API refuses their names."""

from infra.aws.stack import TEMPLATE

AMAZON = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
"""Prefix of two image parameters that moto has: one stands for the head's image, the other for the workers'."""


def make_images(region: str) -> None:
    """Set both image parameters that infra/aws/stack.yaml has as defaults, for a moto in this process."""
    from moto.ssm.models import ssm_backends

    parameters = ssm_backends["123456789012"][region]._parameters
    defaults = [line.split()[-1] for line in TEMPLATE.read_text().splitlines() if "Default: /aws/service/" in line]
    for name, architecture in zip(defaults, ("x86_64", "arm64"), strict=True):
        parameters[name] = parameters[AMAZON + architecture]

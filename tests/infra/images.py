"""moto has not the public image parameters of Canonical and AWS: two of our own stand for them."""

from typing import Any

IMAGES = {"--head_image": "/images/head", "--worker_image": "/images/worker"}
"""The flags of infra.cloud_setup that name them."""


def make_images(session: Any) -> None:
    """Put both parameters, each an image that moto has."""
    found = session.client("ec2").describe_images(Owners=["amazon"])["Images"]
    for name, image in zip(IMAGES.values(), found, strict=False):
        session.client("ssm").put_parameter(Name=name, Value=image["ImageId"], Type="String", Overwrite=True)

"""Check node configurations against botocore's model of EC2's RunInstances."""

from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.validate import ParamValidator


def validation_errors(node_config: dict[str, Any]) -> list[str]:
    """Return an error line for each unknown field, wrong type and value outside its enumeration, at any depth."""
    shape = botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape
    report = ParamValidator().validate({**node_config, "MinCount": 1, "MaxCount": 1}, shape)
    return [line for line in report.generate_report().splitlines() if line] + list(_outside("node_config", node_config, shape))


def _outside(name: str, value: Any, shape: Any) -> Iterator[str]:
    if isinstance(value, dict) and shape.type_name == "structure":
        for key, below in value.items():
            if key in shape.members:
                yield from _outside(f"{name}.{key}", below, shape.members[key])
    elif isinstance(value, list) and shape.type_name == "list":
        for below in value:
            yield from _outside(name, below, shape.member)
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{name} is {value!r}: one of {', '.join(shape.enum[:8])}"

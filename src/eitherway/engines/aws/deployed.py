"""What a deployed stack says of itself, by CloudFormation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ...errors import ConfigurationError
from . import names

_NOT_YET = "REVIEW_IN_PROGRESS"
"""The status of a stack that was planned, and never made."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack that is there: whose it is, if an app's, and its outputs by their names."""

    app: str | None
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What stands under a name in a region: a stack or nothing."""

    region: str
    stack: Deployed | None


def find(name: str) -> Found:
    """Look for a stack. `ConfigurationError` without credentials, a region, or the right to."""
    try:
        client = boto3.client("cloudformation")
        region = client.meta.region_name
        described = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:  # AWS says no
        code, said = (error.response.get("Error", {}).get(one) or "" for one in ("Code", "Message"))
        if code == "ValidationError" and "does not exist" in said:
            return Found(region, None)
        raise ConfigurationError(f"the stack {name} in {region}: {said or error}") from None
    except BotoCoreError as error:
        raise ConfigurationError(
            f"the stack {name}: {str(error).rstrip('.')}: give a region and credentials as the AWS "
            "command line takes them"
        ) from None
    if described["StackStatus"] == _NOT_YET:
        return Found(region, None)
    given = {one["ParameterKey"]: one["ParameterValue"] for one in described.get("Parameters", [])}
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}
    return Found(region, Deployed(given.get(names.APP_PARAMETER), outputs))

"""What a deployed stack says of itself: its outputs, by CloudFormation."""

from __future__ import annotations

from collections.abc import Mapping

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ...errors import ConfigurationError


def outputs(stack: str) -> Mapping[str, str]:
    """The outputs of a stack by their names. `ConfigurationError`, also without credentials."""
    try:
        client = boto3.client("cloudformation")
        found = client.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:  # AWS says no
        said = error.response.get("Error", {}).get("Message") or str(error)
        raise ConfigurationError(
            f"--stack {stack}, in {client.meta.region_name}: {said.rstrip('.')}"
        ) from None
    except BotoCoreError as error:
        raise ConfigurationError(
            f"--stack {stack}: {str(error).rstrip('.')}: give a region and credentials as the AWS "
            "command line takes them, or --url"
        ) from None
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

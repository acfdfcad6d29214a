"""The CloudFormation template of a plan: discrete resources, no transform, no OpenAPI body."""

from .document import template

__all__ = ["template"]

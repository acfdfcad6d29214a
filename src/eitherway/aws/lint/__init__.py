"""Known traps in a template, which CloudFormation and cfn-lint let pass and AWS answers later."""

from .findings import Finding
from .run import TRAPS, lint, read_template

__all__ = ["TRAPS", "Finding", "lint", "read_template"]

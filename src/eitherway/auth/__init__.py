"""Who a request is from: authenticators for `App(auth=...)`, and what to write one's own with."""

from .api_keys import ApiKeys
from .authenticator import (
    Anonymous,
    Authenticator,
    AuthUnavailableError,
    CredentialError,
    Principal,
    SecurityScheme,
)
from .jwt_tokens import Jwt

__all__ = [
    "Anonymous",
    "ApiKeys",
    "AuthUnavailableError",
    "Authenticator",
    "CredentialError",
    "Jwt",
    "Principal",
    "SecurityScheme",
]

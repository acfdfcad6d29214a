"""`Jwt`: tokens that somebody else issued and signed (RFC 7519), checked by PyJWT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from .authenticator import Authenticator, CredentialError, Principal, SecurityScheme, bearer_token

if TYPE_CHECKING:
    from .jwks import IssuerKeys

ASYMMETRIC = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
TOKEN_BYTES_MAX = 8_192

_SECRET_BYTES_MIN = 32  # RFC 7518, section 3.2


class Jwt(Authenticator):
    """Bearer tokens of one issuer, for one audience, signed with keys that are published or given.

    `jwks_url` is where the issuer publishes its keys; `key` is one given instead, a public key in
    PEM or, for `algorithms=["HS256"]`, a secret of 32 bytes or more. Every token needs `exp`, `iss`
    and the claim that names the principal, which `prefix` is put before: with two issuers, give
    each its own. `audience=None` takes tokens for nobody in particular, and no others.
    """

    scheme = SecurityScheme("jwt", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | Sequence[str] | None,
        jwks_url: str | None = None,
        key: str | bytes | None = None,
        algorithms: Sequence[str] = ASYMMETRIC,
        claim: str = "sub",
        prefix: str = "",
        leeway_seconds: float = 0.0,
        jwks_lifespan_seconds: float = 300.0,
        jwks_pause_seconds: float = 10.0,
        jwks_timeout_seconds: float = 5.0,
    ) -> None:
        if find_spec("jwt") is None or find_spec("cryptography") is None:
            raise ConfigurationError('Jwt needs PyJWT: pip install "eitherway[auth]"')
        if (jwks_url is None) == (key is None):
            raise ConfigurationError("Jwt: give jwks_url=, or key=, and not both")
        _check_algorithms(algorithms, key)
        self._key = key
        self._algorithms = list(algorithms)
        self._audience = audience if audience is None or isinstance(audience, str) else [*audience]
        self._issuer = issuer
        self._claim = claim
        self._prefix = prefix
        self._leeway_seconds = leeway_seconds
        self._keys: IssuerKeys | None = None
        if jwks_url is not None:
            if not jwks_url.lower().startswith(("http://", "https://")):
                raise ConfigurationError(f"Jwt: jwks_url={jwks_url!r} is no http(s) URL")
            from .jwks import IssuerKeys  # noqa: PLC0415 - it needs the extra

            self._keys = IssuerKeys(
                jwks_url,
                lifespan_seconds=jwks_lifespan_seconds,
                pause_seconds=jwks_pause_seconds,
                timeout_seconds=jwks_timeout_seconds,
            )

    async def close(self) -> None:
        """Wait for no keys any more."""
        if self._keys is not None:
            await self._keys.close()

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        """The principal that a good token names; None where no bearer token looks like a JWT."""
        token = bearer_token(headers)
        if token is None or token.count(".") != 2:
            return None
        if len(token) > TOKEN_BYTES_MAX:
            raise CredentialError(f"a token has at most {TOKEN_BYTES_MAX} bytes")
        claims = await self._claims(token)
        name = claims[self._claim]
        if not isinstance(name, str):
            raise CredentialError(f"the token's {self._claim} is no text")
        try:
            return Principal(self._prefix + name, float(claims["exp"]) + self._leeway_seconds)
        except ValueError as error:
            raise CredentialError(f"the token's {self._claim}: {error}") from None

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """What the token says, once its signature and its time hold. `CredentialError`."""
        import jwt  # noqa: PLC0415 - of the extra

        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                await self._key_of(token),
                algorithms=self._algorithms,
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway_seconds,
                options={"require": ["exp", "iss", self._claim]},
            )
        except jwt.exceptions.PyJWTError as error:
            raise CredentialError(_reason(error)) from None
        except (TypeError, ValueError, OverflowError):  # claims and keys of unheard-of shapes
            raise CredentialError("the token is no JWT") from None
        return claims

    async def _key_of(self, token: str) -> Any:
        if self._keys is None:
            return self._key
        import jwt  # noqa: PLC0415 - of the extra

        header = jwt.get_unverified_header(token)
        kid = header.get("kid")
        if header.get("alg") not in self._algorithms or not isinstance(kid, str) or not kid:
            raise CredentialError("the token names no key, or an algorithm that is not taken here")
        return await self._keys.find(kid)


def _check_algorithms(algorithms: Sequence[str], key: str | bytes | None) -> None:
    """`ConfigurationError` for what would let a public key pass for a secret, or a short one."""
    symmetric = [name for name in algorithms if name.startswith("HS")]
    unknown = [name for name in algorithms if name not in (*ASYMMETRIC, "HS256", "HS384", "HS512")]
    if unknown or not algorithms:
        known = ", ".join((*ASYMMETRIC, "HS256", "HS384", "HS512"))
        raise ConfigurationError(f"Jwt: algorithms={list(algorithms)}: give some of {known}")
    if not symmetric:
        return
    if key is None or len(symmetric) < len(algorithms):
        raise ConfigurationError(
            "Jwt: HS256 is for a secret key= alone, with no other kind beside it"
        )
    secret = key.encode() if isinstance(key, str) else key
    if len(secret) < _SECRET_BYTES_MIN or b"-----BEGIN" in secret:
        raise ConfigurationError("Jwt: a secret key= has 32 random bytes or more, and is no PEM")


def _reason(error: Exception) -> str:
    """What the caller may know: which check failed, and nothing of what was expected."""
    import jwt  # noqa: PLC0415 - of the extra

    reasons = {
        jwt.exceptions.ExpiredSignatureError: "the token has expired",
        jwt.exceptions.ImmatureSignatureError: "the token is not valid yet",
        jwt.exceptions.InvalidAudienceError: "the token is for another audience",
        jwt.exceptions.InvalidIssuerError: "the token is of another issuer",
        jwt.exceptions.InvalidAlgorithmError: "the token's algorithm is not taken here",
        jwt.exceptions.InvalidSignatureError: "the token's signature does not hold",
        jwt.exceptions.MissingRequiredClaimError: "the token lacks a claim that is needed here",
    }
    return next(
        (text for kind, text in reasons.items() if isinstance(error, kind)), "the token is no JWT"
    )

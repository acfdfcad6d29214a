"""Standard Webhooks: the headers by which a receiver knows who has sent a body, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook


def signed_headers(
    secrets: Sequence[str], message_id: str, body: str, now: float
) -> Mapping[str, str]:
    """Of this body, at this time; one signature for each secret, so that they can be rotated."""
    moment = datetime.fromtimestamp(int(now), UTC)
    signatures = [Webhook(secret).sign(message_id, moment, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": " ".join(signatures),
    }

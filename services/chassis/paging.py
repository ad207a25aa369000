# SPDX-License-Identifier: Apache-2.0
"""Page tokens: the place to go on from, under a MAC, so that none can be made up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence

from services.chassis.refusal import FieldViolation, InvalidArgument

_MAC_BYTES = 16


class PageTokens:
    """Makes and opens page tokens with a secret of the service."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, scope: str, place: Sequence[str | int]) -> str:
        """A token for the row after `place`, valid for the same `scope` only.

        `scope` binds the list and its filters, such as ``claims|demo|RECEIVED``.
        """
        body = json.dumps(list(place), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(scope, body) + body).decode().rstrip("=")

    def open(self, scope: str, token: str) -> list[str | int] | None:
        """The place in a token; None for an empty token. Raises InvalidArgument."""
        if not token:
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            genuine = hmac.compare_digest(mac, self._mac(scope, body))
            place = json.loads(body) if genuine else None
        except ValueError:
            place = None
        if not isinstance(place, list):
            raise InvalidArgument(
                fields=[
                    FieldViolation(
                        "pageToken", "page_token", "not a token of this list; start without one"
                    )
                ]
            )
        return place

    def _mac(self, scope: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, scope.encode() + b"\0" + body, hashlib.sha256)[:_MAC_BYTES]


def page_size(asked: int, default: int, most: int) -> int:
    """The size of a page. Raises InvalidArgument for a negative or too large wish."""
    if asked == 0:
        return default
    if not 0 < asked <= most:
        raise InvalidArgument(fields=[FieldViolation("pageSize", "range", f"from 1 to {most}")])
    return asked

# SPDX-License-Identifier: Apache-2.0
"""Keeps the vault's public sealing key here, so that data are taken while the vault is away."""

from collections.abc import Callable

from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.refusal import Refusal
from services.chassis.sealed import store
from services.chassis.sealed.document import SealingKey
from services.chassis.sealing import PUBLIC_KEY_BYTES

_FETCH_SECONDS = 2.0
# Until the vault was reached nothing personal can be taken; after that a rotation may wait.
_SOON_SECONDS, _LATER_SECONDS = 0.2, 30.0


class SealingKeyKeeper:
    """Asks for the key at start, and again now and then."""

    def __init__(
        self, database: Database, fetch: Callable[[float], SealingKey], clock: Clock
    ) -> None:
        self._database = database
        self._fetch = fetch
        self._clock = clock

    def round(self) -> float:
        """Ask once; returns the seconds until the next time. Raises ValueError for a bad key."""
        try:
            key = self._fetch(_FETCH_SECONDS)
        except Refusal:
            return _SOON_SECONDS
        if len(key.public_key) != PUBLIC_KEY_BYTES:
            raise ValueError("the vault's sealing key is no X25519 key")
        with self._database.transaction() as connection:
            if store.current_key(connection) != key:
                store.keep_key(connection, key, self._clock.now())
        return _LATER_SECONDS

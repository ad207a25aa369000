# SPDX-License-Identifier: Apache-2.0
"""Keys in the clear held in memory: few, and not for long."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from services.vault.secret_key import SecretKey

LONGEST_SECONDS = 60.0


class KeyCache:
    """A bounded map of unwrapped keys, each forgotten `seconds` after it was put. Thread-safe.

    `seconds` is at most 60 (threat T19); 0 keeps nothing. `monotonic` tells seconds that never
    run backwards.
    """

    def __init__(self, capacity: int, seconds: float, monotonic: Callable[[], float]) -> None:
        if not 0 <= seconds <= LONGEST_SECONDS:
            raise ValueError(f"unwrapped keys are kept 0 to {LONGEST_SECONDS:.0f} seconds")
        self._capacity = capacity
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, tuple[float, SecretKey]] = OrderedDict()

    def get(self, name: str) -> SecretKey | None:
        with self._lock:
            until, key = self._keys.get(name, (0.0, None))
            if key is None or self._monotonic() >= until:
                self._keys.pop(name, None)
                return None
            self._keys.move_to_end(name)
            return key

    def put(self, name: str, key: SecretKey) -> None:
        if self._seconds == 0:
            return
        with self._lock:
            self._keys[name] = (self._monotonic() + self._seconds, key)
            self._keys.move_to_end(name)
            while len(self._keys) > self._capacity:
                self._keys.popitem(last=False)

    def forget(self, name: str) -> None:
        with self._lock:
            self._keys.pop(name, None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._keys)

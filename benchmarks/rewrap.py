# SPDX-License-Identifier: Apache-2.0
"""Every data key under another epoch: what a rotation of epochs does, without its pauses."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.bulk import Stores
from services.chassis.clock import SystemClock
from services.chassis.metrics import Metrics
from services.vault.rotation import Rotations
from services.vault.rotation_walk import Pace, Progress


def rewrap_rate(stores: Stores, advance: Callable[[int], None]) -> float:
    """Keys rewrapped per second, the whole rotation through."""
    rotations = Rotations(
        stores.vault, stores.keys, stores.provider, SystemClock(), Metrics(), Pace()
    )
    moved: list[int] = []

    def told(progress: Progress) -> None:
        moved.append(progress.rewrapped)
        advance(progress.rewrapped)

    begun = time.perf_counter()
    rotations.rotate_epoch(told)
    return moved[-1] / (time.perf_counter() - begun)

# SPDX-License-Identifier: Apache-2.0
"""A round that is run again and again beside the server, whatever goes wrong in it."""

import threading
from collections.abc import Callable
from typing import Any

from services.chassis.metrics import Metrics

_AFTER_DEFECT_SECONDS = 1.0
_STOP_SECONDS = 4.0


class Rounds:
    """A thread that runs `round_` for ever; it returns the seconds until the next one."""

    def __init__(self, name: str, round_: Callable[[], float], metrics: Metrics, log: Any) -> None:
        self._name = name
        self._round = round_
        self._metrics = metrics
        self._log = log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present round."""
        self._stop.set()
        self._thread.join(timeout=_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                pause = self._round()
            except Exception as error:  # noqa: BLE001 - the work is still there, the alarm says so
                self._metrics.alarms.labels(self._name).inc()
                self._log.error("round failed", topic=self._name, error=type(error).__name__)
                pause = _AFTER_DEFECT_SECONDS
            self._stop.wait(pause)

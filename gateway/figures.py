# SPDX-License-Identifier: Apache-2.0
"""What is measured and logged of a request: names of the contract, never values of a caller."""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from services.chassis.metrics import Metrics

NO_ROUTE = "none"
_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Figures:
    """The gateway's counters, and its log of one line per request."""

    def __init__(self, metrics: Metrics, log: Any) -> None:
        self._log = log
        self._alarms = metrics.alarms
        self._requests = Counter(
            "qupia_http_requests_total",
            "HTTP requests by route template and status.",
            ("route", "status"),
            registry=metrics.registry,
        )
        self._seconds = Histogram(
            "qupia_http_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=metrics.registry,
        )
        self.running = Gauge(
            "qupia_http_requests_running",
            "HTTP requests that are being answered.",
            registry=metrics.registry,
        )

    def answered(
        self, route: str, rpc: str, status: int, reason: str, reference: str, seconds: float
    ) -> None:
        """Note an answer; `reason` is OK or the reason of the refusal."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        self._log.info(
            "request",
            route=route,
            method=rpc,
            status=status,
            reason=reason,
            reference=reference,
            milliseconds=round(seconds * 1000, 1),
        )

    def defect(self, error: Exception, reference: str) -> None:
        """Note an exception that nobody foresaw: its type and place, never its text."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame else "unknown"
        self._alarms.labels("INTERNAL").inc()
        self._log.error("defect", error=type(error).__name__, where=where, reference=reference)

# SPDX-License-Identifier: Apache-2.0
"""Sees to it that bad input leaves a suite as it was: alive, without a defect, nothing stored."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.settings import PROCESSES
from tests.chaos.books import sizes
from tests.harness.suite import Suite

_BOOKS = ("consent", "vault", "disclosure", "claims", "gateway")


@contextmanager
def unmoved(suite: Suite) -> Iterator[None]:
    """Within, no process ends, none logs a defect, and all serve afterwards."""
    pids, logs = _pids(suite), _logs(suite)
    read = {log: log.stat().st_size for log in logs}
    yield
    assert _pids(suite) == pids
    assert suite.healthy()
    for log in logs:
        with log.open("rb") as written:
            written.seek(read[log])
            assert b'"defect"' not in written.read(), f"{log.stem} has logged a defect"


@contextmanager
def nothing_stored(suite: Suite) -> Iterator[None]:
    """Within, nothing is written but refusals; and as `unmoved`."""
    with unmoved(suite):
        before = {book: sizes(suite, book) for book in _BOOKS}
        yield
        assert {book: sizes(suite, book) for book in _BOOKS} == before


def _pids(suite: Suite) -> Mapping[str, int]:
    processes = suite.state["processes"]
    return {process: processes[process]["pid"] for process in PROCESSES}


def _logs(suite: Suite) -> list[Path]:
    processes = suite.state["processes"]
    return [Path(processes[process]["log"]) for process in PROCESSES]

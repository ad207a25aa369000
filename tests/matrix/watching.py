# SPDX-License-Identifier: Apache-2.0
"""Sees to it that bad input leaves a suite as it was: alive, without a defect, nothing stored."""

from collections.abc import Iterator
from contextlib import contextmanager

from cli.settings import PROCESSES
from tests.chaos.books import sizes
from tests.harness.suite import Suite

_BOOKS = ("consent", "vault", "disclosure", "claims", "gateway")


def defects(suite: Suite) -> int:
    """How often a process has logged something that nobody foresaw."""
    return sum(suite.log(process).count('"defect"') for process in PROCESSES)


@contextmanager
def unmoved(suite: Suite) -> Iterator[None]:
    """Within, no process ends, none logs a defect, and all serve afterwards."""
    pids = {process: suite.pid(process) for process in PROCESSES}
    before = defects(suite)
    yield
    assert {process: suite.pid(process) for process in PROCESSES} == pids
    assert suite.healthy()
    assert defects(suite) == before, "a process has logged a defect"


@contextmanager
def nothing_stored(suite: Suite) -> Iterator[None]:
    """Within, nothing is written but refusals; and as `unmoved`."""
    with unmoved(suite):
        before = {book: sizes(suite, book) for book in _BOOKS}
        yield
        assert {book: sizes(suite, book) for book in _BOOKS} == before

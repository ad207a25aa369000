# SPDX-License-Identifier: Apache-2.0
"""Walking through sorted rows side by side, so that nothing is ever held whole in memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, TypeVar

L = TypeVar("L")
R = TypeVar("R")
T = TypeVar("T")


class OutOfOrder(Exception):
    """Rows did not come in the order of their keys: nothing can be said of them."""


def matched(
    left: Iterable[L],
    right: Iterable[R],
    left_key: Callable[[L], Any],
    right_key: Callable[[R], Any],
) -> Iterator[tuple[L | None, R | None]]:
    """Pairs of rows with the same key; None on the side that lacks it.

    Both sides ascend by their key, and no side has a key twice. Raises OutOfOrder.
    """
    lefts, rights = _ascending(left, left_key), _ascending(right, right_key)
    first, second = next(lefts, None), next(rights, None)
    while first is not None or second is not None:
        if second is None or (first is not None and first[0] < second[0]):
            assert first is not None
            yield first[1], None
            first = next(lefts, None)
        elif first is None or second[0] < first[0]:
            yield None, second[1]
            second = next(rights, None)
        else:
            yield first[1], second[1]
            first, second = next(lefts, None), next(rights, None)


def gathered(rows: Iterable[T], key: Callable[[T], Any]) -> Iterator[tuple[Any, list[T]]]:
    """Neighbours with the same key, as (key, rows)."""
    for value, members in groupby(rows, key):
        yield value, list(members)


def chunked(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of at most `size`."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


@dataclass(frozen=True, slots=True)
class Reference:
    """A row of `table` that names the row `target` of another one."""

    table: str
    key: tuple[tuple[str, str], ...]
    target: str


def dangling(references: Iterable[Reference], targets: Iterable[str]) -> Iterator[Reference]:
    """The references whose target is not among `targets`; both ascend by target.

    Targets may repeat. Raises OutOfOrder.
    """
    named = gathered(references, lambda reference: reference.target)
    there = gathered(targets, lambda target: target)
    for reference, target in matched(named, there, lambda g: g[0], lambda g: g[0]):
        if reference is not None and target is None:
            yield from reference[1]


def _ascending(rows: Iterable[T], key: Callable[[T], Any]) -> Iterator[tuple[Any, T]]:
    before: Any = None
    for row in rows:
        present = key(row)
        if before is not None and present <= before:
            raise OutOfOrder
        before = present
        yield present, row

# SPDX-License-Identifier: Apache-2.0
"""Columns of values for a statement, as PostgreSQL's own arrays in binary.

psycopg's lists choose a dumper for every element. Here the type is known, so a
thousand values cost one pass; the statement keeps one shape whatever their number.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct("!iIIii")  # dimensions, has nulls, type, length, first index
_LENGTH = struct.Struct("!i").pack
_NULL = _LENGTH(-1)
_TRUE, _FALSE = _LENGTH(1) + b"\1", _LENGTH(1) + b"\0"
_YEAR_2000, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_DAY_2000 = _YEAR_2000.toordinal()
_INT4, _INT8 = struct.Struct("!ii").pack, struct.Struct("!iq").pack


class Array(ABC):
    """The values of one column. `kind` is the type of an element, `array` that of the whole."""

    kind: ClassVar[int]
    array: ClassVar[int]

    __slots__ = ("values",)

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = values if isinstance(values, list | tuple) else list(values)

    @abstractmethod
    def elements(self) -> list[bytes]:
        """Each element's length and bytes."""

    def dump(self) -> bytes:
        """The array as PostgreSQL receives it."""
        if not self.values:
            return _HEADER.pack(0, 0, self.kind, 0, 0)[:12]
        head = _HEADER.pack(1, 1, self.kind, len(self.values), 1)
        return head + b"".join(self.elements())


class Texts(Array):
    """A column of text; no value may hold U+0000."""

    kind, array = 25, 1009
    __slots__ = ()

    def elements(self) -> list[bytes]:
        """UTF-8."""
        return [_LENGTH(len(each)) + each for each in map(str.encode, self.values)]


class Blobs(Array):
    """A column of bytes."""

    kind, array = 17, 1001
    __slots__ = ()

    def elements(self) -> list[bytes]:
        """The bytes as they are."""
        return [_LENGTH(len(each)) + each for each in self.values]


class Integers(Array):
    """A column of 32-bit integers."""

    kind, array = 23, 1007
    __slots__ = ()

    def elements(self) -> list[bytes]:
        """Four bytes each."""
        return [_INT4(4, each) for each in self.values]


class BigIntegers(Array):
    """A column of 64-bit integers."""

    kind, array = 20, 1016
    __slots__ = ()

    def elements(self) -> list[bytes]:
        """Eight bytes each."""
        return [_INT8(8, each) for each in self.values]


class Booleans(Array):
    """A column of truth values."""

    kind, array = 16, 1000
    __slots__ = ()

    def elements(self) -> list[bytes]:
        """One byte each."""
        return [_TRUE if each else _FALSE for each in self.values]


class Instants(Array):
    """A column of aware times; None where there is none."""

    kind, array = 1184, 1185
    __slots__ = ()

    def elements(self) -> list[bytes]:
        """Microseconds since the year 2000."""
        return [
            _NULL if each is None else _INT8(8, (each - _YEAR_2000) // _MICROSECOND)
            for each in self.values
        ]


class Dates(Array):
    """A column of days."""

    kind, array = 1082, 1182
    __slots__ = ()

    def elements(self) -> list[bytes]:
        """Days since the first of the year 2000."""
        return [_INT4(4, each.toordinal() - _DAY_2000) for each in self.values]


def _dumper(kind: type[Array]) -> type[Dumper]:
    def dump(_: Dumper, value: Array) -> bytes:
        return value.dump()

    members = {"oid": kind.array, "format": Format.BINARY, "dump": dump}
    return type(f"{kind.__name__}Dumper", (Dumper,), members)


for _kind in (Texts, Blobs, Integers, BigIntegers, Booleans, Instants, Dates):
    psycopg.adapters.register_dumper(_kind, _dumper(_kind))

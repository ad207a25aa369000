# SPDX-License-Identifier: Apache-2.0
"""What a check is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cli.consistency.fault import Fault
from cli.consistency.records import Records


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the records; `holds` says in words what is to hold."""

    name: str
    holds: str
    find: Callable[[Records], Iterator[Fault]]

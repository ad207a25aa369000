# SPDX-License-Identifier: Apache-2.0
"""The client's own book: every acknowledged act, on disk before the client goes on (I5, I6)."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

# What an answer names for ever; states and times may go on.
_LASTING = ("actId", "subjectId", "orderId", "deliveryId", "claimId", "number", "sha256")


@dataclass(frozen=True)
class Acknowledged:
    """A mutating request that was answered 200, under its Idempotency-Key."""

    who: str
    path: str
    verb: str
    key: str
    body: Any
    names: Mapping[str, str]


class Journal:
    """A file with one line per acknowledged act."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a", encoding="utf-8")

    def write(self, acknowledged: Acknowledged) -> None:
        """Note an act; it is on disk when this returns."""
        self._file.write(json.dumps(asdict(acknowledged), ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def read(self) -> list[Acknowledged]:
        """All acts in their order."""
        lines = self._path.read_text("utf-8").splitlines()
        return [Acknowledged(**json.loads(line)) for line in lines]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def lasting_names(document: Mapping[str, Any]) -> dict[str, str]:
    """The names in an answer that a repeat has to give again."""
    return dict(_found(document, ""))


def _found(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        if name in _LASTING:
            yield f"{at}{name}", str(member)
        yield from _found(member, f"{at}{name}.")

# SPDX-License-Identifier: Apache-2.0
"""A mapping that can be printed by accident without telling anything."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)


class Concealed(Mapping[K, V_co], Generic[K, V_co]):
    """An immutable mapping whose `repr` shows its keys and no value."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[K, V_co]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: K) -> V_co:
        return self._values[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Concealed({', '.join(str(key) for key in self._values)})"

# SPDX-License-Identifier: Apache-2.0
"""What a check finds: a row that does not agree with the others."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Fault:
    """One disagreement. `key` holds ids only, `what` is a fixed text.

    A warning is nothing that breaks a promise; somebody should look at it all the same.
    """

    database: str
    table: str
    key: tuple[tuple[str, str], ...]
    what: str
    warning: bool = False

    @classmethod
    def of(cls, database: str, table: str, what: str, /, **key: object) -> Self:
        """The fault of the row with these key columns."""
        return cls(database, table, tuple((name, str(value)) for name, value in key.items()), what)

    @classmethod
    def warn(cls, database: str, table: str, what: str, /, **key: object) -> Self:
        """The same, as a warning."""
        columns = tuple((name, str(value)) for name, value in key.items())
        return cls(database, table, columns, what, warning=True)

    def __str__(self) -> str:
        columns = ", ".join(f"{name}={value}" for name, value in self.key)
        return f"{self.database}.{self.table} ({columns}): {self.what}"

    def document(self) -> dict[str, object]:
        """The fault as a JSON object."""
        return {
            "database": self.database,
            "table": self.table,
            "key": dict(self.key),
            "what": self.what,
        }

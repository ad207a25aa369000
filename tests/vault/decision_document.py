# SPDX-License-Identifier: Apache-2.0
"""docs/decisions.md as tables: what a lawyer reads, so that a test can ask it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.vault.fields import NAME_FIELDS, TECHNICAL_FIELDS, Field

DOCUMENT = Path(__file__).parents[2] / "docs" / "decisions.md"
NONE, DASH, OF_THE_PURPOSE = "none", "–", "of the purpose"

_DATA = {
    "name": NAME_FIELDS,
    "phone": frozenset({Field.PHONE}),
    "email": frozenset({Field.EMAIL}),
    "address": frozenset({Field.ADDRESS}),
    "purchases": frozenset({Field.PURCHASES}),
    "technical": TECHNICAL_FIELDS,
    "nothing": frozenset(),
}

Findings = Mapping[str, str]
Row = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What a row answers; `number` is the row's own."""

    number: str
    reason: str
    clause: str


class Document:
    """The page, by its headings."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tables: dict[str, list[list[Row]]] = {}
        heading = ""
        lines: list[str] = []
        for line in [*text.splitlines(), ""]:
            if line.startswith("#"):
                heading = line.lstrip("# ")
            if line.startswith("|"):
                lines.append(line)
            elif lines:
                self._tables.setdefault(heading, []).append(list(_rows(lines)))
                lines = []

    @classmethod
    def read(cls) -> "Document":
        """The page as it is in the tree."""
        return cls(DOCUMENT.read_text("utf-8"))

    @property
    def rules_version(self) -> int:
        """The rules version it describes."""
        line = next(x for x in self._text.splitlines() if x.startswith("Rules version:"))
        return int(line.partition(":")[2])

    def table(self, heading: str, number: int = 0) -> list[Row]:
        """A table below a heading. Raises KeyError."""
        return self._tables[heading][number]

    def vocabulary(self) -> set[tuple[str, str]]:
        """Every (looked at, finding) that has a meaning."""
        return {(r["looked at"], r["finding"]) for r in self.table("What is looked at")}


def _rows(lines: list[str]) -> Iterator[Row]:
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    for row in cells[2:]:
        yield dict(zip(cells[0], row, strict=True))


def data_of(cell: str) -> frozenset[Field]:
    """The data a cell names. Raises KeyError for a word that is none."""
    return frozenset().union(*(_DATA[word.strip()] for word in cell.split(",")))


def answer(
    table: list[Row], findings: Findings, applies: Callable[[str], bool], purpose_clause: str
) -> Answer:
    """The first row that applies and whose finding is met. Raises LookupError where none is."""
    for row in table:
        looked_at = row["looked at"]
        met = looked_at == DASH or findings[looked_at] == row["finding"]
        if met and applies(row["applies to"]):
            clause = {DASH: "", OF_THE_PURPOSE: purpose_clause}.get(row["clause"], row["clause"])
            return Answer(row["#"], row["answer"], clause)
    raise LookupError(f"no row answers {dict(findings)}")

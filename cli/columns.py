# SPDX-License-Identifier: Apache-2.0
"""Which columns of a table fit a terminal, and how wide each is: ids and days are never broken.

Words break at spaces only. Where that is too wide, columns that are needed least are left out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its place among the cells of a row, its title, and the widths it may have."""

    at: int
    title: str
    least: int
    most: int


def columns_of(
    titles: Sequence[str], rows: Sequence[Sequence[str]], whole: Collection[str]
) -> list[Column]:
    """The columns of a table; a cell of one in `whole` stays on its line."""
    made = []
    for at, title in enumerate(titles):
        cells = [title, *(row[at] for row in rows)]
        most = max(cell_len(cell) for cell in cells)
        words = [cell_len(word) for cell in cells for word in cell.split()]
        made.append(Column(at, title, most if title in whole else max(words, default=0), most))
    return made


def without_spare(columns: Sequence[Column], spare: Sequence[str], width: int) -> list[Column]:
    """The columns that fit; those of `spare` go in its order, and no more than have to."""
    kept = list(columns)
    for title in spare:
        if _least(kept) <= width:
            break
        kept = [column for column in kept if column.title != title]
    return kept


def widths(columns: Sequence[Column], width: int) -> list[int] | None:
    """How wide each column is, what is over going to the first; None where they do not fit."""
    over = width - _least(columns)
    if over < 0:
        return None
    found = []
    for column in columns:
        more = min(column.most - column.least, over)
        found.append(column.least + more)
        over -= more
    return found


def _least(columns: Sequence[Column]) -> int:
    return sum(column.least for column in columns) + GAP * (len(columns) - 1)

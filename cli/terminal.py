# SPDX-License-Identifier: Apache-2.0
"""What officers' commands print: results on stdout, as tables or as JSON; the rest on stderr.

A table fits the terminal, with ids and days unbroken; into a pipe it is written in full width.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from cli.columns import GAP, columns_of, widths, without_spare

LOCAL = ZoneInfo("Asia/Almaty")
"""The zone of the law's days."""
_PIPE_WIDTH = 1000


class Bar:
    """A progress bar; shows nothing where stderr is no terminal or JSON was asked for."""

    def __init__(self, shown: RichProgress | None, label: str, total: int | None) -> None:
        self._shown = shown
        self._task = None if shown is None else shown.add_task(label, total=total)

    def at(self, done: int, total: int | None = None, label: str | None = None) -> None:
        """So much is done."""
        if self._shown is None or self._task is None:
            return
        self._shown.update(self._task, completed=done)
        if total is not None:
            self._shown.update(self._task, total=total)
        if label is not None:
            self._shown.update(self._task, description=label)


class Terminal:
    """Where a command writes; with `as_json` stdout has one JSON document and nothing else."""

    def __init__(
        self, *, as_json: bool = False, out: Console | None = None, err: Console | None = None
    ) -> None:
        self.as_json = as_json
        self._out = out or Console(highlight=False)
        if not self._out.is_terminal:
            self._out.width = _PIPE_WIDTH
        self._err = err or Console(stderr=True, highlight=False)

    @property
    def is_wide(self) -> bool:
        """Whether long digests have room."""
        return self._out.width >= 160

    def result(self, document: object, lines: Sequence[tuple[str, object]] = ()) -> None:
        """One thing: its JSON document, or `lines` of name and value for people."""
        if self.as_json:
            self._json(document)
            return
        width = max((len(name) for name, _ in lines), default=0)
        for name, value in lines:
            line = Text.assemble((f"{name:<{width}}  ", "bold"), _cell(value))
            self._out.print(line, soft_wrap=True)

    def table(
        self,
        document: object,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        whole: Collection[str] = (),
        spare: Sequence[str] = (),
        empty: str = "There is none.",
    ) -> None:
        """Many things: a JSON document, or a table; a column whose title ends in # is of numbers
        (the # is not shown).

        Cells of columns in `whole` are never broken; those in `spare` are left out, the first
        first, where the terminal is too narrow for all.
        """
        if self.as_json:
            self._json(document)
            return
        if not rows:
            self.note(empty)
            return
        titles = [name.removesuffix("#") for name in columns]
        cells = [[_cell(cell) for cell in row] for row in rows]
        all_ = columns_of(titles, [[cell.plain for cell in row] for row in cells], whole)
        kept = without_spare(all_, spare, self._out.width)
        fitting = widths(kept, self._out.width)
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
        for place, column in enumerate(kept):
            table.add_column(
                column.title,
                justify="right" if columns[column.at].endswith("#") else "left",
                overflow="fold",
                width=fitting[place] if fitting else None,
            )
        for row in cells:
            table.add_row(*(row[column.at] for column in kept))
        self._out.print(table)
        if len(kept) < len(all_):
            left = [column.title for column in all_ if column not in kept]
            self.warn(f"Too narrow for: {', '.join(left)}.")

    def note(self, text: str) -> None:
        """A word for people; none where JSON was asked for."""
        if not self.as_json:
            self._out.print(Text(text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """A word on stderr, in any case."""
        self._err.print(Text(text, "yellow"), soft_wrap=True)

    def complain(self, text: str, document: Mapping[str, object] | None = None) -> None:
        """Why it was not done, on stderr: words, or the problem's document."""
        if self.as_json and document is not None:
            self._err.print(json.dumps(document, ensure_ascii=False), soft_wrap=True, markup=False)
        else:
            self._err.print(Text(text), soft_wrap=True)

    @contextmanager
    def progress(self, label: str, total: int | None = None) -> Iterator[Bar]:
        """A bar on stderr for work that takes long."""
        if self.as_json or not self._err.is_terminal:
            yield Bar(None, label, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=self._err, transient=True) as shown:
            yield Bar(shown, label, total)

    def _json(self, document: object) -> None:
        self._out.print(
            json.dumps(document, ensure_ascii=False, indent=1), soft_wrap=True, markup=False
        )


def _cell(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def local_time(stamp: object) -> str:
    """A timestamp of the contract as people of Almaty read it; empty where there is none."""
    if not stamp:
        return ""
    return datetime.fromisoformat(str(stamp)).astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S %z")

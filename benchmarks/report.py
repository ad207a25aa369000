# SPDX-License-Identifier: Apache-2.0
"""The table of a run: every figure beside its aim, the echo of the same minutes, and the CPU."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Round


@dataclass(frozen=True, slots=True)
class Figure:
    """One line. `met` is None where there is no aim."""

    name: str
    measured: str
    aim: str = ""
    met: bool | None = None
    echo: float | None = None
    cpu: Sequence[float] = ()
    note: str = ""
    failures: int = 0


def middle(rounds: Sequence[Round]) -> Round:
    """The medians of rounds."""
    return Round(
        statistics.median(each.rate for each in rounds),
        statistics.median(each.p50 for each in rounds),
        statistics.median(each.p99 for each in rounds),
        [statistics.median(column) for column in zip(*(r.cpu for r in rounds), strict=True)],
        sum(each.failures for each in rounds),
    )


def against(rounds: Sequence[Round], echoes: Sequence[Round]) -> tuple[float, float, float]:
    """(median, least, greatest) ratio of rounds to the echo rounds that they alternated with."""
    ratios = [each.rate / echo.rate for each, echo in zip(rounds, echoes, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def show(figures: Sequence[Figure], conditions: str) -> None:
    """Print the table."""
    console = Console(width=max(150, Console().width))
    table = Table(title=conditions)
    for name in ("figure", "measured", "aim", "", "of the echo", "CPU ms: vault", "PostgreSQL"):
        table.add_column(name, justify="left" if name in ("figure", "aim", "") else "right")
    for figure in figures:
        sign = "" if figure.met is None else ("met" if figure.met else "missed")
        vault, postgres = ([f"{each:.3f}" for each in figure.cpu] + ["", ""])[:2]
        echo = f"{figure.echo:.2f}" if figure.echo is not None else ""
        table.add_row(figure.name, figure.measured, figure.aim, sign, echo, vault, postgres)
    console.print(table)
    for figure in figures:
        if figure.note:
            console.print(f"{figure.name}: {figure.note}")

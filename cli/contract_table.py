# SPDX-License-Identifier: Apache-2.0
"""`qupia contract`: every RPC with its route, callers, evidence and clauses, from the contract."""

from collections.abc import Iterator, Sequence

from services.chassis.contract import Method, load_contract

HEADINGS = ("route", "RPC", "callers", "evidence", "clauses")


def rows() -> Sequence[tuple[str, ...]]:
    """The table's rows, by process and route."""
    methods = load_contract().methods.values()
    order = sorted(methods, key=lambda m: (m.http is None, m.process, _route(m), m.path))
    return [
        (
            _route(m),
            f"{m.service.rpartition('.')[2]}.{m.name}",
            _callers(m),
            m.evidence,
            " ".join(m.clauses),
        )
        for m in order
    ]


def lines() -> Iterator[str]:
    """The table as text, columns aligned."""
    table = [HEADINGS, *rows()]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _route(method: Method) -> str:
    return f"{method.http.verb} {method.http.path}" if method.http else "gRPC"


def _callers(method: Method) -> str:
    if method.roles is not None:
        return " ".join(sorted(method.roles))
    if method.any_caller:
        return "anyone with a credential"
    return "process " + " ".join(sorted(method.peers))

# SPDX-License-Identifier: Apache-2.0
"""The table clause → RPC → test, made from the contract and the tests' own marks.

A test says which rule it proves with the rule's id (T-5.2-a) in its docstring.
`python -m cli.clauses` writes the table into docs/architecture.md.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.chassis.contract import load_contract

_RULE = re.compile(r"T-(\d+(?:\.\d+)*)-[a-z]")
_BEGIN, _END = "<!-- clauses: begin -->", "<!-- clauses: end -->"
_ROOT = Path(__file__).parent.parent
DOCUMENT = _ROOT / "docs" / "architecture.md"


def clause_table(root: Path = _ROOT) -> str:
    """The table in Markdown, clauses in the order of the policy."""
    calls = _calls()
    tests = _tests(root / "tests")
    lines = ["| clause | RPCs | tests |", "|---|---|---|"]
    for clause in sorted(calls.keys() | tests.keys(), key=_order):
        rpcs = ", ".join(calls.get(clause, ["–"]))
        proofs = "<br>".join(tests.get(clause, ["–"]))
        lines.append(f"| {clause} | {rpcs} | {proofs} |")
    return "\n".join(lines)


def with_table(text: str, table: str) -> str:
    """The document with the table between its two marks. Raises ValueError without marks."""
    begin, end = text.index(_BEGIN) + len(_BEGIN), text.index(_END)
    return f"{text[:begin]}\n{table}\n{text[end:]}"


def _calls() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for method in load_contract().methods.values():
        for clause in method.clauses:
            if clause[0].isdigit():
                found[clause].append(method.name)
    return {clause: sorted(set(names)) for clause, names in found.items()}


def _tests(folder: Path) -> Mapping[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.rglob("test_*.py")):
        for name, text in _functions(path):
            for match in _RULE.finditer(text):
                found[match[1]].add(f"{match[0]} `{name}`")
    return {clause: sorted(names) for clause, names in found.items()}


def _functions(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""


def _order(clause: str) -> list[int]:
    return [int(part) for part in clause.split(".")]


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), clause_table()))

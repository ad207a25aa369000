# SPDX-License-Identifier: Apache-2.0
"""Which modules stand behind a clause, read from the code itself.

Three signs, none of which is kept in a list: the module that handles an RPC of the clause (a
method of the RPC's name that takes a call), a module that gives the clause as the ground of what
it decides (the clause is a string in it), and a module whose docstrings name the clause.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_FOLDERS = ("services", "gateway")
_CLAUSE = re.compile(r"\d+(?:\.\d+)+")
_MENTION = re.compile(r"\bclauses? ((?:\d+(?:\.\d+)*(?:, | and | to )?)+)")
_LEFT_OUT = {"migrations", "__pycache__"}


@dataclass(frozen=True)
class ClauseCode:
    """The modules of a checkout at `root`; paths are relative to it."""

    root: Path

    def behind(self, clause: str, rpcs: frozenset[tuple[str, str]]) -> list[str]:
        """The modules behind a clause that these RPCs serve, as (process, name)."""
        handling = {self._handlers[rpc] for rpc in rpcs if rpc in self._handlers}
        return sorted(handling | self._naming.get(clause, set()))

    @cached_property
    def _handlers(self) -> Mapping[tuple[str, str], str]:
        """Where an RPC is handled, by process and name."""
        found: dict[tuple[str, str], str] = {}
        for name, tree in self._modules.items():
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef) and _takes_a_call(function):
                    found[name.split("/")[1], _rpc(function.name)] = name
        return found

    @cached_property
    def _naming(self) -> Mapping[str, set[str]]:
        """The modules that name a clause, as a string or in a docstring."""
        found: dict[str, set[str]] = {}
        for name, tree in self._modules.items():
            for clause in {*_literals(tree), *_mentioned(tree)}:
                found.setdefault(clause, set()).add(name)
        return found

    @cached_property
    def _modules(self) -> Mapping[str, ast.Module]:
        return {
            str(path.relative_to(self.root)): ast.parse(path.read_text("utf-8"))
            for folder in _FOLDERS
            for path in sorted((self.root / folder).rglob("*.py"))
            if not _LEFT_OUT & set(path.parts) and path.name != "__init__.py"
        }


def _takes_a_call(function: ast.FunctionDef) -> bool:
    return [each.arg.lstrip("_") for each in function.args.args[:2]] == ["self", "call"]


def _rpc(name: str) -> str:
    """The RPC that a handler of this name handles: store_data handles StoreData."""
    return "".join(word.capitalize() for word in name.split("_"))


def _literals(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _CLAUSE.fullmatch(text):
            yield text


def _mentioned(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for match in _MENTION.finditer(ast.get_docstring(node) or ""):
                yield from re.findall(r"\d+(?:\.\d+)*", match[1])

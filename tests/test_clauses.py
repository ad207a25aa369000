# SPDX-License-Identifier: Apache-2.0
"""Every rule of the policy is proven or said to be open, and the table in the docs tells which."""

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from cli.clauses import DOCUMENT, clause_table, with_table
from tests.policy.rules import OPEN, PARTLY, RULES

POLICY = Path(__file__).parent / "policy"
# The issues that bring what is missing; 2 is the foundation.
ISSUES = {2, 3, 4, 5}
_RULE = re.compile(r"T-\d+(?:\.\d+)*-[a-z]")
_MODULE = re.compile(r"test_clause_(\d+(?:_\d+)*)(?:_[a-z]+)?\.py")
# Beside the clauses: articles of the law, which have no rule ids of their own.
_LAW = "test_law_"


@cache
def _proofs() -> Mapping[str, set[Path]]:
    """The rules that tests name in their docstrings, with the modules of those tests."""
    found = defaultdict(set)
    for path in Path(__file__).parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for rule in _RULE.findall(ast.get_docstring(node) or ""):
                    found[rule].add(path)
    return found


def _modules() -> list[Path]:
    return [path for path in POLICY.glob("test_*.py") if not path.name.startswith(_LAW)]


def test_every_rule_is_proven_or_open_and_none_is_both() -> None:
    proven = set(_proofs())
    assert proven <= RULES, "a test names a rule that the policy does not have"
    assert set(OPEN) <= RULES
    assert proven & set(OPEN) == set(), "what is proven is open no more"
    assert RULES - proven - set(OPEN) == set(), "neither proven nor said to be open"


def test_what_is_proven_partly_is_proven_at_least_partly() -> None:
    assert set(PARTLY) <= set(_proofs())


def test_what_is_missing_is_said_and_has_an_issue() -> None:
    for missing in (*OPEN.values(), *PARTLY.values()):
        assert missing.what
        assert missing.issue in ISSUES


def test_every_clause_has_a_module_of_its_own_that_proves_its_rules() -> None:
    modules = {path: _MODULE.fullmatch(path.name) for path in _modules()}
    for rule, paths in _proofs().items():
        clause = rule.split("-")[1]
        at_home = {p for p, m in modules.items() if m and m[1].replace("_", ".") == clause}
        at_home |= {path for path in paths if path.name.startswith(_LAW)}
        assert paths & at_home, f"{rule} is not proven in the module of clause {clause}"
    for path, match in modules.items():
        assert match, f"{path.name} is of no clause"
        named = {rule.split("-")[1] for rule, paths in _proofs().items() if path in paths}
        assert match[1].replace("_", ".") in named, path.name


def test_every_test_of_a_clause_names_its_rule() -> None:
    for path in _modules():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert _RULE.findall(ast.get_docstring(node) or ""), f"{path.name}: {node.name}"


def test_the_table_in_the_docs_is_up_to_date() -> None:
    text = DOCUMENT.read_text("utf-8")
    if text != with_table(text, clause_table()):
        pytest.fail(f"{DOCUMENT.name} is out of date: run `python -m cli.clauses`")

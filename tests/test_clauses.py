# SPDX-License-Identifier: Apache-2.0
"""Every rule of the policy is proven or said to be open, and docs/clauses.md tells which."""

import ast
import re
from pathlib import Path

import pytest

from cli.clause_code import ClauseCode
from cli.clauses import PAGE, RULES, clauses_page, proofs_of, rpcs_by_clause
from cli.policy_rules import RULE_ID, Rule, faults, load_rules
from services.chassis.contract import load_contract

TESTS = Path(__file__).parent
POLICY = TESTS / "policy"
_MODULE = re.compile(r"test_clause_(\d+(?:_\d+)*)(?:_[a-z]+)?\.py")
# Beside the clauses: articles of the law, which have no rule ids of their own.
_LAW = "test_law_"
# Each clause with the letters of its rules: the requirement, which nobody shortens by leaving a
# rule out of the file.
_LETTERED = (
    "0:a 1.1.1:ab 1.1.2:a 1.1.3:a 1.1.4:a 1.1.5:a 1.1.6:a 1.1.7:a "
    "2.1:abc 2.2:abc 2.3:ab 2.4:a "
    "3.1:a 3.2:ab 3.2.1:a 3.2.2:a 3.2.3:a 3.2.4:a 3.3:a 3.3.1:a 3.3.2:a 3.4:a "
    "4.1:ab 4.1.1:a 4.1.2:a 4.1.3:a 4.1.4:a 4.1.5:a 4.1.6:a 4.1.7:a 4.1.8:a 4.1.9:a 4.1.10:a "
    "4.1.11:a 4.1.12:a "
    "5.1:ab 5.2:abc 5.3:abc "
    "6.1.1:a 6.1.2:a 6.1.3:a 6.2.1:a 6.2.2:ab 6.2.3:abcde "
    "7.1:a 7.2:abc 7.3:a 8.1:ab 8.2:abcde 8.3:a 8.4:a 9.1:ab 9.2:abcd"
)
REQUIRED = {
    f"T-{clause}-{letter}"
    for clause, _, letters in (each.partition(":") for each in _LETTERED.split())
    for letter in letters
}
# The rules that may have no test yet, each said to be open in the file with the issue that brings
# it. The list only shrinks; a rule of clauses 1 to 4, 5.1, 6.1, 6.2.1, 6.2.3 or 9 leaves it with
# issue 3.
MAY_BE_OPEN: set[str] = set()


@pytest.fixture(scope="module")
def rules() -> dict[str, Rule]:
    return dict(load_rules(RULES))


@pytest.fixture(scope="module")
def proofs() -> dict[str, frozenset[str]]:
    return dict(proofs_of(TESTS))


@pytest.fixture(scope="module")
def code() -> ClauseCode:
    return ClauseCode(TESTS.parent)


def _modules() -> list[Path]:
    return [path for path in POLICY.glob("test_*.py") if not path.name.startswith(_LAW)]


def test_every_rule_of_the_policy_is_there(rules: dict[str, Rule]) -> None:
    assert rules.keys() == REQUIRED


def test_every_rule_is_proven_or_open_and_none_is_both(
    rules: dict[str, Rule], proofs: dict[str, frozenset[str]]
) -> None:
    said = {name for name, rule in rules.items() if rule.open}
    assert proofs.keys() <= rules.keys(), "a test names a rule that the policy does not have"
    assert proofs.keys() & said == set(), "what is proven is open no more"
    assert rules.keys() - proofs.keys() - said == set(), "neither proven nor said to be open"


def test_only_listed_rules_are_open(rules: dict[str, Rule]) -> None:
    assert {name for name, rule in rules.items() if rule.open} == MAY_BE_OPEN


def test_every_rule_is_shown_by_an_rpc_to_a_role_that_may_call_it(rules: dict[str, Rule]) -> None:
    """A rule that no interface can show is a gap in the contract."""
    assert list(faults(rules)) == []


def test_every_clause_has_a_test(rules: dict[str, Rule], proofs: dict[str, frozenset[str]]) -> None:
    proven = {rules[name].clause for name in proofs}
    may_be_open = {rules[name].clause for name in MAY_BE_OPEN}
    assert rpcs_by_clause(rules).keys() - proven - may_be_open == set(), "proven by nothing"


def test_every_clause_that_is_proven_has_code_behind_it(
    rules: dict[str, Rule], proofs: dict[str, frozenset[str]], code: ClauseCode
) -> None:
    rpcs = rpcs_by_clause(rules)
    proven = {rules[name].clause for name in proofs}
    bare = {clause for clause in proven if not code.behind(clause, rpcs[clause])}
    assert bare == set(), "no handler, ground or docstring of the code names it"


def test_every_rpc_has_a_handler_that_is_found(code: ClauseCode) -> None:
    for method in load_contract().methods.values():
        found = code.behind("", frozenset({(method.process, method.name)}))
        assert found, f"{method.path} is handled nowhere"


def test_every_clause_has_a_module_of_its_own_that_proves_its_rules(
    proofs: dict[str, frozenset[str]],
) -> None:
    for rule, tests in proofs.items():
        paths = {Path(test.partition("::")[0]) for test in tests}
        home = [_MODULE.fullmatch(p.name) for p in paths if p.parent.name == "policy"]
        clause = rule.split("-")[1]
        at_home = any(m and m[1].replace("_", ".") == clause for m in home)
        assert at_home or any(p.name.startswith(_LAW) for p in paths), (
            f"{rule} is not proven in the module of clause {clause}"
        )


def test_every_test_of_a_clause_names_its_rule() -> None:
    for path in _modules():
        match = _MODULE.fullmatch(path.name)
        assert match, f"{path.name} is of no clause"
        named = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found = RULE_ID.findall(ast.get_docstring(node) or "")
                assert found, f"{path.name}: {node.name}"
                named |= set(found)
        assert match[1].replace("_", ".") in named, path.name


def test_the_page_is_up_to_date() -> None:
    if PAGE.read_text("utf-8") != clauses_page():
        pytest.fail(f"{PAGE.name} is out of date: run `python -m cli.clauses`")

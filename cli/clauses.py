# SPDX-License-Identifier: Apache-2.0
"""The page docs/clauses.md: clause → RPCs → code → tests, and every rule with its RPCs and roles.

Made from the contract, the code, the tests' own marks and tests/policy/rules.toml. A test says
which rule it proves with the rule's id (T-5.2-a) in its docstring. Whoever adds an RPC, a test of
the policy or a rule runs `python -m cli.clauses`; `tests/test_clauses.py` fails until then. After
a rebase the page is made again, never merged.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cli.clause_code import ClauseCode
from cli.policy_rules import RULE_ID, Rule, load_rules
from services.chassis.contract import load_contract

_ROOT = Path(__file__).parent.parent
PAGE = _ROOT / "docs" / "clauses.md"
RULES = _ROOT / "tests" / "policy" / "rules.toml"
_HEAD = """# Clause by clause

What stands behind every clause of the policy, and what proves it. Made by `python -m cli.clauses`
from the contract (`protos/`), the code, the tests and `tests/policy/rules.toml`: do not edit it.
`tests/test_clauses.py` fails where a clause has no test, where a rule is neither proven nor said
to be open, where the contract lacks an RPC named here or does not let that role call it.
"""

Proofs = Mapping[str, frozenset[str]]


def clauses_page(root: Path = _ROOT) -> str:
    """The whole page in Markdown, clauses in the order of the policy."""
    rules, proofs = load_rules(RULES), proofs_of(root / "tests")
    return "\n".join(
        (
            _HEAD,
            "## The clauses",
            "",
            *_table(("clause", "RPCs", "code", "tests"), _clause_rows(root, rules, proofs)),
            "",
            "## The rules",
            "",
            *_table(("rule", "says", "RPCs and on whose behalf", "tests"), _rows(rules, proofs)),
            "",
        )
    )


def proofs_of(folder: Path) -> Proofs:
    """The tests that name a rule in their docstrings, as `module::test`, by the rule's id."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.rglob("test_*.py")):
        for name, text in _tests(path):
            for match in RULE_ID.finditer(text):
                found[match[0]].add(f"{path.relative_to(folder)}::{name}")
    return {rule: frozenset(names) for rule, names in found.items()}


def rpcs_by_clause(rules: Mapping[str, Rule]) -> Mapping[str, frozenset[tuple[str, str]]]:
    """The RPCs of a clause, as (process, name): those that serve it by the contract or show it."""
    found: dict[str, set[tuple[str, str]]] = {rule.clause: set() for rule in rules.values()}
    shown = [(rule.clause, rpc) for rule in rules.values() for rpc in rule.rpcs]
    for method in load_contract().methods.values():
        served = [clause for clause in method.clauses if clause[0].isdigit()]
        for clause in (*served, *(clause for clause, rpc in shown if rpc == method.name)):
            found.setdefault(clause, set()).add((method.process, method.name))
    return {clause: frozenset(rpcs) for clause, rpcs in found.items()}


def _clause_rows(
    root: Path, rules: Mapping[str, Rule], proofs: Proofs
) -> Iterator[tuple[str, ...]]:
    code = ClauseCode(root)
    for clause, rpcs in sorted(rpcs_by_clause(rules).items(), key=lambda item: _order(item[0])):
        own = [rule.rule_id for rule in rules.values() if rule.clause == clause]
        yield (
            clause,
            _cell(sorted({name for _, name in rpcs}), ", "),
            _cell(f"`{module}`" for module in code.behind(clause, rpcs)),
            _cell(f"{each} ({len(proofs.get(each, ())) or 'open'})" for each in own),
        )


def _rows(rules: Mapping[str, Rule], proofs: Proofs) -> Iterator[tuple[str, ...]]:
    for rule in rules.values():
        lacking = rule.open or rule.partly
        yield (
            rule.rule_id,
            rule.text + (f"<br>*lacks (issue {rule.issue}): {lacking}*" if lacking else ""),
            _cell(f"{rpc}: {', '.join(callers)}" for rpc, callers in rule.rpcs.items()),
            _cell(f"`{test.partition('::')[2]}`" for test in sorted(proofs.get(rule.rule_id, ()))),
        )


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _cell(items: Iterable[str], separator: str = "<br>") -> str:
    return separator.join(items) or "–"


def _tests(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""


def _order(clause: str) -> list[int]:
    return [int(part) for part in clause.split(".")]


if __name__ == "__main__":
    PAGE.write_text(clauses_page(), "utf-8")

# SPDX-License-Identifier: Apache-2.0
"""The rules of the policy (tests/policy/rules.toml), compared with what the contract declares."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.chassis.contract import Method, load_contract

RULE_ID = re.compile(r"T-(\d+(?:\.\d+)*)-[a-z]")
ANYONE = "anyone"
# The issues that bring what is missing; 2 is the foundation.
ISSUES = frozenset({2, 3, 4, 5})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it says, and the callers on whose behalf each RPC shows it.

    `open` is what is missing for the rule to be proven at all, `partly` what its tests do not
    show yet; both are empty where nothing is. `issue` brings it.
    """

    rule_id: str
    clause: str
    text: str
    rpcs: Mapping[str, tuple[str, ...]]
    open: str = ""
    partly: str = ""
    issue: int = 0


def load_rules(path: Path) -> Mapping[str, Rule]:
    """The rules by their ids, in the order of the file. Raises ValueError for what it is not."""
    return {name: _rule(name, entry) for name, entry in tomllib.loads(path.read_text()).items()}


def faults(rules: Mapping[str, Rule]) -> Iterator[str]:
    """Where a rule and the contract contradict each other, one sentence each."""
    methods: dict[str, list[Method]] = {}
    for method in load_contract().methods.values():
        methods.setdefault(method.name, []).append(method)
    for rule in rules.values():
        if not rule.open and not rule.rpcs:
            yield f"{rule.rule_id}: no interface shows it"
        for rpc, callers in rule.rpcs.items():
            if rpc not in methods:
                yield f"{rule.rule_id}: the contract has no {rpc}"
                continue
            allowed = frozenset().union(*(callers_of(method) for method in methods[rpc]))
            for caller in callers:
                if caller not in allowed:
                    yield f"{rule.rule_id}: {caller} may not call {rpc}"


def callers_of(method: Method) -> frozenset[str]:
    """On whose behalf an RPC may be called, in the words of the rules."""
    if method.roles is not None:
        return method.roles
    return frozenset({ANYONE}) if method.any_caller else method.peers


def _rule(name: str, entry: Mapping[str, object]) -> Rule:
    match = RULE_ID.fullmatch(name)
    unknown = entry.keys() - {"rule", "rpcs", "clause", "open", "partly", "issue"}
    rpcs = entry.get("rpcs", {})
    issue = entry.get("issue", 0)
    if match is None or unknown or not isinstance(rpcs, dict) or not isinstance(issue, int):
        raise ValueError(f"{name} is no rule: {', '.join(sorted(unknown)) or 'see its fields'}")
    rule = Rule(
        rule_id=name,
        clause=str(entry.get("clause", match[1])),
        text=str(entry.get("rule", "")),
        rpcs={rpc: tuple(str(callers).split()) for rpc, callers in rpcs.items()},
        open=str(entry.get("open", "")),
        partly=str(entry.get("partly", "")),
        issue=issue,
    )
    if not rule.text or not all(rule.rpcs.values()):
        raise ValueError(f"{name} says nothing, or not on whose behalf an RPC is called")
    if bool(rule.open or rule.partly) != (rule.issue in ISSUES) or (rule.open and rule.partly):
        raise ValueError(f"{name} is open or partly proven with an issue, or neither")
    return rule

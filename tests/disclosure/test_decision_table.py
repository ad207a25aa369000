# SPDX-License-Identifier: Apache-2.0
"""The broker's rules and the vault's together against docs/disclosures.md (I12, clause 6.2.2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from services.chassis.contract import reasons
from services.disclosure.order import OrderState
from services.disclosure.permission import (
    RULES,
    RULES_VERSION,
    STATE_BODY,
    Asked,
    Assignment,
    decide,
)
from services.disclosure.recipient import Kind, RecipientState, Validity
from services.disclosure.release import FIELDS
from services.vault import decide as vault
from services.vault.decide import RELEASED_FIELDS, Life, Operation, Permit, Question
from services.vault.fields import Field
from services.vault.policy_schedule import PolicySchedule
from services.vault.standing import RecipientKind, Standing
from tests.vault import decision_world as world
from tests.vault.decision_document import DASH, Answer, Document, answer, data_of

DOCUMENT = Document((Path(__file__).parents[2] / "docs" / "disclosures.md").read_text("utf-8"))
ROWS = DOCUMENT.table("May it leave?")
PAIRS = {
    (row["recipient"], row["ground"]): row["clause"]
    for row in DOCUMENT.table("Who may receive, and on which ground")
}
*DATA, MESSAGE = DOCUMENT.table("What leaves")
STATES: Mapping[str, RecipientState | None] = {
    "none": None,
    "not activated": RecipientState.REGISTERED,
    "suspended": RecipientState.SUSPENDED,
    "active": RecipientState.ACTIVE,
}
VALIDITIES = {
    "not begun": Validity.NOT_BEGUN,
    "valid": Validity.VALID,
    "lapsed": Validity.LAPSED,
}
ASSIGNMENTS = {
    "live": Assignment.LIVE,
    "ended": Assignment.ENDED,
    "another's": Assignment.ANOTHERS,
}
ORDERS = {
    "open": (OrderState.OPEN,),
    "not open": (OrderState.PENDING, OrderState.CLOSED, OrderState.REFUSED),
}
# Approved by two people; over its time.
REQUESTS = {"not approved": (False, False), "lapsed": (True, True), "approved": (True, False)}
LIVES = {"unknown": Life.UNKNOWN, "present": Life.PRESENT, "destroyed": Life.DESTROYED}
LIVES_BY_LAW = {**LIVES, "kept by statute": Life.RESTRICTED}
# Every kind there is, and who else might ask; every ground, and what else might be named as one.
KINDS = (*Kind, "STATE_BODY", "BANK", "PARTNER", "INSURER", "")
GROUNDS = {"order": "ORDER", "law": "LAW", "consent": "CONSENT", "contract": "CONTRACT", "none": ""}


@dataclass(frozen=True)
class Put:
    """A question to the broker with what the page finds in it."""

    findings: Mapping[str, str]
    ground: str
    asked: Asked

    def expected(self, vaults: Mapping[str, str], *, compelled: bool = False) -> tuple[Answer, str]:
        """The page's answer with its rule, where the vault finds this."""
        kinds = {"every ground", self.ground}
        kinds |= set() if compelled else {f"{self.ground}, not compelled"}
        found = answer(ROWS, {**self.findings, **vaults}, kinds.__contains__, "")
        rule = next(row["rule"] for row in ROWS if row["#"] == found.number)
        return found, "" if rule == DASH else rule


def _pair(kind: str, ground: str) -> str:
    if (kind, ground) in PAIRS:
        return "listed"
    return "law for another" if ground == "law" else "outside"


def _questions() -> Iterator[Put]:
    for kind, ground, state, validity, certified, request, assignment, order, left in product(
        KINDS,
        GROUNDS,
        STATES,
        VALIDITIES,
        (True, False),
        REQUESTS,
        ASSIGNMENTS,
        ORDERS,
        (True, False),
    ):
        findings = {
            "registration": state,
            "pair": _pair(kind, ground),
            "agreement": validity,
            "certificate": "as bound" if certified else "another",
            "request": request,
            "assignment": assignment,
            "order": order,
            "fetches": "left" if left else "used up",
        }
        for way in ORDERS[order]:
            asked = Asked(
                kind,
                GROUNDS[ground],
                STATES[state],
                VALIDITIES[validity],
                certified,
                ASSIGNMENTS[assignment],
                way,
                left,
                *REQUESTS[request],
            )
            yield Put(findings, ground, asked)


def _vault_cases(kind: str) -> Iterator[tuple[dict[str, str], Life, Standing]]:
    """What the vault may find; people who agree and who disagree alike."""
    for life, held, agreement in product(LIVES, world.CLAIMS, world.AGREEMENTS):
        ways = [("not open", "not live", orders) for orders in world.NOT_OPEN]
        for finding in ("live", "not live"):
            ways += [
                ("open", finding, orders) for orders in world.assigned(finding, RecipientKind(kind))
            ]
        for (order, assignment, orders), claims, agreed in product(
            ways, world.CLAIMS[held], world.AGREEMENTS[agreement]
        ):
            findings = {
                "life": life,
                "restriction": held[0],
                "block": held[1],
                "vault's order": order,
                "vault's assignment": assignment,
            }
            consent = world.consent_slice(agreed, world.Consents(()))
            yield findings, LIVES[life], Standing(consent, claims, orders)


NOTHING_AGAINST = {
    "life": "present",
    "restriction": "none",
    "block": "none",
    "vault's order": "open",
    "vault's assignment": "live",
}
QUESTION = Question(
    Operation.READ_FOR_RELEASE,
    reference=world.OPEN,
    delivery_id=world.DELIVERY,
    recipient_id=world.RECIPIENT,
)


def test_the_broker_answers_every_question_as_the_page_says() -> None:
    """T-6.2.2-a, T-5.2-b, T-1.1.4-a"""
    hit: set[str] = set()
    permitted: set[tuple[str, str]] = set()
    for put in _questions():
        # What the vault would find is not asked where the broker refuses.
        expected, rule = put.expected(NOTHING_AGAINST)
        given = decide(put.asked)
        hit.add(expected.number)
        if given is None:
            assert expected.reason == "PERMIT", put
            permitted.add((put.asked.kind, put.ground))
            continue
        assert (given.reason, given.clause, given.rule) == (
            expected.reason,
            expected.clause,
            rule,
        ), put
    assert permitted == set(PAIRS)
    assert {n for n in hit if int(n) < 15} == {str(n) for n in range(1, 15)}, "a row is not reached"


@pytest.mark.parametrize("kind", Kind)
def test_the_vault_answers_what_the_broker_lets_through_as_the_page_says(kind: Kind) -> None:
    """T-5.2-a, T-5.2-c, T-2.2-c"""
    put = next(p for p in _questions() if p.asked.kind == kind and decide(p.asked) is None)
    hit: set[str] = set()
    for findings, life, standing in _vault_cases(kind):
        expected, _ = put.expected(findings)
        hit.add(expected.number)
        given = vault.decide(QUESTION, life, standing, PolicySchedule(), world.NOW)
        reason = "PERMIT" if isinstance(given, Permit) else given.reason
        assert (reason, given.clause) == (expected.reason, expected.clause), (findings, standing)
        if isinstance(given, Permit):
            assert given.fields == _leaves(kind)
            assert given.message is (MESSAGE[kind] == "yes")
    assert hit == {str(n) for n in range(15, 22)}


def test_the_vault_answers_a_state_body_as_the_page_says() -> None:
    """T-5.3-b, T-6.2.2-a"""
    put = next(p for p in _questions() if p.asked.kind == STATE_BODY and decide(p.asked) is None)
    hit: set[str] = set()
    for life, held, agreement, compelled in product(
        LIVES_BY_LAW, world.CLAIMS, world.AGREEMENTS, (False, True)
    ):
        findings = {
            **NOTHING_AGAINST,
            "life": life,
            "restriction": held[0],
            "block": held[1],
        }
        expected, _ = put.expected(findings, compelled=compelled)
        hit.add(expected.number)
        question = Question(
            Operation.READ_FOR_AUTHORITY, fields=frozenset({Field.PHONE}), compelled=compelled
        )
        for claims, agreed in product(world.CLAIMS[held], world.AGREEMENTS[agreement]):
            standing = Standing(world.consent_slice(agreed, world.Consents(())), claims, None)
            given = vault.decide(
                question, LIVES_BY_LAW[life], standing, PolicySchedule(), world.NOW
            )
            reason = "PERMIT" if isinstance(given, Permit) else given.reason
            assert (reason, given.clause) == (expected.reason, expected.clause), findings
    assert hit == {str(n) for n in range(22, 28)}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_gets_the_fields_of_its_column_and_no_other(kind: Kind) -> None:
    """T-5.2-a"""
    told = frozenset().union(*(data_of(row["data"]) for row in DATA))
    assert told == set(Field), "the page tells of every kind of data"
    message = frozenset({"messageText"} if MESSAGE[kind] == "yes" else ())
    assert FIELDS[kind] == _leaves(kind) | message
    assert RELEASED_FIELDS[RecipientKind(kind)] == _leaves(kind)


def test_the_page_is_of_this_version_and_knows_every_rule_and_reason() -> None:
    assert DOCUMENT.rules_version == RULES_VERSION
    assert [rule.name for rule in RULES] == [r["rule"] for r in ROWS if r["rule"] != DASH]
    known = {*reasons(), "PERMIT"}
    assert {row["answer"] for row in ROWS} <= known
    words = DOCUMENT.vocabulary()
    used = {(row["looked at"], row["finding"]) for row in ROWS if row["looked at"] != DASH}
    assert used <= words


def _leaves(kind: str) -> frozenset[Field]:
    return frozenset().union(*(data_of(r["data"]) for r in DATA if r[kind] == "yes"))

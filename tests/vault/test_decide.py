# SPDX-License-Identifier: Apache-2.0
"""decide() against docs/decisions.md, over every combination of findings (architecture, 2.5)."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from services.chassis.contract import reasons
from services.vault.decide import (
    RELEASED_FIELDS,
    RULES_VERSION,
    Decision,
    Life,
    Operation,
    Permit,
    Question,
)
from services.vault.fields import STATED_FIELDS, Field
from services.vault.purposes import PURPOSES, ReferenceRule
from services.vault.standing import RecipientKind, Standing
from tests.vault import decision_world as world
from tests.vault.decision_document import DASH, data_of
from tests.vault.decision_questions import (
    CONSENTS,
    DOCUMENT,
    LISTED,
    NO_PURPOSES,
    READ,
    TABLES,
    Asked,
    acts,
    audits,
    authorities,
    ends,
    finds,
    kinds_of_read,
    links,
    own_views,
    reads,
    releases,
    verifications,
)

VAULT = Path(__file__).parents[2] / "services" / "vault"


def _assert_same(asked: Asked, hit: Counter[tuple[str, str]]) -> Decision:
    expected, given = asked.expected(), asked.given()
    hit[(asked.table, expected.number)] += 1
    reason = "PERMIT" if isinstance(given, Permit) else given.reason
    assert (reason, given.clause) == (expected.reason, expected.clause), asked
    return given


def test_every_read_is_answered_as_the_page_says() -> None:
    hit: Counter[tuple[str, str]] = Counter()
    for purpose in (*LISTED, *NO_PURPOSES):
        for asked in reads(purpose):
            given, wanted = _assert_same(asked, hit), asked.question.fields
            if isinstance(given, Permit):
                reached = data_of(LISTED[purpose]["data"])
                assert given.fields == (reached if wanted is None else wanted) <= reached
    assert {number for _, number in hit} == {row["#"] for row in READ}, "a row is never reached"


@pytest.mark.parametrize(
    ("questions", "tables"),
    [
        (acts, ("act", "accept")),
        (verifications, ("verify",)),
        (releases, ("release",)),
        (authorities, ("authority",)),
        (finds, ("find",)),
        (audits, ("audit",)),
        (links, ("link",)),
        (ends, ("end",)),
        (own_views, ("view",)),
    ],
    ids=[
        "acts",
        "verifications",
        "releases",
        "authorities",
        "finds",
        "audits",
        "links",
        "ends",
        "own views",
    ],
)
def test_every_other_question_is_answered_as_the_page_says(
    questions: Callable[[], Iterator[Asked]], tables: tuple[str, ...]
) -> None:
    hit: Counter[tuple[str, str]] = Counter()
    for asked in questions():
        _assert_same(asked, hit)
    rows = {(name, row["#"]) for name in tables for row in TABLES[name]}
    assert set(hit) == rows, "a row is never reached"


def test_a_standing_is_read_alike_in_whatever_way_its_findings_are_true() -> None:
    hit: Counter[tuple[str, str]] = Counter()
    for purpose, held, agreement, consent in product(
        ("NEWS", "PAYMENT"), world.CLAIMS, world.AGREEMENTS, CONSENTS
    ):
        needed = "AUTOMATED_DECISION" if purpose == "PAYMENT" else purpose
        for claims, agreed, found in product(
            world.CLAIMS[held], world.AGREEMENTS[agreement], world.consents(needed, consent)
        ):
            findings = {
                "purpose": "any other",
                "credential": "with this purpose",
                "life": "present",
                "restriction": held[0],
                "block": held[1],
                "agreement": agreement,
                "consent": consent,
                "reference": "anything else",
                "template": "not registered",
                "open orders": "none",
                "fields": "within",
            }
            standing = Standing(world.consent_slice(agreed, found), claims, world.ORDERS["none"][0])
            question = Question(
                Operation.READ, purpose, reference=world.STRANGE, automated_decision=True
            )
            kinds = kinds_of_read(purpose, "anything else", automated=True)
            asked = Asked("read", findings, kinds, question, Life.PRESENT, standing, found.schedule)
            _assert_same(asked, hit)


def test_a_release_reaches_exactly_the_data_of_its_recipient() -> None:
    listed = {
        row["recipient"]: data_of(row["data"])
        for row in DOCUMENT.table("Releasing to a recipient", 1)
    }
    assert listed == {str(kind): fields for kind, fields in RELEASED_FIELDS.items()}
    assert set(listed) == set(RecipientKind)
    for asked in releases():
        given = asked.given()
        if isinstance(given, Permit):
            orders = asked.standing.orders
            assert orders is not None
            kinds = {
                a.recipient_kind
                for o in orders.orders
                if o.order_id == world.OPEN
                for a in o.assignments
                if (a.delivery_id, a.recipient_id) == (world.DELIVERY, world.RECIPIENT)
            }
            assert given.fields in [listed[kind] for kind in kinds]


def test_a_state_body_gets_what_was_approved_and_is_told_of_a_dispute() -> None:
    """Clause 5.3"""
    told = set()
    for asked in authorities():
        given = asked.given()
        if isinstance(given, Permit):
            assert given.fields == (asked.question.fields or frozenset())
            held = "blocked" in asked.findings.values() or "restricted" in asked.findings.values()
            assert given.disputed_since == (world.PAST if held else None)
            told.add(held)
    assert told == {True, False}


def test_verification_and_storing_reach_what_the_page_says() -> None:
    verified = {a.given().fields for a in verifications() if isinstance(a.given(), Permit)}  # type: ignore[union-attr]
    assert verified == {data_of(LISTED["VERIFY_DATA"]["data"])}
    stored = {
        a.given().fields  # type: ignore[union-attr]
        for a in acts()
        if a.question.operation is Operation.STORE and isinstance(a.given(), Permit)
    }
    assert stored == {STATED_FIELDS} == {data_of("name, phone, email, address")}


def test_the_persons_own_view_reaches_all_there_is() -> None:
    reached = {a.given().fields for a in own_views() if isinstance(a.given(), Permit)}  # type: ignore[union-attr]
    assert reached == {frozenset(Field)}


def test_the_page_lists_the_purposes_that_the_program_knows() -> None:
    references = {
        ReferenceRule.NONE: "no",
        ReferenceRule.ANY: "needed",
        ReferenceRule.TEMPLATE: "template",
        ReferenceRule.OPEN_ORDER: "open order",
        ReferenceRule.CLAIM: "claim",
    }
    known = {
        rule.code: (rule.clause, rule.express_consent, references[rule.reference], rule.fields)
        for rule in PURPOSES.values()
    }
    assert known == {
        code: (
            row["clause"],
            row["express consent"] == "yes",
            row["reference"],
            data_of(row["data"]),
        )
        for code, row in LISTED.items()
    }
    assert len(LISTED) == 12


def test_the_page_explains_every_finding_it_uses_and_no_other() -> None:
    used = {
        (row["looked at"], row["finding"])
        for table in TABLES.values()
        for row in table
        if row["looked at"] != DASH
    }
    explained = DOCUMENT.vocabulary()
    assert used <= explained
    assert {name for name, _ in explained} == {name for name, _ in used} | {"acceptance"}


def test_every_reason_of_the_gate_stands_in_the_contract_and_can_be_reached() -> None:
    modules = [VAULT / "findings.py", *VAULT.glob("decide*.py")]
    written = {
        node.args[0].value
        for module in modules
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Denial"
        and isinstance(node.args[0], ast.Constant)
    }
    on_the_page = {row["answer"] for table in TABLES.values() for row in table} - {"PERMIT"}
    assert written == on_the_page
    assert on_the_page <= set(reasons())


def test_the_page_describes_these_rules() -> None:
    assert DOCUMENT.rules_version == RULES_VERSION

# SPDX-License-Identifier: Apache-2.0
"""Visits and purchases through a real vault (clauses 1.1.2, 3.3, 3.4, 4.1.4, 4.1.8, 4.1.9)."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import records_pb2, storing_pb2, vault_pb2
from tests.vault.person import Person, ago, at
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront

UA = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
COOKIE = "sid-canary-71f0c2"
KINDS = {"ip", "cookie", "user_agent", "access_time", "page", "referrer"}


def visit(**members: Any) -> records_pb2.Visit:
    """A visit with all six kinds."""
    own = {
        "ip": "2001:DB8:0:0:0:0:0:1",
        "cookie": COOKIE,
        "user_agent": UA,
        "page": "/cart?id=77",
        "referrer": "https://search.example.kz/?q=кітап",
        "access_time": at(),
    }
    return records_pb2.Visit(**{**own, **members})


def record(
    shop: Storefront, *items: tuple[str, records_pb2.Visit], request_id: str = ""
) -> list[Any]:
    """Record visits of (subject, visit). Raises Refused."""
    request = storing_pb2.RecordVisitsRequest(
        items=[storing_pb2.VisitItem(subject_id=s, visit=v) for s, v in items],
        request_id=request_id or secrets.token_hex(8),
    )
    return list(shop.call(request).outcomes)


def told(outcome: Any) -> str:
    """Why an item was refused; OK where it was not."""
    if outcome.WhichOneof("outcome") == "recorded":
        return "OK"
    return contract_pb2.Refusal.Reason.Name(outcome.problem.code)


def _set(message: Any) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


def test_security_and_support_read_all_six_kinds_of_the_last_visits(
    shop: Storefront, person: Person, house: House
) -> None:
    for number in range(12):
        assert [told(o) for o in record(shop, (person.subject_id, visit(page=f"/{number}")))] == [
            "OK"
        ]
    answer = shop.read(person.subject_id, "SECURITY_LOCATION")
    assert [v.page for v in answer.visits] == [f"/{n}" for n in range(11, 1, -1)]
    assert not answer.HasField("data") or not _set(answer.data)
    assert _set(answer.visits[0]) == KINDS
    assert answer.visits[0].ip == "2001:db8::1", "RFC 5952"
    assert answer.visits[0].cookie == COOKIE
    [entry] = house.entries(entryId=answer.entry_id)
    assert entry["decidedOn"]["fields"] == sorted(
        f"technical.{n}" for n in ("accessTime", "cookie", "ip", "page", "referrer", "userAgent")
    )
    support = shop.read(person.subject_id, "SUPPORT", reference="case-1")
    assert len(support.visits) == 10
    assert support.data.phone
    for purpose in ("IDENTIFY_FOR_ORDER", "PERSONAL_RESOURCES"):
        assert not shop.read(person.subject_id, purpose).visits


def test_a_read_of_one_kind_opens_no_other(shop: Storefront, person: Person, house: House) -> None:
    record(shop, (person.subject_id, visit()))
    with house.owner() as owner:
        owner.execute(
            "UPDATE visits SET cookie = set_byte(cookie, 20, get_byte(cookie, 20) # 1) "
            "WHERE subject_id = %s",
            (person.subject_id,),
        )
    answer = shop.read(person.subject_id, "SECURITY_LOCATION", fields=["technical.ip"])
    assert [_set(v) for v in answer.visits] == [{"ip"}]
    assert shop.why_not(person.subject_id, "SECURITY_LOCATION") == "DATA_LOSS"


def test_neither_rows_nor_evidence_nor_log_hold_a_visit_in_the_clear(
    vault: VaultProcess, shop: Storefront, person: Person, house: House
) -> None:
    address = f"10.77.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
    record(shop, (person.subject_id, visit(ip=address)))
    shop.read(person.subject_id, "SECURITY_LOCATION")
    dumped = str(house.rows("SELECT * FROM visits")) + str(
        house.rows("SELECT body FROM evidence_entries")
    )
    rows = house.rows("SELECT ip, page, cookie, user_agent, referrer, groups FROM visits")
    raw = b"".join(bytes(value) for row in rows for value in row if value is not None)
    for canary in (address, COOKIE, "/cart?id=77", "Firefox", "10.77."):
        assert canary not in dumped
        assert canary.encode() not in raw
        assert canary not in vault.output


def test_who_may_not_be_collected_from_is_refused_at_any_place_without_touching_others(
    shop: Storefront, people: Callable[[int], list[Person]], house: House
) -> None:
    good, blocked, disagreed = people(3)
    blocked.is_blocked()
    disagreed.disagrees()
    caller = Storefront(shop.gateway, name=f"visits-{secrets.token_hex(4)}")
    order = [good, blocked, disagreed, good]
    outcomes = record(caller, *((p.subject_id, visit()) for p in order), ("0" * 32, visit()))
    assert [told(o) for o in outcomes] == [
        "OK",
        "SUBJECT_BLOCKED",
        "POLICY_DISAGREED",
        "OK",
        "NOT_FOUND",
    ]
    count = "SELECT count(*) FROM visits WHERE subject_id = %s"
    assert [house.rows(count, p.subject_id)[0][0] for p in (good, blocked, disagreed)] == [2, 0, 0]
    entries = house.entries(principal=f"key/{caller.name}")
    assert sorted((e["outcome"], e.get("reason", "")) for e in entries) == [
        ("DONE", ""),
        ("REFUSED", "NOT_FOUND"),
        ("REFUSED", "POLICY_DISAGREED"),
        ("REFUSED", "SUBJECT_BLOCKED"),
    ]
    [done] = [e for e in entries if e["outcome"] == "DONE"]
    assert (done["verb"], done["clause"], done["decidedOn"]["visits"]) == ("COLLECT", "3.3", 2)


def test_a_repeat_records_nothing_twice_and_what_may_be_recorded_now(
    shop: Storefront, people: Callable[[int], list[Person]], house: House
) -> None:
    good, blocked = people(2)
    claim = blocked.is_blocked()
    items = [(p.subject_id, visit()) for p in (good, blocked)]
    key = secrets.token_hex(8)
    first = record(shop, *items, request_id=key)
    assert [told(o) for o in first] == ["OK", "SUBJECT_BLOCKED"]
    blocked.outcome(claim, "NOT_CONFIRMED")
    again = record(shop, *items, request_id=key)
    assert [told(o) for o in again] == ["OK", "OK"]
    assert again[0].recorded.visit_id == first[0].recorded.visit_id
    assert record(shop, *items, request_id=key) == again
    count = "SELECT count(*) FROM visits WHERE subject_id = %s"
    assert [house.rows(count, p.subject_id)[0][0] for p in (good, blocked)] == [1, 1]
    with pytest.raises(Refused, match="IDEMPOTENCY_KEY_REUSED"):
        record(shop, items[0], request_id=key)


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({"ip": "1.2.3"}, ("ip", "IP_MALFORMED")),
        ({"ip": "fe80::1%eth0"}, ("ip", "IP_MALFORMED")),
        ({"access_time": None}, ("accessTime", "TIME_OUT_OF_RANGE")),
        ({"access_time": ago(days=8)}, ("accessTime", "TIME_OUT_OF_RANGE")),
        (
            {"access_time": at(datetime.now(UTC) + timedelta(hours=2))},
            ("accessTime", "TIME_OUT_OF_RANGE"),
        ),
        ({"user_agent": "a\x07b"}, ("userAgent", "FORBIDDEN_CHARACTER")),
        ({"page": "x" * 1025}, ("page", "max_length")),
    ],
)
def test_a_malformed_visit_is_named_by_item_and_kind_and_nothing_is_recorded(
    shop: Storefront,
    person: Person,
    house: House,
    members: dict[str, Any],
    wrong: tuple[str, str],
) -> None:
    with pytest.raises(Refused) as caught:
        record(shop, (person.subject_id, visit()), (person.subject_id, visit(**members)))
    assert caught.value.fields == ((f"items[1].visit.{wrong[0]}", wrong[1]),)
    assert not house.rows("SELECT 1 FROM visits WHERE subject_id = %s", person.subject_id)


def test_the_verifier_sees_the_visits_under_the_block(
    vault: VaultProcess, shop: Storefront, person: Person, house: House
) -> None:
    record(shop, (person.subject_id, visit()))
    claim = person.is_blocked()
    assert shop.why_not(person.subject_id, "SECURITY_LOCATION") == "SUBJECT_BLOCKED"
    officer = (("authorization", f"Bearer {house.premises.token()}"),)
    request = vault_pb2.ReadForVerificationRequest(subject_id=person.subject_id, claim_id=claim)
    assert [v.cookie for v in vault.as_process("gateway").call(request, officer).visits] == [COOKIE]


def purchase(order_id: str, *titles: str) -> records_pb2.Purchase:
    """What was bought with an order."""
    lines = [
        records_pb2.OrderLine(title=title, quantity=2, amount="12990.50", currency="KZT")
        for title in titles
    ]
    return records_pb2.Purchase(order_id=order_id, lines=lines)


def buy(shop: Storefront, subject_id: str, bought: records_pb2.Purchase, key: str = "") -> Any:
    """Store a purchase. Raises Refused."""
    request = storing_pb2.StorePurchaseRequest(
        subject_id=subject_id, purchase=bought, request_id=key or secrets.token_hex(8)
    )
    return shop.call(request)


def test_a_payment_reaches_the_lines_of_its_order_alone_and_resources_reach_all(
    shop: Storefront, person: Person, house: House
) -> None:
    book, lamp = purchase("A-1", "Абай жолы", "Қалам"), purchase("A-2", "Шам")
    buy(shop, person.subject_id, book)
    buy(shop, person.subject_id, lamp)
    paid = shop.read(person.subject_id, "PAYMENT", reference="A-1")
    assert list(paid.purchases) == [book]
    assert not shop.read(person.subject_id, "PAYMENT", reference="payment-9").purchases
    found = shop.read(person.subject_id, "PERSONAL_RESOURCES")
    assert list(found.purchases) == [lamp, book]
    [entry] = house.entries(entryId=found.entry_id)
    assert "purchases" in entry["decidedOn"]["fields"]
    for purpose in ("IDENTIFY_FOR_ORDER", "SUPPORT"):
        assert not shop.read(person.subject_id, purpose, reference="A-1").purchases
    rows = house.rows("SELECT ciphertext FROM purchases WHERE subject_id = %s", person.subject_id)
    assert len(rows) == 3
    assert not any("Абай".encode() in bytes(row[0]) for row in rows)


def test_a_purchase_is_stored_once(shop: Storefront, person: Person) -> None:
    bought, key = purchase("A-1", "Шам"), secrets.token_hex(8)
    first = buy(shop, person.subject_id, bought, key)
    assert buy(shop, person.subject_id, bought, key) == first
    with pytest.raises(Refused, match="ALREADY_EXISTS"):
        buy(shop, person.subject_id, bought)


def test_no_purchase_is_stored_of_who_is_blocked_or_disagreed(
    shop: Storefront, people: Callable[[int], list[Person]]
) -> None:
    blocked, disagreed = people(2)
    blocked.is_blocked()
    disagreed.disagrees()
    with pytest.raises(Refused, match="SUBJECT_BLOCKED"):
        buy(shop, blocked.subject_id, purchase("A-1", "Шам"))
    with pytest.raises(Refused, match="POLICY_DISAGREED"):
        buy(shop, disagreed.subject_id, purchase("A-1", "Шам"))
    with pytest.raises(Refused, match="NOT_FOUND"):
        buy(shop, "0" * 32, purchase("A-1", "Шам"))


@pytest.mark.parametrize(
    ("member", "value", "rule"),
    [
        ("amount", "12,50", "AMOUNT_MALFORMED"),
        ("amount", "-1", "AMOUNT_MALFORMED"),
        ("currency", "TENGE", "CURRENCY_MALFORMED"),
        ("title", " ", "EMPTY"),
        ("quantity", -1, "range"),
    ],
)
def test_a_malformed_line_is_named(
    shop: Storefront, person: Person, member: str, value: Any, rule: str
) -> None:
    bought = purchase("A-1", "Шам")
    setattr(bought.lines[0], member, value)
    with pytest.raises(Refused) as caught:
        buy(shop, person.subject_id, bought)
    assert caught.value.fields == ((f"purchase.lines[0].{member}", rule),)

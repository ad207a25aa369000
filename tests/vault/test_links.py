# SPDX-License-Identifier: Apache-2.0
"""A visitor that is linked to an account: two ids, one person (clause 1.1.5, T-1.1.5-a)."""

from collections.abc import Callable

import pytest

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.ids import new_uuid
from services.vault.store_links import MOST_VISITORS
from tests.vault.history import watch
from tests.vault.person import NAME, Person, at, new_data, problem_of, release, settled, verdict_of
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront, read_request, reason_of

People = Callable[[int], list[Person]]
NOTHING_NEW = "SUBJECT_LINKED"


@pytest.fixture
def account(people: People) -> Person:
    """Somebody with an account."""
    return people(1)[0]


@pytest.fixture
def visitor(people: People, account: Person) -> Person:
    """A visitor that is linked to the account."""
    [visitor] = people(1)
    assert visitor.links_to(account) == "APPLIED"
    return visitor


def test_a_linked_visitor_takes_nothing_new(visitor: Person, shop: Storefront) -> None:
    with pytest.raises(Refused) as refusal:
        shop.store(visitor.subject_id, new_data(), new_uuid())
    assert refusal.value.reason == NOTHING_NEW
    assert visitor.grants("NEWS") == NOTHING_NEW
    assert visitor.accepts(2) == NOTHING_NEW
    assert visitor.accepts(2, explicit=False) == NOTHING_NEW
    proposal = new_uuid()
    visitor.orders.orders.add(
        order_id="V-1", placed_time=at(), open=True, proposal_id=proposal, policy_version=1
    )
    assert verdict_of(visitor.push_orders(proposal), proposal) == NOTHING_NEW


def test_what_a_linked_visitor_has_is_read_under_the_accounts_consents(
    account: Person, visitor: Person, shop: Storefront
) -> None:
    assert shop.read(visitor.subject_id).data.given_name == NAME["given_name"]
    assert shop.why_not(visitor.subject_id, "NEWS") == "CONSENT_REQUIRED"
    assert account.grants("NEWS") == "APPLIED"
    assert shop.why_not(visitor.subject_id, "NEWS") == "OK"
    account.withdraws("NEWS")
    assert shop.why_not(visitor.subject_id, "NEWS") == "CONSENT_WITHDRAWN"
    account.disagrees()
    assert shop.why_not(visitor.subject_id) == "POLICY_DISAGREED"


def test_a_visitors_own_consents_permit_nothing_once_it_is_linked(
    people: People, shop: Storefront
) -> None:
    account, visitor = people(2)
    assert visitor.grants("NEWS") == "APPLIED"
    assert visitor.links_to(account) == "APPLIED"
    assert shop.why_not(visitor.subject_id, "NEWS") == "CONSENT_REQUIRED"
    assert shop.why_not(account.subject_id, "NEWS") == "CONSENT_REQUIRED"


def test_a_read_of_the_account_mixes_in_nothing_of_the_visitor(
    vault: VaultProcess, shop: Storefront
) -> None:
    bare = Person(vault, shop.site)
    assert bare.accepts() == "APPLIED"
    other = settled(vault, shop)
    assert other.links_to(bare) == "APPLIED"
    assert shop.read(bare.subject_id).data == subject_pb2.PersonalData()


@pytest.mark.parametrize("blocked", ["account", "visitor", "another"])
def test_a_block_of_any_of_them_reaches_all(
    people: People, account: Person, visitor: Person, shop: Storefront, blocked: str
) -> None:
    [another] = people(1)
    assert another.links_to(account) == "APPLIED"
    them = {"account": account, "visitor": visitor, "another": another}
    delivery = account.orders_goods()
    claim = them[blocked].is_blocked()
    for each in them.values():
        assert shop.why_not(each.subject_id) == "SUBJECT_BLOCKED"
        assert shop.standing(each.subject_id).state == vault_pb2.Standing.BLOCKED
        assert shop.standing(each.subject_id).open_blocks == 1
    ids = [each.subject_id for each in them.values()]
    answers = [reason_of(o) for o in shop.batch(*map(read_request, ids))]
    assert answers == ["SUBJECT_BLOCKED"] * 3
    assert [problem_of(o) for o in release(account.vault, delivery.item())] == ["SUBJECT_BLOCKED"]
    with pytest.raises(Refused) as refusal:
        shop.store(account.subject_id, new_data(), new_uuid())
    assert refusal.value.reason == "SUBJECT_BLOCKED"
    them[blocked].outcome(claim, "NOT_CONFIRMED")
    assert [shop.why_not(each) for each in ids] == ["OK"] * 3
    again = them[blocked].is_blocked()
    them[blocked].outcome(again, "UNLAWFUL_CONFIRMED")
    assert [shop.why_not(each) for each in ids] == ["SUBJECT_RESTRICTED"] * 3


def test_the_verifier_of_a_block_reads_what_the_person_has_under_every_id(
    house: House, vault: VaultProcess, account: Person, visitor: Person
) -> None:
    claim = account.is_blocked()
    officer = (("authorization", f"Bearer {house.premises.token()}"),)
    for each in (account, visitor):
        request = vault_pb2.ReadForVerificationRequest(subject_id=each.subject_id, claim_id=claim)
        answer = vault.as_process("gateway").call(request, officer)
        assert answer.data == each.own
        [entry] = house.entries(entryId=answer.entry_id)
        [relative] = entry["decidedOn"]["relatives"]
        assert set(relative) == ({"consent"} if each is account else {"claims", "consent"})


@pytest.mark.parametrize("blocked", ["account", "visitor"])
def test_a_link_is_refused_while_either_is_blocked(
    people: People, shop: Storefront, blocked: str
) -> None:
    account, visitor = people(2)
    them = {"account": account, "visitor": visitor}
    claim = them[blocked].is_blocked()
    assert visitor.links_to(account) == "SUBJECT_BLOCKED"
    them[blocked].outcome(claim, "NOT_CONFIRMED")
    assert visitor.links_to(account) == "APPLIED"
    assert shop.standing(visitor.subject_id).account_id == account.subject_id
    assert list(shop.standing(account.subject_id).visitor_ids) == [visitor.subject_id]


def test_a_visitor_that_disagreed_is_linked_to_nobody(people: People) -> None:
    account, visitor = people(2)
    visitor.disagrees()
    assert visitor.links_to(account) == "POLICY_DISAGREED"


def test_links_make_no_chain(people: People, account: Person, visitor: Person) -> None:
    [another] = people(1)
    assert visitor.links_to(another) == NOTHING_NEW
    assert another.links_to(visitor) == NOTHING_NEW
    assert account.links_to(another) == NOTHING_NEW
    assert another.links_to(another) == NOTHING_NEW
    assert another.links_to("0" * 32) == "NOT_FOUND"


def test_another_sites_person_is_no_account(vault: VaultProcess, people: People) -> None:
    elsewhere = Person(vault, "other")
    assert elsewhere.accepts() == "APPLIED"
    [visitor] = people(1)
    assert visitor.links_to(elsewhere) == "NOT_FOUND"


def test_a_link_that_has_ended_leaves_each_with_what_is_its_own(
    account: Person, visitor: Person, shop: Storefront
) -> None:
    assert account.grants("NEWS") == "APPLIED"
    claim = visitor.is_blocked()
    visitor.is_unlinked()
    assert shop.why_not(account.subject_id) == "OK"
    assert shop.why_not(visitor.subject_id) == "SUBJECT_BLOCKED"
    visitor.outcome(claim, "NOT_CONFIRMED")
    assert shop.why_not(visitor.subject_id, "NEWS") == "CONSENT_REQUIRED"
    assert visitor.grants("NEWS") == "APPLIED"
    shop.store(visitor.subject_id, subject_pb2.PersonalData(given_name="Айгүл"), new_uuid())
    assert not shop.standing(visitor.subject_id).account_id
    assert visitor.links_to(account) == "APPLIED"


def test_a_vault_that_is_told_of_an_end_and_a_consent_at_once_takes_both(visitor: Person) -> None:
    visitor.consent.links[-1].ended_time.CopyFrom(at())
    assert visitor.grants("NEWS") == "APPLIED"


def test_a_disagreement_by_a_linked_visitors_id_closes_that_id(
    account: Person, visitor: Person, shop: Storefront
) -> None:
    visitor.disagrees()
    assert shop.why_not(visitor.subject_id) == "POLICY_DISAGREED"
    assert shop.why_not(account.subject_id) == "OK"


def test_an_account_has_so_many_visitors_and_no_more(
    vault: VaultProcess, account: Person, shop: Storefront
) -> None:
    visitors = [Person(vault, shop.site) for _ in range(MOST_VISITORS)]
    for each in visitors:
        assert each.accepts() == "APPLIED"
        assert each.links_to(account) == "APPLIED"
    one_more = settled(vault, shop)
    assert one_more.links_to(account) == "STATE_CONFLICT"
    account.is_blocked()
    assert shop.why_not(visitors[-1].subject_id) == "SUBJECT_BLOCKED"


@pytest.mark.parametrize("blocked", ["account", "visitor"])
@pytest.mark.parametrize("rounds", [2, pytest.param(100, marks=pytest.mark.deep)])
def test_no_read_of_one_id_succeeds_after_a_block_of_the_other_was_answered(
    house: House, vault: VaultProcess, shop: Storefront, blocked: str, rounds: int
) -> None:
    for _ in range(rounds):
        account, visitor = settled(vault, shop), settled(vault, shop)
        assert visitor.links_to(account) == "APPLIED"
        them = {"account": account, "visitor": visitor}
        read = them["visitor" if blocked == "account" else "account"]
        seen = watch(
            house,
            [vault],
            read.subject_id,
            "IDENTIFY_FOR_ORDER",
            them[blocked].is_blocked,
            them[blocked].subject_id,
        )
        assert seen.violations() == {}

# SPDX-License-Identifier: Apache-2.0
"""The deciders' own books, and what the vault made of what they pushed."""

from collections.abc import Iterator

from cli.consistency import (
    acts,
    blocks,
    claims,
    consents,
    incidents,
    orders,
    policies,
    standing,
    store_claims,
    store_consent,
    store_destructions,
    store_disclosure,
    store_flooding,
    store_incidents,
    store_standing,
)
from cli.consistency.check import Check
from cli.consistency.evidence import dangling_faults
from cli.consistency.fault import Fault
from cli.consistency.matching import matched
from cli.consistency.records import DECIDERS, Records
from cli.consistency.standing import Told
from cli.consistency.store_standing import HeldSlice
from services.chassis.calendar import WorkingCalendar
from services.vault.wire_case import CLAIMS, CONSENT, DECIDER_OF, ORDERS, SCHEDULE

_TOPICS = (CONSENT, SCHEDULE, CLAIMS, ORDERS)


def _policies(records: Records) -> Iterator[Fault]:
    yield from policies.policy_faults(
        store_consent.published(records.consent), store_standing.pushed(records.consent, SCHEDULE)
    )


def _consents(records: Records) -> Iterator[Fault]:
    source = records.consent
    yield from consents.history_faults(
        store_consent.histories(source), store_consent.standing_rows(source)
    )
    yield from consents.slice_faults(
        store_consent.histories(source), store_standing.pushed(source, CONSENT)
    )
    yield from consents.wording_faults(store_consent.wording_rows(source))


def _claims(records: Records, calendar: WorkingCalendar) -> Iterator[Fault]:
    source = records.claims
    yield from claims.number_faults(
        store_claims.by_number(source), store_claims.last_numbers(source)
    )
    yield from claims.state_faults(store_claims.by_number(source), calendar)
    yield from claims.slice_faults(
        store_claims.facts(source), store_standing.pushed(source, CLAIMS)
    )
    yield from claims.filed_faults(store_flooding.counted(source), store_flooding.filed(source))


def _incidents(records: Records, calendar: WorkingCalendar) -> Iterator[Fault]:
    gone = store_destructions.destroyed(records.vault)
    found = store_incidents.stories(records.claims)
    yield from incidents.incident_faults(found, calendar, gone)
    yield from dangling_faults(
        "claims",
        store_incidents.named_requests(records.claims),
        store_disclosure.request_ids(records.disclosure),
        "request",
    )


def _orders(records: Records) -> Iterator[Fault]:
    source = records.disclosure
    yield from orders.state_faults(store_disclosure.orders_of_subjects(source))
    yield from orders.delivery_faults(store_disclosure.stray_deliveries(source))
    yield from orders.slice_faults(
        store_disclosure.orders_of_subjects(source), store_standing.pushed(source, ORDERS)
    )


def _standing(records: Records) -> Iterator[Fault]:
    for topic in _TOPICS:
        yield from standing.standing_faults(
            topic,
            _told(records, topic),
            _held(records, topic),
            store_standing.lives(records.vault) if topic != SCHEDULE else (),
        )
    held = store_standing.held(records.vault, CONSENT)
    yield from standing.link_faults(held, store_standing.links_in_force(records.vault))
    yield from standing.strange_faults(store_standing.strange_topics(records.vault, _TOPICS))
    for decider in DECIDERS:
        found = store_standing.outbox_without_slice(records.named(decider))
        yield from standing.outbox_faults(decider, found)


def _acts(records: Records) -> Iterator[Fault]:
    gone = store_destructions.destroyed(records.vault)
    for topic in _TOPICS:
        decider = records.named(DECIDER_OF[topic])
        recorded = store_standing.acts_by_place(decider, topic)
        yield from acts.act_faults(
            topic,
            # The vault holds nothing any more of whoever was destroyed.
            (act for act in recorded if act.place not in gone),
            store_standing.pushed(decider, topic),
            _held(records, topic),
        )
        yield from acts.verdict_faults(
            topic,
            store_standing.acts_by_place(decider, topic),
            store_standing.verdicts(records.vault, topic),
        )


def _blocks(records: Records) -> Iterator[Fault]:
    yield from blocks.block_faults(
        store_claims.facts(records.claims),
        store_standing.pushed(records.claims, CLAIMS),
        _held(records, CLAIMS),
        store_standing.lives(records.vault),
    )
    yield from blocks.watch_faults(
        store_standing.held(records.vault, CLAIMS),
        store_standing.watched(records.vault),
    )


def _told(records: Records, topic: str) -> Iterator[Told]:
    pushed = store_standing.pushed(records.named(DECIDER_OF[topic]), topic)
    if topic != CONSENT:
        yield from (Told(each) for each in pushed)
        return
    histories = store_consent.histories(records.consent)
    for slice_, history in matched(pushed, histories, lambda s: s.place, lambda h: h.place):
        if slice_ is not None:
            yield Told(slice_, consents.replay(history).pushed_body if history else b"")


def _held(records: Records, topic: str) -> Iterator[HeldSlice]:
    if topic == CLAIMS:
        return store_standing.held_claims(records.vault)
    return store_standing.held(records.vault, topic)


def checks_of_books(calendar: WorkingCalendar) -> tuple[Check, ...]:
    """The checks in the order of asking; due dates are reckoned with `calendar`."""

    def claims_of(records: Records) -> Iterator[Fault]:
        return _claims(records, calendar)

    def incidents_of(records: Records) -> Iterator[Fault]:
        return _incidents(records, calendar)

    return (
        Check("policies", "policy versions have no gap and their texts their digests", _policies),
        Check("consents", "every history gives what stands of it", _consents),
        Check("claims", "claims are numbered, due and answered as their steps say", claims_of),
        Check("incidents", "incidents stand as their steps on record say", incidents_of),
        Check("orders", "the broker's slices say what its orders say", _orders),
        Check("standing", "the vault stands on what the deciders pushed", _standing),
        Check("acts", "acts have come as far as the vault says", _acts),
        Check("blocks", "every open claim that blocks has its block, and no other is", _blocks),
    )

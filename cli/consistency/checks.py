# SPDX-License-Identifier: Apache-2.0
"""All checks, each put together from the rows it compares."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge

from cli.consistency import (
    access,
    acts,
    authority_requests,
    blind_index,
    blocks,
    ciphertexts,
    claims,
    consents,
    destructions,
    documents,
    evidence,
    incidents,
    keys,
    notices,
    order_documents,
    orders,
    policies,
    receipts,
    recipient_names,
    releases,
    rotations,
    standing,
    store_access,
    store_claims,
    store_consent,
    store_destructions,
    store_disclosure,
    store_evidence,
    store_flooding,
    store_incidents,
    store_keys,
    store_names,
    store_notices,
    store_records,
    store_rotations,
    store_standing,
    store_vault,
    writes,
)
from cli.consistency.fault import Fault
from cli.consistency.matching import Reference, chunked, matched
from cli.consistency.records import Records
from cli.consistency.standing import Told
from cli.consistency.store_keys import OwnerRow
from cli.consistency.store_standing import HeldSlice
from services.chassis.calendar import WorkingCalendar
from services.vault.secret_key import SecretKey
from services.vault.wire_case import CLAIMS, CONSENT, DECIDER_OF, ORDERS, SCHEDULE

_DECIDERS = ("consent", "claims", "disclosure")
_AT_ONCE = 500
_TOPICS = (CONSENT, SCHEDULE, CLAIMS, ORDERS)


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the records; `holds` says in words what is to hold."""

    name: str
    holds: str
    find: Callable[[Records], Iterator[Fault]]


def all_checks(calendar: WorkingCalendar) -> tuple[Check, ...]:
    """Every check in the order of asking; due dates are reckoned with `calendar`."""

    def claims_of(records: Records) -> Iterator[Fault]:
        return _claims(records, calendar)

    def incidents_of(records: Records) -> Iterator[Fault]:
        gone = store_destructions.destroyed(records.vault)
        found = store_incidents.stories(records.claims)
        yield from incidents.incident_faults(found, calendar, gone)
        yield from _dangling(
            "claims",
            store_incidents.named_requests(records.claims),
            store_disclosure.request_ids(records.disclosure),
            "request",
        )

    return (
        Check("policies", "policy versions have no gap and their texts their digests", _policies),
        Check("consents", "every history gives what stands of it", _consents),
        Check("claims", "claims are numbered, due and answered as their steps say", claims_of),
        Check("incidents", "incidents stand as their steps on record say", incidents_of),
        Check("orders", "the broker's slices say what its orders say", _orders),
        Check("standing", "the vault stands on what the deciders pushed", _standing),
        Check("acts", "acts have come as far as the vault says", _acts),
        Check("blocks", "every open claim that blocks has its block, and no other is", _blocks),
        Check("destroyed", "who was destroyed is gone, and nobody else is", _destructions),
        Check("keys", "every wrapped key opens, and everybody has one", _keys),
        Check("rotations", "no retired key is in use, every rotation is recorded", _rotations),
        Check("ciphertexts", "every ciphertext opens in its place and version", _ciphertexts),
        Check("writes", "every version of data has its entry, every entry its data", _writes),
        Check("blind_index", "everybody is found by what they have", _blind_index),
        Check("access", "a code opens its own subject's view, once and for a while", _access),
        Check("documents", "texts and corrections of claims are in the vault", _documents),
        Check("requests", "state bodies got what two people approved, once", _authority_requests),
        Check("releases", "what left is on record with the broker and the vault", _releases),
        Check("receipts", "what recipients can prove is on record too", _receipts),
        Check("names", "recipients are told to people by the names they were let in by", _names),
        Check("notices", "whoever holds data is told of a block or an end", _notices),
        Check("order_documents", "addresses and messages are of open orders", _order_documents),
        Check("evidence", "entries are in their one form, and none is missing", _evidence),
        Check("tallies", "refusals are counted on entries that there are", _tallies),
        Check("budgets", "as many people are counted as a credential has reached", _budgets),
        Check("results", "what an idempotency key made is there", _results),
    )


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
    for decider in _DECIDERS:
        found = store_standing.outbox_without_slice(records.named(decider))
        yield from standing.outbox_faults(decider, found)


def _told(records: Records, topic: str) -> Iterator[Told]:
    pushed = store_standing.pushed(records.named(DECIDER_OF[topic]), topic)
    if topic != CONSENT:
        yield from (Told(each) for each in pushed)
        return
    histories = store_consent.histories(records.consent)
    for slice_, history in matched(pushed, histories, lambda s: s.place, lambda h: h.place):
        if slice_ is not None:
            yield Told(slice_, consents.replay(history).pushed_body if history else b"")


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


def _held(records: Records, topic: str) -> Iterator[HeldSlice]:
    if topic == CLAIMS:
        return store_standing.held_claims(records.vault)
    return store_standing.held(records.vault, topic)


def _destructions(records: Records) -> Iterator[Fault]:
    vault, keystore = records.vault, records.keystore
    yield from destructions.end_faults(
        store_destructions.ends(vault), store_destructions.stones(keystore)
    )
    yield from destructions.remains_faults(store_destructions.remains(vault))
    yield from destructions.certificate_faults(
        store_destructions.ends(vault), lambda ids: store_evidence.bodies(vault, ids)
    )
    yield from destructions.restriction_faults(
        store_destructions.ends(vault), store_destructions.restricted(keystore)
    )


def _keys(records: Records) -> Iterator[Fault]:
    source, keyring = records.keystore, records.keyring
    yield from keys.epoch_faults(store_keys.epochs(source))
    for named in (store_keys.epochs, store_keys.indexes, store_keys.sealing):
        yield from keys.named_faults(named(source), keyring)
    yield from keys.owner_faults(
        store_keys.owners(source), store_vault.owners_in_use(records.vault), keyring
    )


def _rotations(records: Records) -> Iterator[Fault]:
    yield from rotations.retired_faults(store_rotations.wrapped_by_retired(records.keystore))
    yield from rotations.rotation_faults(
        store_rotations.rotations(records.keystore),
        store_rotations.recorded_rotations(records.vault),
    )


def _ciphertexts(records: Records) -> Iterator[Fault]:
    vault = records.vault
    for sealed in (
        store_vault.current,
        store_vault.former,
        store_vault.kept_documents,
        store_vault.staged_corrections,
        store_records.recorded_visits,
        store_records.stored_purchases,
        store_access.waiting_letters,
    ):
        yield from ciphertexts.ciphertext_faults(
            sealed(vault), store_keys.owners(records.keystore), _open_key(records)
        )
    yield from ciphertexts.version_faults(
        store_vault.subject_rows(vault), store_vault.current(vault), store_vault.former(vault)
    )


def _writes(records: Records) -> Iterator[Fault]:
    vault = records.vault
    written = writes.written_data(
        store_vault.subject_rows(vault),
        store_vault.current(vault),
        store_vault.former(vault),
        store_vault.written_corrections(vault),
    )
    named = writes.named(written, store_keys.owners(records.keystore))
    for some in chunked(named, _AT_ONCE):
        bodies = store_evidence.stored_data(vault, [(w.place[0], name) for w, name in some])
        for each, pseudonym in some:
            yield from writes.write_faults(each, bodies.get((each.place[0], pseudonym), []))


def _blind_index(records: Records) -> Iterator[Fault]:
    yield from blind_index.index_faults(
        store_vault.current(records.vault),
        store_keys.owners(records.keystore),
        store_vault.index_rows(records.vault),
        keys.opened_indexes(store_keys.indexes(records.keystore), records.keyring),
        _open_key(records),
    )


def _access(records: Records) -> Iterator[Fault]:
    vault = records.vault
    yield from access.code_faults(
        store_access.codes(vault), store_access.told(vault, "access_code.issued")
    )
    yield from access.live_faults(store_access.live_codes(vault))
    yield from access.session_faults(
        store_access.codes(vault),
        store_access.sessions(vault),
        store_access.told(vault, "access_code.redeemed"),
    )
    yield from access.end_faults(
        store_access.sessions_of_subjects(vault),
        store_keys.owners(records.keystore),
        lambda names: store_access.ends(vault, names),
    )


def _open_key(records: Records) -> Callable[[OwnerRow], SecretKey]:
    return lambda owner: records.keyring.open_data_key(owner.site, owner.owner, owner.wrapped)


def _documents(records: Records) -> Iterator[Fault]:
    gone = store_destructions.destroyed(records.vault)
    sent = merge(
        store_claims.sent_documents(records.claims),
        store_disclosure.sent_texts(records.disclosure),
        key=lambda each: (each.site, each.document_id),
    )
    concluded = store_claims.concluded_corrections(records.claims)
    yield from documents.document_faults(
        (each for each in sent if (each.site, each.owner) not in gone),
        store_vault.documents_by_id(records.vault),
    )
    yield from documents.correction_faults(
        (each for each in concluded if (each.site, each.subject) not in gone),
        store_vault.corrections_by_id(records.vault),
    )


def _authority_requests(records: Records) -> Iterator[Fault]:
    yield from authority_requests.request_faults(store_disclosure.asked_by_law(records.disclosure))


def _releases(records: Records) -> Iterator[Fault]:
    broker, vault = records.disclosure, records.vault
    yield from releases.release_faults(
        store_disclosure.released(broker), store_vault.releases(vault)
    )
    yield from releases.ledger_faults(
        store_disclosure.released(broker), store_disclosure.lines_that_left(broker)
    )
    yield from releases.proof_faults(
        "vault",
        "release_entries",
        store_vault.releases(vault),
        store_evidence.permitted_releases(vault),
    )
    yield from releases.proof_faults(
        "disclosure",
        "releases",
        store_disclosure.left(broker),
        store_evidence.permitted_releases(broker),
    )


def _receipts(records: Records) -> Iterator[Fault]:
    broker = records.disclosure
    yield from receipts.receipt_faults(
        store_disclosure.answered(broker), store_evidence.receipted(broker)
    )
    yield from receipts.key_faults(
        store_disclosure.receipt_keys_kept(broker), used=store_disclosure.any_answered(broker)
    )


def _names(records: Records) -> Iterator[Fault]:
    yield from recipient_names.name_faults(
        store_names.let_in(records.disclosure), store_names.told(records.vault)
    )


def _notices(records: Records) -> Iterator[Fault]:
    broker = records.disclosure
    yield from notices.notice_faults(
        store_notices.noticed(broker), store_evidence.told_notices(broker)
    )
    yield from notices.untold_faults(store_notices.untold(broker))
    yield from notices.change_faults(
        store_notices.heard(broker), store_notices.changed(records.vault)
    )


def _order_documents(records: Records) -> Iterator[Fault]:
    vault = records.vault
    yield from order_documents.document_faults(
        store_vault.kept_for_orders(vault), store_standing.held(vault, ORDERS)
    )
    yield from order_documents.message_faults(
        store_disclosure.sealed_messages(records.disclosure),
        store_standing.held(vault, ORDERS),
        store_vault.kept_for_orders(vault),
    )


def _evidence(records: Records) -> Iterator[Fault]:
    for name in (*_DECIDERS, "vault", "gateway"):
        yield from evidence.entry_faults(name, store_evidence.evidence(records.named(name)))
    for name in _DECIDERS:
        source = records.named(name)
        yield from evidence.act_faults(
            name, store_standing.acts_by_id(source), store_evidence.entries_of_acts(source)
        )


def _tallies(records: Records) -> Iterator[Fault]:
    for name in (*_DECIDERS, "vault", "gateway"):
        source = records.named(name)
        yield from _dangling(
            name, store_evidence.tallied(source), store_evidence.entry_ids(source), "entry"
        )
    broker = records.disclosure
    yield from _dangling(
        "disclosure", store_disclosure.tallied(broker), store_disclosure.line_ids(broker), "line"
    )


def _budgets(records: Records) -> Iterator[Fault]:
    yield from rotations.budget_faults(store_rotations.budgets(records.vault))


def _results(records: Records) -> Iterator[Fault]:
    for name in _DECIDERS:
        for results, there in store_evidence.results_checked(records.named(name)):
            yield from _dangling(name, results, there, "result")


def _dangling(
    database: str,
    references: Iterable[Reference],
    targets: Iterable[str],
    target: str,
) -> Iterator[Fault]:
    what = f"the {target} that it names is not there"
    yield from evidence.dangling_faults(database, references, targets, what)

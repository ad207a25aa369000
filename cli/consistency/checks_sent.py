# SPDX-License-Identifier: Apache-2.0
"""What went from one service to another, or left the house."""

from collections.abc import Iterator
from heapq import merge

from cli.consistency import (
    authority_requests,
    documents,
    notices,
    order_documents,
    receipts,
    recipient_names,
    releases,
    store_claims,
    store_destructions,
    store_disclosure,
    store_evidence,
    store_names,
    store_notices,
    store_standing,
    store_vault,
)
from cli.consistency.check import Check
from cli.consistency.fault import Fault
from cli.consistency.records import Records
from services.vault.wire_case import ORDERS


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
        store_notices.heard(broker, store_notices.life(records.vault)),
        store_notices.changed(records.vault),
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


CHECKS = (
    Check("documents", "texts and corrections of claims are in the vault", _documents),
    Check("requests", "state bodies got what two people approved, once", _authority_requests),
    Check("releases", "what left is on record with the broker and the vault", _releases),
    Check("receipts", "what recipients can prove is on record too", _receipts),
    Check("names", "recipients are told to people by the names they were let in by", _names),
    Check("notices", "whoever holds data is told of a block or an end", _notices),
    Check("order_documents", "addresses and messages are of open orders", _order_documents),
)

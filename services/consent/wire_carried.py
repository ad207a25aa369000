# SPDX-License-Identifier: Apache-2.0
"""What the vault carried over, as events that mend a book (`docs/protocol.md`)."""

from __future__ import annotations

from collections.abc import Iterator

from qupia.vault.v1 import vault_pb2
from services.chassis.database import Connection
from services.chassis.decider.store import Key
from services.chassis.ids import new_uuid
from services.consent.book import Event, Kind
from services.consent.store_journal import Journal
from services.consent.wire import purpose_name, time_of

_VAULT = "process/vault"


def carried_events(receipt: vault_pb2.SliceReceipt) -> Iterator[Event]:
    """One event per fact; the times of the events are still to be given."""
    facts = receipt.carried_consent
    if facts.HasField("disagreed_time"):
        accepted = time_of(facts.accepted_time) if facts.HasField("accepted_time") else None
        yield Event(
            new_uuid(),
            Kind.CARRIED_DISAGREEMENT,
            time_of(facts.disagreed_time),
            _VAULT,
            "",
            policy_version=facts.accepted_version,
            carried_time=accepted,
            carried_end_time=time_of(facts.disagreed_time),
        )
    for fact in facts.consents:
        yield _consent(fact)
    for link in facts.links:
        yield Event(
            new_uuid(),
            Kind.CARRIED_LINK,
            time_of(link.link_time),
            _VAULT,
            link.proposal_id,
            account_id=link.account_id,
            carried_time=time_of(link.link_time),
            carried_end_time=time_of(link.ended_time) if link.HasField("ended_time") else None,
        )


def _consent(fact: vault_pb2.ConsentFact) -> Event:
    withdrawn = fact.HasField("withdrawn_time")
    return Event(
        new_uuid(),
        Kind.CARRIED_CONSENT if withdrawn else Kind.CARRIED_NO,
        time_of(fact.granted_time),
        _VAULT,
        fact.proposal_id,
        policy_version=fact.policy_version,
        purpose=purpose_name(fact.purpose),
        expire_time=time_of(fact.expires_time) if fact.HasField("expires_time") else None,
        carried_time=time_of(fact.granted_time),
        carried_end_time=time_of(fact.withdrawn_time if withdrawn else fact.refused_time),
    )


class Mender:
    """Mends the books of a journal with what a receipt carried."""

    def __init__(self, journal: Journal, disagreement: str) -> None:
        self._journal = journal
        self._disagreement = disagreement

    def mend(self, connection: Connection, key: Key, receipt: vault_pb2.SliceReceipt) -> None:
        """To be called before any verdict of the receipt is recorded."""
        facts = list(carried_events(receipt))
        self._journal.mend(connection, key, facts, self._disagreement)

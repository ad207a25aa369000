# SPDX-License-Identifier: Apache-2.0
"""Credentials that were presented and refused are in evidence (clause 1.1.1), as tallies.

A flood of bad keys must neither fill the evidence nor slow down the look-up of good ones. So a
refusal is counted in memory, and what was counted is written once a second, in one transaction: one
entry per kind of refusal and minute, with its count beside it. A key that was once issued is named,
as is its holder; of an unknown one nothing is known that could be told. A request without any
credential is no refused credential: the gateway's figures count it.

A gateway that is killed loses the count of its last second. Nothing was given to anybody for it.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gateway.credential import Credential
from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.evidence import Entry
from services.chassis.refusal import PermissionDenied, Unauthenticated

_EVENT, _CLAUSE = "credential.refused", "1.1.1"
_SECONDS = 1.0


class Rule(StrEnum):
    """Why a credential was refused."""

    KEY_UNKNOWN = "key-unknown"
    KEY_EXPIRED = "key-expired"
    KEY_REVOKED = "key-revoked"
    SITE_ANOTHER = "site-another"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_UNVERIFIED = "certificate-unverified"


@dataclass(frozen=True, slots=True)
class RefusedCredential:
    """A kind of refusal; `credential` is None where it is of no key that was ever issued."""

    rule: Rule
    credential: Credential | None = None

    def entry(self) -> Entry:
        """The entry that stands for all of its kind in a minute."""
        holder = self.credential.holder if self.credential else None
        refusal = PermissionDenied if self.rule is Rule.SITE_ANOTHER else Unauthenticated
        refs = {"rule": str(self.rule)}
        if self.credential is not None:
            refs["credential_id"] = self.credential.credential_id
        return Entry(
            event=_EVENT,
            verb="",
            outcome=evidence.REFUSED,
            site_id=holder.site_id if holder else "",
            principal=holder.principal_id if holder else "unknown/gateway",
            role=holder.role.value if holder else "",
            clause=_CLAUSE,
            reason=refusal.reason,
            refs=refs,
        )


Note = Callable[[RefusedCredential], None]
"""Hears of a refused credential; neither blocks nor raises."""


def unheard(_: RefusedCredential) -> None:
    """For whoever looks keys up without a caller behind it."""


class RefusedCredentials:
    """Counts refusals, and writes the counts down. There are as many kinds as keys and rules."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._counted: Counter[RefusedCredential] = Counter()
        self._lock = threading.Lock()

    def note(self, refused: RefusedCredential) -> None:
        """Count one."""
        with self._lock:
            self._counted[refused] += 1

    def write(self) -> float:
        """Write down what was counted since; returns the seconds until the next time.

        Raises Unavailable where that cannot be: it stays counted.
        """
        with self._lock:
            counted, self._counted = self._counted, Counter()
        if counted:
            try:
                self._record(counted)
            except BaseException:
                with self._lock:
                    self._counted.update(counted)
                raise
        return _SECONDS

    def _record(self, counted: Counter[RefusedCredential]) -> None:
        tallied = [(refused.entry(), times) for refused, times in counted.items()]
        with self._database.transaction() as connection:
            evidence.append_counted(connection, tallied, self._clock.now())

# SPDX-License-Identifier: Apache-2.0
"""How many different subjects a credential may reach on a day (architecture, section 4).

Only credentials with a budget are counted, and only a subject that is new to them on that day takes
a lock: on the credential's count, to the end of the transaction. Where the budget is used up,
subjects that were reached before stay within reach.

A subject is remembered by a digest with a key of the service and the day, so that nobody's id is
left behind. The day is that of Almaty.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.chassis.database import Connection
from services.vault import store_budgets
from services.vault.store_budgets import Spender

LOCAL = ZoneInfo("Asia/Almaty")
_BYTES = 16
_PURPOSE = b"qupia daily budget"


def local_day(now: datetime) -> date:
    """The day on which `now` falls for the budgets."""
    return now.astimezone(LOCAL).date()


@dataclass(frozen=True, slots=True)
class Reach:
    """A credential with a budget of `limit` subjects is about to reach `whom`.

    `whom` is a subject's id, or the contact by which somebody was sought and not found.
    """

    site: str
    principal: str
    limit: int
    whom: str = member(repr=False)

    @property
    def spender(self) -> Spender:
        """Whose budget it is."""
        return self.site, self.principal


class DailyBudget:
    """Counts; `secret` keys the digests."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, hashlib.sha256)

    def admit(self, connection: Connection, reaches: Sequence[Reach], now: datetime) -> list[bool]:
        """Whether each is within its budget; those that are have spent it when this commits.

        Budgets are locked in one order everywhere, after the subjects.
        """
        day = local_day(now)
        marks = [self._mark(reach, day) for reach in reaches]
        by_spender: dict[Spender, dict[bytes, int]] = {}
        for reach, mark in zip(reaches, marks, strict=True):
            by_spender.setdefault(reach.spender, {})[mark] = reach.limit
        admitted = {
            (spender, mark)
            for spender in sorted(by_spender)
            for mark in _admitted(connection, spender, day, by_spender[spender])
        }
        return [
            (reach.spender, mark) in admitted for reach, mark in zip(reaches, marks, strict=True)
        ]

    def _mark(self, reach: Reach, day: date) -> bytes:
        text = f"{reach.site}\0{reach.principal}\0{day.isoformat()}\0{reach.whom}"
        return hmac.digest(self._key, text.encode(), hashlib.sha256)[:_BYTES]


def _admitted(
    connection: Connection, spender: Spender, day: date, limits: Mapping[bytes, int]
) -> set[bytes]:
    """Those of the marks that stand, and those that the budget still has room for."""
    standing = store_budgets.marked(connection, spender, day, limits)
    if len(standing) == len(limits):
        return standing
    spent = store_budgets.lock_spent(connection, spender, day)
    # Under the lock: another transaction may have added the same subjects meanwhile.
    standing = store_budgets.marked(connection, spender, day, limits)
    room = max(0, min(limits.values()) - spent)
    fresh = [mark for mark in limits if mark not in standing][:room]
    if fresh:
        store_budgets.spend(connection, spender, day, fresh)
    return standing | set(fresh)

# SPDX-License-Identifier: Apache-2.0
"""What the clock of a claim tells, and in which words (clauses 8.2, 8.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.chassis.deadline import local_date
from services.chassis.sites import Operator
from services.claims.answer import Sending
from services.claims.claim import Claim
from services.claims.state import Verification


class NoticeKind(StrEnum):
    """What is told: the first to the claimant, the others to the officers."""

    NO_ANSWER = "NO_ANSWER"
    DUE_IN_10_DAYS = "DUE_IN_10_DAYS"
    DUE_IN_3_DAYS = "DUE_IN_3_DAYS"


REMINDERS: Final = {10: NoticeKind.DUE_IN_10_DAYS, 3: NoticeKind.DUE_IN_3_DAYS}


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice and how far its way has come. Times are aware, in UTC.

    `address_id` is the sealed address of the claimant; None: to the officers, or not by e-mail.
    """

    kind: NoticeKind
    sending: Sending
    address_id: str | None
    attempts: int
    next_time: datetime
    create_time: datetime
    channel: str | None = None
    dispatch_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    subject: str
    text: str
    blocked: str


_NO_ANSWER: Final[Mapping[str, _Words]] = {
    "kk": _Words(
        "№ {claim} талабыңызға мерзімінде жауап берілмеді",
        "{received} алынған № {claim} талабыңызға {due} дейін жазбаша жауап берілмеді.\n\n"
        "Құпиялылық саясатының 8.3-тармағына сәйкес дауды сот органының қарауына беруге "
        "құқылысыз. Талап ашық қалады: жауап кешігіп те беріледі.\n",
        "Деректеріңіздің бұғатталуы тексеру аяқталғанша күшінде қалады.\n",
    ),
    "ru": _Words(
        "На Вашу претензию № {claim} не ответили в срок",
        "На Вашу претензию № {claim}, полученную {received}, письменный ответ до {due} "
        "включительно дан не был.\n\nСогласно пункту 8.3 политики конфиденциальности Вы вправе "
        "передать спор на рассмотрение судебного органа. Претензия остаётся открытой: ответ даётся "
        "и с опозданием.\n",
        "Блокирование Ваших данных остаётся в силе до окончания проверки.\n",
    ),
    "en": _Words(
        "Your claim No. {claim} was not answered in time",
        "Your claim No. {claim}, received on {received}, was not answered in writing by {due}.\n\n"
        "Under clause 8.3 of the privacy policy you may refer the dispute to a judicial body. The "
        "claim stays open: an answer is due also when it is late.\n",
        "The block of your data stays in force until the verification has ended.\n",
    ),
}
_REMINDER: Final = (
    "№ {claim}: {due} дейін жауап беру қажет, {days} күн қалды.\n"
    "№ {claim}: ответ нужен до {due} включительно, осталось дней: {days}.\n"
    "No. {claim}: to be answered by {due}, {days} days are left.\n"
)


def no_answer_message(claim: Claim, operator: Operator) -> tuple[str, str]:
    """Subject and text of the letter that tells a claimant that nobody answered in time."""
    words = _NO_ANSWER[claim.language]
    told = {
        "claim": claim.number,
        "received": _day(local_date(claim.receipt_time)),
        "due": _day(claim.deadline.due_date),
    }
    text = words.text.format(**told)
    if claim.blocks and not claim.released and claim.verification is Verification.OPEN:
        text += words.blocked
    return words.subject.format(**told), f"{text}\n{operator.name}\n{operator.contact}\n"


def reminder_message(claim: Claim, days: int) -> tuple[str, str]:
    """Subject and text of the letter that reminds officers; it names no person."""
    told = {"claim": claim.number, "due": _day(claim.deadline.due_date), "days": days}
    return f"{claim.number}: {told['due']}", _REMINDER.format(**told)


def _day(day: object) -> str:
    return f"{day:%d.%m.%Y}"

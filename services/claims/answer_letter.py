# SPDX-License-Identifier: Apache-2.0
"""The words of a written answer in kk, ru and en, as `answer.typ` prints them (clause 8.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from services.chassis.deadline import local_date
from services.chassis.sites import Operator
from services.chassis.typeset import typeset
from services.claims.claim import Claim
from services.claims.state import Answer, Decision

_TEMPLATE: Final = Path(__file__).with_name("answer.typ")


@dataclass(frozen=True, slots=True)
class _Words:
    """What the letter says in one language; braces are filled in."""

    title: str
    registration: str
    number: str
    subject: str
    decisions: Mapping[Decision, str]
    court: str
    signature: str
    message_subject: str
    message: str


_WORDS: Final[Mapping[str, _Words]] = {
    "kk": _Words(
        title="Талапқа жауап",
        registration="БСН {bin}",
        number="№ {number}",
        subject="{received} алынған № {claim} талабыңызды қарадық. Қарау нәтижесі:",
        decisions={
            Decision.SATISFIED: "Талап қанағаттандырылды.",
            Decision.PARTLY_SATISFIED: "Талап ішінара қанағаттандырылды.",
            Decision.REJECTED: "Талап қанағаттандырылмады.",
        },
        court=(
            "Жауаппен келіспеген жағдайда дау қолданыстағы заңнамаға сәйкес сот органының "
            "қарауына беріледі (құпиялылық саясатының 8.3-тармағы)."
        ),
        signature=(
            "Құжатқа бөлек электрондық қол қойылды (Ed25519). Қол қою кілті: {key}. Тексеру кілті "
            "сайт операторынан беріледі."
        ),
        message_subject="№ {claim} талабыңызға жауап",
        message="№ {claim} талабыңызға жазбаша жауап осы хатқа қоса беріліп отыр.\n\n{operator}\n",
    ),
    "ru": _Words(
        title="Ответ на претензию",
        registration="БИН {bin}",
        number="№ {number}",
        subject="Ваша претензия № {claim}, полученная {received}, рассмотрена. Результат:",
        decisions={
            Decision.SATISFIED: "Претензия удовлетворена.",
            Decision.PARTLY_SATISFIED: "Претензия удовлетворена частично.",
            Decision.REJECTED: "Претензия не удовлетворена.",
        },
        court=(
            "При недостижении соглашения спор передаётся на рассмотрение в судебный орган в "
            "соответствии с действующим законодательством (пункт 8.3 политики конфиденциальности)."
        ),
        signature=(
            "Документ подписан отсоединённой электронной подписью (Ed25519). Ключ подписи: {key}. "
            "Ключ для проверки предоставляет оператор сайта."
        ),
        message_subject="Ответ на Вашу претензию № {claim}",
        message="Письменный ответ на Вашу претензию № {claim} приложен к письму.\n\n{operator}\n",
    ),
    "en": _Words(
        title="Answer to a claim",
        registration="BIN {bin}",
        number="No. {number}",
        subject="Your claim No. {claim}, received on {received}, has been considered. Result:",
        decisions={
            Decision.SATISFIED: "The claim is satisfied.",
            Decision.PARTLY_SATISFIED: "The claim is satisfied in part.",
            Decision.REJECTED: "The claim is not satisfied.",
        },
        court=(
            "If agreement is not reached, the dispute is referred to a judicial body in accordance "
            "with the legislation in force (clause 8.3 of the privacy policy)."
        ),
        signature=(
            "This document carries a detached electronic signature (Ed25519). Signing key: {key}. "
            "The operator of the site gives the key that verifies it."
        ),
        message_subject="Answer to your claim No. {claim}",
        message="The written answer to your claim No. {claim} is attached.\n\n{operator}\n",
    ),
}


def letter_number(claim_number: str) -> str:
    """The number of a claim's letter."""
    return f"{claim_number}/1"


def compose_letter(
    claim: Claim, answer: Answer, operator: Operator, key_id: str, moment: datetime
) -> bytes:
    """The letter as a PDF in the language of the claim; `key_id` names the key that will sign it.

    `moment` (aware) is when it was written. The same input makes the same bytes.
    """
    words = _WORDS[claim.language]
    number = letter_number(claim.number)
    data = {
        "title": words.title,
        "language": claim.language,
        "operator": {
            "name": operator.name,
            "registration": words.registration.format(bin=operator.bin),
            "address": operator.address,
            "contact": operator.contact,
        },
        "number": number,
        "number_line": words.number.format(number=number),
        "day": _day(moment),
        "subject": words.subject.format(claim=claim.number, received=_day(claim.receipt_time)),
        "decision": words.decisions[answer.decision],
        "paragraphs": [line.strip() for line in answer.text.splitlines() if line.strip()],
        "court": words.court,
        "signatory": answer.signatory,
        "signature": words.signature.format(key=key_id),
    }
    return typeset(_TEMPLATE, data, moment)


def message_of(language: str, claim_number: str, operator: Operator) -> tuple[str, str]:
    """Subject and text of the e-mail that carries the letter."""
    words = _WORDS[language]
    text = words.message.format(claim=claim_number, operator=operator.name)
    return words.message_subject.format(claim=claim_number), text


def _day(moment: datetime) -> str:
    return f"{local_date(moment):%d.%m.%Y}"

# SPDX-License-Identifier: Apache-2.0
"""The statutory notice of an incident, in kk, ru and en, without personal data (R481; law.md 2.6).

The names and numbers by which the state tells those affected leave through a request of clause
5.3, which the notice names; they never stand in this file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.chassis.deadline import local_time
from services.chassis.sites import Operator
from services.chassis.typeset import Page, Section, typeset_page
from services.claims.incident import Incident


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    operator: Sequence[str]
    incident: Sequence[str]
    measures: str
    no_measures: str
    affected: str
    pending: str
    request: str
    names: Mapping[str, str]


_WORDS: Final[Mapping[str, _Words]] = {
    "kk": _Words(
        "Дербес деректер қауіпсіздігінің бұзылуы туралы хабарлама",
        ("Оператор", "Атауы", "БСН", "Мекенжайы", "Жауапты тұлға", "Байланыс"),
        (
            "Оқиға",
            "Не болды",
            "Себебі",
            "Ниеті",
            "Анықталған уақыты",
            "Хабарлау мерзімі",
            "Зардап шеккендер саны",
        ),
        "Қабылданған шаралар",
        "Шаралар хабарламаға дейін жазылмаған.",
        "Зардап шеккендерді хабардар етуге қажет деректер",
        "Аты-жөні және ұялы телефон нөмірі саясаттың 5.3-тармағы бойынша сұрау салумен беріледі; "
        "сұрау салу әлі тіркелмеген.",
        "Аты-жөні және ұялы телефон нөмірі № {request} сұрау салу бойынша беріледі (5.3-тармақ).",
        {
            "LOST": "деректер жоғалды",
            "DISCLOSED": "деректер жария болды",
            "UNAUTHORISED_ACCESS": "рұқсатсыз қол жеткізу",
            "EMPLOYEE_ERROR": "қызметкердің қатесі",
            "EMPLOYEE_ACT": "қызметкердің әрекеті",
            "TECHNICAL_FAILURE": "техникалық ақау",
            "RECIPIENT": "алушының әрекеті",
            "OTHER": "басқа",
            "UNDETERMINED": "анықталуда",
            "INTENTIONAL": "қасақана",
            "NOT_INTENTIONAL": "қасақана емес",
            "UNKNOWN": "анықталуда",
        },
    ),
    "ru": _Words(
        "Уведомление о нарушении безопасности персональных данных",
        ("Оператор", "Наименование", "БИН", "Адрес", "Ответственное лицо", "Контакт"),
        (
            "Инцидент",
            "Что произошло",
            "Причина",
            "Умысел",
            "Обнаружен",
            "Срок уведомления",
            "Затронуто субъектов",
        ),
        "Принятые меры",
        "До составления уведомления меры не записаны.",
        "Данные, необходимые для уведомления субъектов",
        "Имена и номера мобильных телефонов передаются по запросу согласно пункту 5.3 политики; "
        "запрос ещё не зарегистрирован.",
        "Имена и номера мобильных телефонов передаются по запросу № {request} (пункт 5.3).",
        {
            "LOST": "утрата данных",
            "DISCLOSED": "разглашение данных",
            "UNAUTHORISED_ACCESS": "несанкционированный доступ",
            "EMPLOYEE_ERROR": "ошибка работника",
            "EMPLOYEE_ACT": "действия работника",
            "TECHNICAL_FAILURE": "технический сбой",
            "RECIPIENT": "действия получателя",
            "OTHER": "другое",
            "UNDETERMINED": "устанавливается",
            "INTENTIONAL": "умышленно",
            "NOT_INTENTIONAL": "неумышленно",
            "UNKNOWN": "устанавливается",
        },
    ),
    "en": _Words(
        "Notice of a breach of the security of personal data",
        ("Operator", "Name", "BIN", "Address", "Person responsible", "Contact"),
        (
            "Incident",
            "What happened",
            "Cause",
            "Intent",
            "Detected",
            "Notice due",
            "Subjects affected",
        ),
        "Measures taken",
        "No measures were written down before this notice.",
        "Data needed to notify the subjects",
        "Names and mobile numbers are given by a request under clause 5.3 of the policy; none is "
        "registered yet.",
        "Names and mobile numbers are given by request {request} (clause 5.3).",
        {
            "LOST": "data were lost",
            "DISCLOSED": "data were disclosed",
            "UNAUTHORISED_ACCESS": "unauthorised access",
            "EMPLOYEE_ERROR": "error of an employee",
            "EMPLOYEE_ACT": "act of an employee",
            "TECHNICAL_FAILURE": "technical failure",
            "RECIPIENT": "act of a recipient",
            "OTHER": "other",
            "UNDETERMINED": "being established",
            "INTENTIONAL": "intended",
            "NOT_INTENTIONAL": "not intended",
            "UNKNOWN": "being established",
        },
    ),
}


def compose_notice(
    incident: Incident,
    operator: Operator,
    measures: Sequence[str],
    language: str,
    moment: datetime,
) -> bytes:
    """The notice as a PDF; `measures` are what officers wrote of what was done, oldest first."""
    words = _WORDS[language]
    who, name, bin_, address, responsible, contact = words.operator
    what, kind, cause, intent, detected, due, affected = words.incident
    requests = [n.authority_request_id for n in incident.notices if n.authority_request_id]
    sections = [
        Section(
            who,
            rows=(
                (name, operator.name),
                (bin_, operator.bin),
                (address, operator.address),
                (responsible, operator.responsible),
                (contact, operator.contact),
            ),
        ),
        Section(
            what,
            rows=(
                (kind, words.names[incident.kind]),
                (cause, words.names[incident.cause]),
                (intent, words.names[incident.intent]),
                (detected, _minute(incident.detect_time)),
                (due, f"{incident.deadline.due_date:%d.%m.%Y}"),
                (affected, str(incident.affected)),
            ),
        ),
        Section(words.measures, list(measures) or [words.no_measures]),
        Section(
            words.affected,
            [words.request.format(request=each) for each in requests] or [words.pending],
        ),
    ]
    page = Page(words.title, language, incident.incident_id, sections)
    return typeset_page(page, moment)


def _minute(moment: datetime) -> str:
    return f"{local_time(moment):%d.%m.%Y %H:%M %z}"

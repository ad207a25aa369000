# SPDX-License-Identifier: Apache-2.0
"""What a person reads of what was done with their data, in kk, ru and en (clause 1.1.3).

Each language has words of its own for the contract's closed lists; what a list has and this page
does not know yet is told by its code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

LANGUAGES: Final = ("kk", "ru", "en")
DEFAULT_LANGUAGE: Final = "kk"

Triple = tuple[str, str, str]

VERBS: Final[Mapping[str, Triple]] = {
    "COLLECT": ("жинау", "сбор", "collection"),
    "RECORD": ("жазу", "запись", "recording"),
    "SYSTEMATISE": ("жүйелеу", "систематизация", "systematisation"),
    "ACCUMULATE": ("жинақтау", "накопление", "accumulation"),
    "STORE": ("сақтау", "хранение", "storage"),
    "CLARIFY": ("нақтылау (жаңарту, өзгерту)", "уточнение, изменение", "clarification"),
    "RETRIEVE": ("алу", "извлечение", "retrieval"),
    "USE": ("пайдалану", "использование", "use"),
    "TRANSFER": ("беру", "передача", "transfer"),
    "DEPERSONALISE": ("иесіздендіру", "обезличивание", "depersonalisation"),
    "BLOCK": ("бұғаттау", "блокирование", "blocking"),
    "DELETE": ("жою", "удаление", "deletion"),
    "DESTROY": ("біржола жою", "уничтожение", "destruction"),
}
ROLES: Final[Mapping[str, Triple]] = {
    "STOREFRONT": ("дүкен", "магазин", "storefront"),
    "RECIPIENT": ("алушы", "получатель", "recipient"),
    "CLAIMS_OFFICER": (
        "талаптарды қарайтын қызметкер",
        "сотрудник по претензиям",
        "claims officer",
    ),
    "PRIVACY_OFFICER": (
        "дербес деректерге жауапты қызметкер",
        "ответственный за персональные данные",
        "privacy officer",
    ),
    "KEY_CUSTODIAN": ("кілт сақтаушы", "хранитель ключей", "key custodian"),
    "AUDITOR": ("аудитор", "аудитор", "auditor"),
    "PARTNER": ("серіктес", "партнёр", "partner"),
    "SUBJECT": ("өзіңіз", "вы сами", "yourself"),
}
PROCESSES: Final[Mapping[str, Triple]] = {
    "process/consent": ("келісімдер қызметі", "служба согласий", "consent service"),
    "process/vault": ("деректер қоймасы", "хранилище данных", "vault"),
    "process/disclosure": (
        "деректерді беру қызметі",
        "служба передачи данных",
        "disclosure service",
    ),
    "process/claims": ("талаптар қызметі", "служба претензий", "claims service"),
    "process/gateway": ("шлюз", "шлюз", "gateway"),
    "anyone": ("кодты енгізген адам", "тот, кто ввёл код", "whoever entered the code"),
}
OUTCOMES: Final[Mapping[str, Triple]] = {
    "DONE": ("орындалды", "выполнено", "done"),
    "PERMITTED": ("рұқсат етілді", "разрешено", "permitted"),
    "REFUSED": ("бас тартылды", "отказано", "refused"),
}
EVENTS: Final[Mapping[str, Triple]] = {
    "data.stored": ("деректер сақталды", "данные сохранены", "data were stored"),
    "data.read": ("деректер оқылды", "данные прочитаны", "data were read"),
    "data.read_for_verification": (
        "талапты тексеру үшін деректер оқылды",
        "данные прочитаны для проверки претензии",
        "data were read to verify a claim",
    ),
    "data.read_for_release": (
        "тапсырысты жеткізушіге деректер берілді",
        "данные переданы исполнителю заказа",
        "data were given to who fulfils the order",
    ),
    "data.read_for_authority": (
        "заң негізінде мемлекеттік органға деректер берілді",
        "данные переданы государственному органу на основании закона",
        "data were given to a state body on a ground of law",
    ),
    "subjects.found": ("байланыс бойынша іздеу", "поиск по контакту", "found by a contact"),
    "standing.read": ("күйі қаралды", "просмотрено состояние", "the standing was looked at"),
    "visits.recorded": ("сайтқа кіру жазылды", "записано посещение сайта", "a visit was recorded"),
    "purchase.stored": ("сатып алу сақталды", "покупка сохранена", "a purchase was stored"),
    "consent_slice.applied": (
        "келісім туралы сөзіңіз күшіне енді",
        "ваше слово о согласии вступило в силу",
        "what you said of consent came into force",
    ),
    "order_slice.applied": (
        "тапсырыс пен оны жеткізуші жазылды",
        "записаны заказ и его исполнитель",
        "an order and who delivers it were recorded",
    ),
    "claims_slice.applied": (
        "талап бойынша деректер күйі өзгерді",
        "состояние данных изменено по претензии",
        "the state of the data changed by a claim",
    ),
    "use.stored": (
        "сайтты пайдалану жазылды",
        "записано использование сайта",
        "a use was recorded",
    ),
    "document.stored": ("құжат сақталды", "документ сохранён", "a document was stored"),
    "document.read": ("құжат оқылды", "документ прочитан", "a document was read"),
    "correction.staged": (
        "түзету дайындалды",
        "подготовлено исправление",
        "a correction was staged",
    ),
    "access_code.issued": (
        "деректерді қарау коды шығарылды",
        "выпущен код для просмотра данных",
        "a code for your own view was issued",
    ),
    "access_code.redeemed": (
        "деректерді қарау коды енгізілді",
        "введён код для просмотра данных",
        "a code for your own view was entered",
    ),
    "access.ended": (
        "кодтар мен сеанстар тоқтатылды",
        "коды и сеансы прекращены",
        "codes and sessions were ended",
    ),
    "subject.exported": ("деректер сізге берілді", "данные выданы вам", "data were given to you"),
    "subject.printed": (
        "деректер сізге басып шығарылды",
        "данные распечатаны для вас",
        "data were printed for you",
    ),
    "processing.listed": (
        "әрекеттер тізімі сізге көрсетілді",
        "вам показан список действий",
        "you were shown what was done",
    ),
}
PURPOSES: Final[Mapping[str, Triple]] = {
    "IDENTIFY_FOR_ORDER": (
        "тапсырыс үшін сәйкестендіру",
        "идентификация для заказа",
        "identification for an order",
    ),
    "PERSONAL_RESOURCES": (
        "дербестендірілген ресурстар",
        "персонализированные ресурсы",
        "personal resources",
    ),
    "FEEDBACK": ("кері байланыс", "обратная связь", "feedback"),
    "SECURITY_LOCATION": (
        "қауіпсіздік үшін орналасқан жер",
        "местонахождение для безопасности",
        "location for security",
    ),
    "VERIFY_DATA": (
        "деректердің дұрыстығын растау",
        "подтверждение достоверности данных",
        "confirmation of the data",
    ),
    "ACCOUNT": ("есептік жазба", "учётная запись", "account"),
    "ORDER_STATUS": ("тапсырыс күйі", "состояние заказа", "status of the order"),
    "PAYMENT": ("төлем", "оплата", "payment"),
    "SUPPORT": ("клиенттік қолдау", "клиентская поддержка", "support"),
    "NEWS": ("жаңалықтар мен ұсыныстар", "новости и предложения", "news and offers"),
    "ADVERTISING": ("жарнама", "реклама", "advertising"),
    "PARTNER_SITES": ("серіктестердің сайттары", "сайты партнёров", "partners' sites"),
    "AUTOMATED_DECISION": (
        "автоматтандырылған шешім",
        "автоматизированное решение",
        "automated decision",
    ),
}
FIELDS: Final[Mapping[str, Triple]] = {
    "familyName": ("тегі", "фамилия", "family name"),
    "givenName": ("аты", "имя", "given name"),
    "patronymic": ("әкесінің аты", "отчество", "patronymic"),
    "phone": ("телефон", "телефон", "telephone"),
    "email": ("электрондық пошта", "электронная почта", "e-mail"),
    "address": ("мекенжай", "адрес", "address"),
    "purchases": ("сатып алулар", "покупки", "purchases"),
    "technical.ip": ("IP-мекенжай", "IP-адрес", "IP address"),
    "technical.cookie": ("cookie", "cookie", "cookie"),
    "technical.userAgent": ("браузер", "браузер", "browser"),
    "technical.accessTime": ("кіру уақыты", "время доступа", "access time"),
    "technical.page": ("бет", "страница", "page"),
    "technical.referrer": ("алдыңғы бет", "предыдущая страница", "previous page"),
}
SUPPLIERS: Final[Mapping[str, Triple]] = {
    "SUBJECT": ("өзіңіз", "вы сами", "yourself"),
    "REPRESENTATIVE": ("өкіліңіз", "ваш представитель", "your representative"),
    "STOREFRONT_IMPORT": ("дүкеннің көшірмесі", "перенос из магазина", "the storefront's import"),
    "VERIFICATION": ("тексеру нәтижесі", "результат проверки", "the outcome of a verification"),
}
STATES: Final[Mapping[str, Triple]] = {
    "ACTIVE": ("шектеу жоқ", "ограничений нет", "no restriction"),
    "BLOCKED": (
        "тексеру кезеңінде бұғатталған",
        "заблокированы на период проверки",
        "blocked for the period of verification",
    ),
    "RESTRICTED": (
        "шектелген, жойылуы тиіс",
        "ограничены, подлежат уничтожению",
        "restricted, to be destroyed",
    ),
}
RECIPIENTS: Final[Mapping[str, Triple]] = {
    "COURIER": ("курьерлік қызмет", "курьерская служба", "courier service"),
    "POSTAL": ("пошта ұйымы", "почтовая организация", "postal organization"),
    "TELECOM": ("байланыс операторы", "оператор связи", "telecommunications operator"),
    "STATE_BODY": ("мемлекеттік орган", "государственный орган", "state body"),
}
GROUNDS: Final[Mapping[str, Triple]] = {
    "COURT_ACT": ("сот актісі", "судебный акт", "a court's act"),
    "CRIMINAL_PROCEDURE": (
        "қылмыстық іс жүргізу",
        "уголовное производство",
        "criminal procedure",
    ),
    "ADMINISTRATIVE_PROCEDURE": (
        "әкімшілік іс жүргізу",
        "административное производство",
        "administrative procedure",
    ),
    "ENFORCEMENT_PROCEDURE": (
        "атқарушылық іс жүргізу",
        "исполнительное производство",
        "enforcement procedure",
    ),
    "PROSECUTOR_ACT": ("прокурор актісі", "акт прокурора", "a prosecutor's act"),
    "COMPLAINT_VERIFICATION": (
        "шағымды тексеру",
        "проверка жалобы",
        "verification of a complaint",
    ),
    "OTHER": ("заңның өзге негізі", "иное основание закона", "another ground of the law"),
}
DOCUMENTS: Final[Mapping[str, Triple]] = {
    "STATEMENT": ("талап мәтіні", "текст претензии", "statement of a claim"),
    "DEMAND": ("талап ету", "требование", "demand"),
    "PROPOSED_CORRECTION": ("ұсынылған түзету", "предложенное исправление", "proposed correction"),
    "REPLY_ADDRESS": ("жауап мекенжайы", "адрес для ответа", "address for the answer"),
    "ANSWER": ("жауап", "ответ", "answer"),
    "MESSAGE_TEXT": ("хабарлама", "сообщение", "message"),
}


def in_words(words: Mapping[str, Triple], code: str, language: str) -> str:
    """A code in a language; the code itself where there is no word for it."""
    found = words.get(code)
    return found[LANGUAGES.index(language)] if found else code


def who(principal: str, role: str, language: str) -> str:
    """By whom, in words: the role or process, and the name that evidence has of it."""
    process = PROCESSES.get(principal)
    if process:
        return process[LANGUAGES.index(language)]
    if role == "SUBJECT":
        return in_words(ROLES, role, language)
    name = principal.partition("/")[2] or principal
    return f"{in_words(ROLES, role, language)} «{name}»" if role else name


def act_in_words(act: Mapping[str, object], reason: str, language: str) -> str:
    """An act of `own_view.act_of` as a sentence; `reason` is the refusal's title."""
    event = str(act.get("event", ""))
    what = in_words(EVENTS, event, language)
    if what == event:
        what = in_words(VERBS, str(act.get("verb", "")), language)
    outcome = in_words(OUTCOMES, str(act.get("outcome", "")), language)
    parts = [f"{what}: {outcome}", who(str(act["principal"]), str(act.get("role", "")), language)]
    if act.get("purpose"):
        purpose = in_words(PURPOSES, str(act["purpose"]), language)
        parts.append(f"{_label('purpose', language)}: {purpose}")
    named = act.get("fields")
    if isinstance(named, Sequence) and named:
        listed = ", ".join(in_words(FIELDS, str(name), language) for name in named)
        parts.append(f"{_label('data', language)}: {listed}")
    named_ids = [name for name in ("orderId", "claimId") if act.get(name)]
    parts += [f"{_label(name, language)}: {act[name]}" for name in named_ids]
    if act.get("recipientId"):
        recipient = recipient_in_words(act, language)
        parts.append(f"{_label('recipientId', language)}: {recipient}")
        if act.get("ground"):
            ground = in_words(GROUNDS, str(act["ground"]), language)
            parts.append(f"{_label('ground', language)}: {ground}")
        if act.get("clause"):
            parts.append(f"{_label('clause', language)} {act['clause']}")
    if reason:
        parts.append(reason)
    return "; ".join(parts)


def recipient_in_words(told: Mapping[str, object], language: str) -> str:
    """A recipient by kind, name and BIN; by its id where nobody was told who it is."""
    kind = in_words(RECIPIENTS, str(told.get("recipientKind", "")), language)
    if "recipientName" not in told:
        return f"{kind} {told['recipientId']}".strip()
    bin_number = f"{_label('bin', language)} {told['recipientBin']}"
    return f"{kind} {told['recipientName']}, {bin_number}"


LABELS: Final[Mapping[str, Triple]] = {
    "title": ("Сіздің дербес деректеріңіз", "Ваши персональные данные", "Your personal data"),
    "purpose": ("мақсаты", "цель", "purpose"),
    "data": ("деректер", "данные", "data"),
    "orderId": ("тапсырыс", "заказ", "order"),
    "claimId": ("талап", "претензия", "claim"),
    "recipientId": ("алушы", "получатель", "recipient"),
    "ground": ("негізі", "основание", "ground"),
    "clause": ("саясаттың тармағы", "пункт политики", "clause of the policy"),
    "operator": ("Оператор", "Оператор", "Operator"),
    "bin": ("БСН", "БИН", "BIN"),
    "contact": ("байланыс", "контакты", "contact"),
    "responsible": (
        "өңдеуді ұйымдастыруға жауапты",
        "ответственный за организацию обработки",
        "responsible for organizing the processing",
    ),
    "site": ("Сайт", "Сайт", "Site"),
    "subject": ("Субъект нөмірі", "Номер субъекта", "Subject number"),
    "linked": (
        "Сізге байланыстырылған келуші",
        "Посетитель, связанный с вами",
        "A visitor linked to you",
    ),
    "state": ("Деректердің күйі", "Состояние данных", "State of the data"),
    "since": ("бастап", "с", "since"),
    "current": ("Ағымдағы деректер", "Текущие данные", "Present data"),
    "history": ("Бұрынғы деректер", "Прежние данные", "Former data"),
    "consents": ("Келісімдер", "Согласия", "Consents"),
    "accepted": (
        "Қабылданған саясат нұсқасы",
        "Принятая версия политики",
        "Accepted policy version",
    ),
    "disagreed": ("Келіспеу білдірілді", "Выражено несогласие", "Disagreement was stated"),
    "given": ("берілген", "дано", "given"),
    "ends": ("мерзімі", "срок до", "ends"),
    "withdrawn": ("қайтарып алынған", "отозвано", "withdrawn"),
    "refused": ("бас тартылған", "отказано", "refused"),
    "blocks": ("Бұғаттаулар", "Блокировки", "Blocks"),
    "outcome": ("нәтижесі", "итог", "outcome"),
    "open": ("тексерілуде", "проверяется", "being verified"),
    "recipients": (
        "Тапсырыстар және деректер кімге берілді",
        "Заказы и кому переданы данные",
        "Orders, and to whom data were given",
    ),
    "purchases": ("Сатып алулар", "Покупки", "Purchases"),
    "visits": ("Сайтқа кірулер", "Посещения сайта", "Visits"),
    "documents": ("Құжаттар", "Документы", "Documents"),
    "corrections": ("Түзетулер", "Исправления", "Corrections"),
    "processing": (
        "Деректеріңізбен не істелді",
        "Что делалось с вашими данными",
        "What was done with your data",
    ),
    "field": ("дерек", "данные", "datum"),
    "value": ("мәні", "значение", "value"),
    "supplier": ("кім берді", "кто предоставил", "supplied by"),
    "form": ("нысан", "форма", "form"),
    "time": ("уақыты", "время", "time"),
    "until": ("дейін", "до", "until"),
    "what": ("не істелді", "что сделано", "what was done"),
    "kind": ("түрі", "вид", "kind"),
    "title_of_line": ("атауы", "наименование", "title"),
    "amount": ("сомасы", "сумма", "amount"),
    "page": ("бет", "страница", "page"),
    "browser": ("браузер", "браузер", "browser"),
    "none": ("жоқ", "нет", "none"),
    "cut": (
        "Мұнда ең соңғылары ғана; толық тізім қол қойылған файлда.",
        "Здесь только последние; полный список в подписанном файле.",
        "Only the latest stand here; the signed file has the whole list.",
    ),
    "about": (
        "Бұл құжатты сіз ғана сұрай аласыз. Уақыт Алматы уақытымен көрсетілген.",
        "Этот документ можете запросить только вы. Время указано по Алматы.",
        "Only you can ask for this document. Times are those of Almaty.",
    ),
}


def _label(name: str, language: str) -> str:
    return in_words(LABELS, name, language)

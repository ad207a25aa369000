# SPDX-License-Identifier: Apache-2.0
"""The words of the page that proves a consent."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The words in one language."""

    title: str
    state: str
    known: str
    purpose: str
    subject: str
    operator: str
    bin: str
    address: str
    contact: str
    responsible: str
    declared: str
    ended: str
    in_force: str
    term: str
    until_end: str
    wording: str
    policy: str
    data: str
    third_parties: str
    cross_border: str
    public: str
    storage: str
    withdrawal: str
    evidence: str
    yes: str
    no: str
    none: str
    states: Mapping[str, str]
    purposes: Mapping[str, str]
    fields: Mapping[str, str]
    recipients: Mapping[str, str]


_STATES = (
    "GIVEN",
    "WITHDRAWN",
    "EXPIRED",
    "OUTDATED",
    "REFUSED",
    "PENDING",
    "REFUSED_BY_PERSON",
    "NEVER_ASKED",
)
_PURPOSES = ("ACCOUNT", "NEWS", "ADVERTISING", "PARTNER_SITES", "AUTOMATED_DECISION")
_FIELDS = ("familyName", "givenName", "patronymic", "phone", "email", "address", "purchases")
_RECIPIENTS = ("COURIER", "POSTAL", "TELECOM")


def _named(names: tuple[str, ...], *words: str) -> dict[str, str]:
    return dict(zip(names, words, strict=True))


WORDS: Mapping[str, Words] = {
    "kk": Words(
        title="Келісім туралы жазба",
        state="Күйі",
        known="белгілі болғаны:",
        purpose="Мақсаты",
        subject="Дербес деректер субъектісі",
        operator="Оператор",
        bin="БСН",
        address="Мекенжайы",
        contact="Байланыс",
        responsible="Өңдеуді ұйымдастыруға жауапты тұлға",
        declared="Мәлімделген уақыты",
        ended="Қайтарып алынған уақыты",
        in_force="Күшіне енген уақыты",
        term="Мерзімі",
        until_end="мақсатқа жеткенге немесе қайтарып алынғанға дейін",
        wording="Келісімнің дәл мәтіні",
        policy="Құпиялылық саясатының нұсқасы",
        data="Деректер тізбесі",
        third_parties="Үшінші тұлғаларға беру (тек тапсырысты орындау үшін)",
        cross_border="Трансшекаралық беру",
        public="Жалпыға қолжетімді көздерде тарату",
        storage="Сақтау орны",
        withdrawal="Келісімді қайтарып алу тәсілі",
        evidence="Дәлелдеме жазбалары",
        yes="иә",
        no="жоқ",
        none="деректер берілмейді",
        states=_named(
            _STATES,
            "берілген",
            "қайтарып алынған",
            "мерзімі өткен",
            "саясаттың өзгеруімен тоқтатылған",
            "қабылданбаған",
            "тіркелген, әлі күшіне енген жоқ",
            "адам бас тартқан",
            "ешқашан сұралмаған",
        ),
        purposes=_named(
            _PURPOSES,
            "Есептік жазба жасау (4.1.6)",
            "Жаңалықтар мен ұсыныстар (4.1.10)",
            "Жарнама (4.1.11)",
            "Серіктестердің сайттарына өту (4.1.12)",
            "Автоматтандырылған шешім (4.1.8)",
        ),
        fields=_named(
            _FIELDS,
            "тегі",
            "аты",
            "әкесінің аты",
            "телефон",
            "электрондық пошта",
            "мекенжай",
            "сатып алулар",
        ),
        recipients=_named(
            _RECIPIENTS, "курьерлік қызметтер", "пошта ұйымдары", "байланыс операторлары"
        ),
    ),
    "ru": Words(
        title="Запись о согласии",
        state="Состояние",
        known="по сведениям на",
        purpose="Цель",
        subject="Субъект персональных данных",
        operator="Оператор",
        bin="БИН",
        address="Адрес",
        contact="Контакты",
        responsible="Ответственный за организацию обработки",
        declared="Заявлено",
        ended="Отозвано",
        in_force="Вступило в силу",
        term="Срок",
        until_end="до достижения цели или отзыва",
        wording="Точный текст согласия",
        policy="Версия политики конфиденциальности",
        data="Перечень данных",
        third_parties="Передача третьим лицам (только для исполнения заказа)",
        cross_border="Трансграничная передача",
        public="Распространение в общедоступных источниках",
        storage="Место хранения",
        withdrawal="Способ отзыва согласия",
        evidence="Записи, подтверждающие это",
        yes="да",
        no="нет",
        none="данные не передаются",
        states=_named(
            _STATES,
            "дано",
            "отозвано",
            "срок истёк",
            "прекращено изменением политики",
            "не принято",
            "зарегистрировано, ещё не в силе",
            "человек отказался",
            "никогда не запрашивалось",
        ),
        purposes=_named(
            _PURPOSES,
            "Создание учётной записи (4.1.6)",
            "Новости и предложения (4.1.10)",
            "Реклама (4.1.11)",
            "Переход на сайты партнёров (4.1.12)",
            "Автоматизированное решение (4.1.8)",
        ),
        fields=_named(
            _FIELDS,
            "фамилия",
            "имя",
            "отчество",
            "телефон",
            "электронная почта",
            "адрес",
            "покупки",
        ),
        recipients=_named(
            _RECIPIENTS, "курьерские службы", "организации почтовой связи", "операторы связи"
        ),
    ),
    "en": Words(
        title="Record of consent",
        state="State",
        known="as known at",
        purpose="Purpose",
        subject="Subject of the data",
        operator="Operator",
        bin="BIN",
        address="Address",
        contact="Contact",
        responsible="Responsible for organizing the processing",
        declared="Declared",
        ended="Withdrawn",
        in_force="In force since",
        term="Term",
        until_end="until the purpose is reached or the consent is withdrawn",
        wording="Exact wording",
        policy="Version of the privacy policy",
        data="Data",
        third_parties="Transfer to third parties (only to fulfil an order)",
        cross_border="Cross-border transfer",
        public="Dissemination in public sources",
        storage="Place of storage",
        withdrawal="How to withdraw",
        evidence="Entries of evidence",
        yes="yes",
        no="no",
        none="no data leave",
        states=_named(
            _STATES,
            "given",
            "withdrawn",
            "expired",
            "ended by a change of the policy",
            "not taken",
            "recorded, not yet in force",
            "the person said no",
            "never asked for",
        ),
        purposes=_named(
            _PURPOSES,
            "Creation of an account (4.1.6)",
            "News and offers (4.1.10)",
            "Advertising (4.1.11)",
            "Access to partners' sites (4.1.12)",
            "Automated decision (4.1.8)",
        ),
        fields=_named(
            _FIELDS,
            "family name",
            "given name",
            "patronymic",
            "telephone",
            "e-mail",
            "address",
            "purchases",
        ),
        recipients=_named(
            _RECIPIENTS, "courier services", "postal organizations", "telecommunications operators"
        ),
    ),
}
"""By language: Kazakh, Russian, English."""

# SPDX-License-Identifier: Apache-2.0
"""The words of the court's page in Kazakh, Russian and English."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Words:
    """What the page says in one language; mappings go by the names of the contract."""

    title: str
    recipient: str
    bin: str
    contact: str
    claimant: str
    subjects: str
    none: str
    kind: str
    received: str
    recorded: str
    due: str
    state: str
    outcome: str
    decision: str
    answered: str
    policy: str
    made: str
    recovered: str
    yes: str
    documents: str
    timeline: str
    files: str
    verify: str
    claimants: Mapping[str, str]
    kinds: Mapping[str, str]
    states: Mapping[str, str]
    outcomes: Mapping[str, str]
    decisions: Mapping[str, str]
    exhibits: Mapping[str, str]
    events: Mapping[str, str]


def _named(names: str, texts: str) -> Mapping[str, str]:
    """Names of the contract and their texts, in the same order."""
    return dict(zip(names.split(), (t.strip() for t in texts.strip().split("|")), strict=True))


_CLAIMANTS: Final = "SUBJECT REPRESENTATIVE AUTHORISED_BODY SITE"
_KINDS: Final = "INACCURATE_DATA UNLAWFUL_ACTS CONSUMER WITHDRAWAL OTHER"
_STATES: Final = (
    "RECEIVED VERIFIED ANSWER_WRITTEN ANSWERED NO_ANSWER AGREED COURT CLOSED AWAITING_RECEIPT"
)
_OUTCOMES: Final = "NOT_CONFIRMED INACCURATE_CONFIRMED UNLAWFUL_CONFIRMED"
_DECISIONS: Final = "SATISFIED PARTLY_SATISFIED REJECTED"
_EXHIBITS: Final = (
    "STATEMENT DEMAND PROPOSED_CORRECTION REPLY_ADDRESS VERIFICATION_EVIDENCE ANSWER "
    "ANSWER_LETTER DISPATCH_PROOF REASON AUTHORITY NOTICE AGREEMENT COURT_CASE "
    "ATTACHMENT"
)
_EVENTS: Final = (
    "claim.filed claim.read receipt.corrected receipt.confirmed authority.settled "
    "same_contact.settled lift.proposed lift.approved verification.concluded interim.read "
    "answer.written answer.sending_begun answer.undeliverable answer.dispatched "
    "answer.signature_attached answer.read agreement.recorded claim.referred_to_court "
    "claim.closed bundle.exported claim.reminded claim.lapsed no_answer.told "
    "no_answer.undeliverable claim.assigned subject.attached note.added file.attached "
    "document.read receipt.proven user_answer.recorded claim.recovered claim.mended "
    "claim.described"
)

WORDS: Final[Mapping[str, Words]] = {
    "kk": Words(
        title="Талап",
        recipient="Талапты алушы",
        bin="БСН",
        contact="Байланыс",
        claimant="Талап қоюшы",
        subjects="Субъектілер",
        none="белгісіз",
        kind="Түрі",
        received="Алынған уақыты",
        recorded="Тіркелген уақыты",
        due="Жауап беру мерзімі",
        state="Күйі",
        outcome="Тексеру нәтижесі",
        decision="Шешім",
        answered="Жауап жіберілді",
        policy="Алынған кездегі саясат нұсқасы",
        made="Мұрағат жасалды",
        recovered="Тіркелім жоғалғаннан кейін қоймадағы мәліметтер бойынша қалпына келтірілген",
        yes="иә",
        documents="Құжаттар",
        timeline="Оқиғалар тізбегі",
        files="Мұрағаттың барлық файлдары",
        verify="Файлдардың тұтастығын тексеру жолы README.txt файлында жазылған.",
        claimants=_named(_CLAIMANTS, "субъект | өкіл | уәкілетті орган | сайт әкімшілігі"),
        kinds=_named(
            _KINDS,
            "деректер дұрыс емес | заңсыз әрекеттер | тұтынушы талабы | келісімді қайтарып алу |"
            " басқа",
        ),
        states=_named(
            _STATES,
            "алынды | тексерілді | жауап жазылды | жауап берілді | жауап берілмеді |"
            " келісімге келді | сотта | жабылды | алынуы күтілуде",
        ),
        outcomes=_named(_OUTCOMES, "расталмады | қателік расталды | заңсыздық расталды"),
        decisions=_named(
            _DECISIONS, "қанағаттандырылды | ішінара қанағаттандырылды | қанағаттандырылмады"
        ),
        exhibits=_named(
            _EXHIBITS,
            "Өтініш мәтіні | Талап | Ұсынылған түзету | Жауап мекенжайы | Тексеру негіздері |"
            " Жауап мәтіні | Жауап хаты | Жіберу дәлелі | Негіздеме | Өкілеттік | Хабарлама |"
            " Келісім | Сот ісі | Қоса берілген файл",
        ),
        events=_named(
            _EVENTS,
            "талап алынды | талап қаралды | алынған уақыты түзетілді | алынған уақыты расталды |"
            " өкілеттік анықталды | байланысы бірдей субъект анықталды |"
            " бұғатты алу ұсынылды | бұғатты алу мақұлданды | тексеру аяқталды |"
            " аралықтағы әрекеттер қаралды | жауап жазылды | жауапты жіберу басталды |"
            " жауап жеткізілмеді | жауап жіберілді | ұлттық қолтаңба қосылды | жауап қаралды |"
            " келісім тіркелді | сотқа берілді | талап жабылды | мұрағат берілді |"
            " мерзім туралы еске салынды | мерзім жауапсыз өтті | талап қоюшыға айтылды |"
            " хабарлама жеткізілмеді | жауапты тағайындалды | субъект қосылды | ескертпе қосылды |"
            " файл қосылды | құжат оқылды | алынғаны дәлелденді |"
            " пайдаланушы жауабы тіркелді | жоғалған талап қалпына келтірілді |"
            " жазба толықтырылды | қалпына келтірілген талап сипатталды",
        ),
    ),
    "ru": Words(
        title="Претензия",
        recipient="Получатель претензии",
        bin="БИН",
        contact="Контакт",
        claimant="Заявитель",
        subjects="Субъекты",
        none="неизвестны",
        kind="Вид",
        received="Получена",
        recorded="Зарегистрирована",
        due="Срок ответа",
        state="Состояние",
        outcome="Результат проверки",
        decision="Решение",
        answered="Ответ отправлен",
        policy="Версия политики на день получения",
        made="Архив составлен",
        recovered="Восстановлена по сведениям хранилища после утраты записи",
        yes="да",
        documents="Документы",
        timeline="Ход дела",
        files="Все файлы архива",
        verify="Как проверить целостность файлов, сказано в README.txt.",
        claimants=_named(
            _CLAIMANTS, "субъект | представитель | уполномоченный орган | администрация сайта"
        ),
        kinds=_named(
            _KINDS,
            "недостоверные данные | неправомерные действия | претензия потребителя |"
            " отзыв согласия | другое",
        ),
        states=_named(
            _STATES,
            "получена | проверена | ответ составлен | дан ответ | ответ не дан |"
            " достигнуто соглашение | в суде | закрыта | ожидается получение",
        ),
        outcomes=_named(
            _OUTCOMES,
            "не подтверждено | недостоверность подтверждена | неправомерность подтверждена",
        ),
        decisions=_named(_DECISIONS, "удовлетворена | удовлетворена частично | не удовлетворена"),
        exhibits=_named(
            _EXHIBITS,
            "Текст претензии | Требование | Предложенное исправление | Адрес для ответа |"
            " Основания проверки | Текст ответа | Письмо с ответом |"
            " Доказательство отправки | Основание | Полномочия | Уведомление | Соглашение |"
            " Судебное дело | Приложенный файл",
        ),
        events=_named(
            _EVENTS,
            "претензия получена | претензия просмотрена | время получения исправлено |"
            " время получения подтверждено | полномочия установлены |"
            " решено о субъекте с тем же контактом | предложено снять блокирование |"
            " снятие блокирования одобрено | проверка завершена | просмотрено, что было до записи |"
            " ответ составлен | начата отправка ответа | ответ не доставлен | ответ отправлен |"
            " приложена национальная подпись | ответ просмотрен | записано соглашение |"
            " передано в суд | претензия закрыта | выдан архив |"
            " напомнено о сроке | срок прошёл без ответа | заявителю сообщено об этом |"
            " сообщение не доставлено | назначен сотрудник | добавлен субъект | добавлена заметка |"
            " приложен файл | прочитан документ | доказано получение |"
            " записан ответ пользователя | утраченная претензия восстановлена |"
            " запись дополнена | восстановленная претензия описана",
        ),
    ),
    "en": Words(
        title="Claim",
        recipient="Recipient of the claim",
        bin="BIN",
        contact="Contact",
        claimant="Claimant",
        subjects="Subjects",
        none="not known",
        kind="Kind",
        received="Received",
        recorded="Recorded",
        due="Answer due",
        state="State",
        outcome="Outcome of verification",
        decision="Decision",
        answered="Answer sent",
        policy="Policy version at receipt",
        made="Archive made",
        recovered="Recovered from what the vault held after its record was lost",
        yes="yes",
        documents="Documents",
        timeline="Timeline",
        files="All files of the archive",
        verify="README.txt says how the files are verified.",
        claimants=_named(
            _CLAIMANTS, "the subject | a representative | an authorised body | the site"
        ),
        kinds=_named(
            _KINDS,
            "inaccurate data | unlawful acts | consumer claim | withdrawal of agreement | other",
        ),
        states=_named(
            _STATES,
            "received | verified | answer written | answered | not answered | agreed | in court |"
            " closed | receipt awaited",
        ),
        outcomes=_named(_OUTCOMES, "not confirmed | inaccuracy confirmed | unlawfulness confirmed"),
        decisions=_named(_DECISIONS, "satisfied | satisfied in part | not satisfied"),
        exhibits=_named(
            _EXHIBITS,
            "Statement | Demand | Proposed correction | Reply address | Grounds of verification |"
            " Text of the answer | Letter of the answer | Proof of dispatch | Reason | Authority |"
            " Notice | Agreement | Court case | Attached file",
        ),
        events=_named(
            _EVENTS,
            "claim filed | claim read | time of receipt corrected | time of receipt confirmed |"
            " authority settled | same contact settled | lifting the block proposed |"
            " lifting the block approved | verification concluded |"
            " what happened in between read | answer written | sending of the answer begun |"
            " answer undeliverable | answer dispatched | national signature attached |"
            " answer read | agreement recorded | referred to court | claim closed |"
            " bundle exported | reminded of the term | the term passed without an answer |"
            " the claimant was told so | the notice was undeliverable | assigned to an officer |"
            " subject attached | note added | file attached | document read | receipt proven |"
            " answer of the user recorded | lost claim recovered | record mended |"
            " recovered claim described",
        ),
    ),
}

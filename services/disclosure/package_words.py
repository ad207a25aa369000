# SPDX-License-Identifier: Apache-2.0
"""The words of a package's covering letter in Kazakh and Russian (clause 5.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.disclosure.authority_request import Category


@dataclass(frozen=True, slots=True)
class Words:
    """What the letter says in one language; braces are filled in."""

    title: str
    operator: str
    addressee: str
    ground: str
    subject: str
    given: str
    absent: str
    not_given: str
    disputed: str
    repeated: str
    confidential: str
    data_heading: str
    head: tuple[str, str]
    nothing: str
    signature: str
    categories: Mapping[Category, str]
    data: Mapping[str, str]


WORDS: Final[Mapping[str, Words]] = {
    "kk": Words(
        title="Ілеспе хат: жеке деректерді беру",
        operator="{name}, БСН {bin}, {address}",
        addressee="{body} (БСН {bin}), {position} {official}",
        ground="Негіз: {act}, {article}. Құжат: № {number}, {day}, SHA-256 {sha256}.",
        subject="Деректер субъектісінің белгісі: {subject}.",
        given="Берілген деректер: {categories}.",
        absent="Беруге рұқсат етілген, бірақ сайтта жоқ деректер: {categories}.",
        not_given="Сұралған, бірақ берілмеген деректер: {categories}.",
        disputed="НАЗАР АУДАРЫҢЫЗ: деректер даулы, {since} бастап бұғатталған.",
        repeated=(
            "Бұл мұрағат {day} берілген мұрағаттың (SHA-256 {sha256}) қайталануы; содан бері "
            "ішіндегісі өзгерді."
        ),
        confidential=(
            "Деректер құпия. Олар құпиялылық саясатының 5.3-тармағына сәйкес тек көрсетілген "
            "негіз бойынша беріледі."
        ),
        data_heading="Деректер",
        head=("Дерек", "Мәні"),
        nothing="Сайтта мұндай деректер жоқ.",
        signature="Мұрағатқа бөлек электрондық қол қойылды (Ed25519), кілт {key}.",
        categories={
            Category.NAME: "тегі, аты, әкесінің аты",
            Category.PHONE: "телефон нөмірі",
            Category.EMAIL: "электрондық пошта",
            Category.ADDRESS: "мекенжай",
            Category.TECHNICAL: "техникалық деректер (соңғы он кіру)",
            Category.PURCHASES: "сатып алулар (соңғы жүз жол)",
            Category.CONFIGURED: "сайт қосқан деректер",
        },
        data={
            "familyName": "Тегі",
            "givenName": "Аты",
            "patronymic": "Әкесінің аты",
            "phone": "Телефон",
            "email": "Электрондық пошта",
            "address": "Мекенжай",
            "visit": "Сайтқа кіру",
            "purchase": "Сатып алу",
        },
    ),
    "ru": Words(
        title="Сопроводительное письмо: передача персональных данных",
        operator="{name}, БИН {bin}, {address}",
        addressee="{body} (БИН {bin}), {position} {official}",
        ground="Основание: {act}, {article}. Документ: № {number} от {day}, SHA-256 {sha256}.",
        subject="Обозначение субъекта данных: {subject}.",
        given="Переданы данные: {categories}.",
        absent="Разрешены к передаче, но на сайте таких данных нет: {categories}.",
        not_given="Запрошены, но не переданы: {categories}.",
        disputed="ВНИМАНИЕ: данные оспариваются, заблокированы с {since}.",
        repeated=(
            "Этот архив повторяет архив, переданный {day} (SHA-256 {sha256}); с тех пор его "
            "содержимое изменилось."
        ),
        confidential=(
            "Данные конфиденциальны. Они передаются только по указанному основанию в "
            "соответствии с пунктом 5.3 политики конфиденциальности."
        ),
        data_heading="Данные",
        head=("Данное", "Значение"),
        nothing="Таких данных на сайте нет.",
        signature="Архив подписан отсоединённой электронной подписью (Ed25519), ключ {key}.",
        categories={
            Category.NAME: "фамилия, имя, отчество",
            Category.PHONE: "номер телефона",
            Category.EMAIL: "электронная почта",
            Category.ADDRESS: "адрес",
            Category.TECHNICAL: "технические данные (десять последних посещений)",
            Category.PURCHASES: "покупки (сто последних строк)",
            Category.CONFIGURED: "данные, добавленные сайтом",
        },
        data={
            "familyName": "Фамилия",
            "givenName": "Имя",
            "patronymic": "Отчество",
            "phone": "Телефон",
            "email": "Электронная почта",
            "address": "Адрес",
            "visit": "Посещение сайта",
            "purchase": "Покупка",
        },
    ),
}

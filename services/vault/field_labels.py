# SPDX-License-Identifier: Apache-2.0
"""What people call the data of the policy, and the clause that names each (Law 8(4)(7))."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from services.vault.fields import Field


@dataclass(frozen=True, slots=True)
class Named:
    """A datum in kk, ru and en, and its clause."""

    clause: str
    kk: str
    ru: str
    en: str


LABELS: Final[Mapping[Field, Named]] = MappingProxyType(
    {
        Field.FAMILY_NAME: Named("3.2.1", "Тегі", "Фамилия", "Surname"),
        Field.GIVEN_NAME: Named("3.2.1", "Аты", "Имя", "Given name"),
        Field.PATRONYMIC: Named("3.2.1", "Әкесінің аты", "Отчество", "Patronymic"),
        Field.PHONE: Named("3.2.2", "Телефон нөмірі", "Номер телефона", "Telephone"),
        Field.EMAIL: Named(
            "3.2.3", "Электрондық пошта мекенжайы", "Адрес электронной почты", "E-mail address"
        ),
        Field.ADDRESS: Named("3.2.4", "Тұрғылықты жері", "Место жительства", "Place of residence"),
        Field.PURCHASES: Named("3.4", "Сатып алулар тарихы", "История покупок", "Purchases"),
        Field.IP: Named("3.3", "IP-мекенжай", "IP-адрес", "IP address"),
        Field.COOKIE: Named("3.3", "Cookies деректері", "Данные cookies", "Cookies"),
        Field.USER_AGENT: Named(
            "3.3", "Браузер туралы мәлімет", "Информация о браузере", "Browser"
        ),
        Field.ACCESS_TIME: Named("3.3", "Кіру уақыты", "Время доступа", "Time of access"),
        Field.PAGE: Named(
            "3.3", "Қаралған бет мекенжайы", "Адрес посещённой страницы", "Page visited"
        ),
        Field.REFERRER: Named(
            "3.3",
            "Реферер (алдыңғы бет мекенжайы)",
            "Реферер (адрес предыдущей страницы)",
            "Referrer (page before)",
        ),
    }
)

# SPDX-License-Identifier: Apache-2.0
"""The request headers that the gateway reads; no other header reaches anything.

A header that may stand once is refused when it stands twice: two readers could take two values.
"""

import re
from collections.abc import Iterable

from gateway.reading import FAULTS
from services.chassis.refusal import FieldViolation, InvalidArgument

LANGUAGES = ("kk", "ru", "en")
DEFAULT_LANGUAGE = "en"
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_ENTITY_TAG = re.compile(r'"(0|[1-9]\d{0,9})"', re.ASCII)
_SITE = re.compile(r"[a-z0-9-]{1,32}")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_RANGE = re.compile(
    r"(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:;[qQ]=([01](?:\.\d{0,3})?))?", re.ASCII
)
_GREATEST_VERSION = 2**31 - 1


class Headers:
    """The headers of one request."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("latin-1").lower(), []).append(
                value.decode("latin-1").strip(" \t")
            )

    def one(self, name: str) -> str | None:
        """The value of a header that stands at most once. Raises InvalidArgument for a second."""
        values = self._values.get(name.lower(), [])
        if len(values) > 1:
            raise _refused(name, "duplicate")
        return values[0] if values else None

    def idempotency_key(self) -> str | None:
        """The Idempotency-Key, a structured-field string or the same without quotes.

        Raises InvalidArgument where it is not 1 to 128 visible ASCII characters.
        """
        value = self.one("Idempotency-Key")
        if value is None:
            return None
        if value.startswith('"'):
            quoted = _QUOTED.fullmatch(value)
            value = re.sub(r'\\(["\\])', r"\1", quoted[1]) if quoted else ""
        if not _REQUEST_ID.fullmatch(value):
            raise _refused("Idempotency-Key", "form")
        return value

    def if_match(self) -> int | None:
        """The version that If-Match names. Raises InvalidArgument unless it is one strong tag."""
        value = self.one("If-Match")
        if value is None:
            return None
        tag = _ENTITY_TAG.fullmatch(value)
        if tag is None or int(tag[1]) > _GREATEST_VERSION:
            raise _refused("If-Match", "form")
        return int(tag[1])

    def site(self) -> str | None:
        """The site that Qupia-Site names. Raises InvalidArgument where it is no site's form."""
        value = self.one("Qupia-Site")
        if value is not None and not _SITE.fullmatch(value):
            raise _refused("Qupia-Site", "form")
        return value

    def language(self) -> str:
        """The one of LANGUAGES that Accept-Language prefers; English where it prefers none."""
        return preferred_language(",".join(self._values.get("accept-language", [])))


def preferred_language(accept: str) -> str:
    """The one of LANGUAGES that an Accept-Language value prefers, by weight, then by order."""
    weights: dict[str, float] = {}
    for part in accept[:1000].split(","):
        match = _RANGE.fullmatch(part.replace(" ", "").replace("\t", ""))
        if match is not None:
            primary = match[1].lower().partition("-")[0]
            weights.setdefault(primary, min(float(match[2] or 1), 1.0))
    rest = weights.get("*", 0.0)
    order = [name for name in weights if name in LANGUAGES]
    order += [name for name in (DEFAULT_LANGUAGE, *LANGUAGES) if name not in order]
    best = max(order, key=lambda name: weights.get(name, rest))
    return best if weights.get(best, rest) > 0 else DEFAULT_LANGUAGE


def _refused(name: str, code: str) -> InvalidArgument:
    return InvalidArgument(fields=[FieldViolation(name, code, FAULTS[code])])

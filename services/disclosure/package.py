# SPDX-License-Identifier: Apache-2.0
"""What a state body is given: the data, a covering letter in kk and ru, all signed (clause 5.3)."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from services.chassis.archive import ArchiveFile, pack
from services.chassis.deadline import local_date
from services.chassis.signing import Signer
from services.chassis.sites import Operator
from services.chassis.typeset import Page, Section, typeset_page
from services.disclosure.authority import Authority
from services.disclosure.authority_release import FIELDS, FormerPackage
from services.disclosure.authority_request import AuthorityRequest, Category
from services.disclosure.authority_texts import Official
from services.disclosure.package_words import WORDS, Words

PUBLISHED: Final = "/v1/signing-keys/disclosure"
_WIDTHS: Final = (1, 3)


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a package; `data` is JSON of the vault's answer, lists of records in it.

    `disputed_since`: the data are blocked since then and go all the same. `former` is the package
    that this one repeats, from which it differs.
    """

    request: AuthorityRequest
    authority: Authority
    official: Official
    operator: Operator
    data: Mapping[str, Any] = field(repr=False)
    disputed_since: datetime | None = None
    former: FormerPackage | None = None


def package_of(
    contents: Contents, former: FormerPackage | None, signer: Signer, now: datetime
) -> bytes:
    """The archive that is given `now`; a `former` one is given again byte by byte.

    Where its data, the body or the operator have changed since, it cannot be: then this one names
    that one's digest.
    """
    if former is None:
        return make_package(contents, signer, now)
    same = make_package(contents, signer, former.give_time)
    if hashlib.sha256(same).hexdigest() == former.package_sha256:
        return same
    return make_package(replace(contents, former=former), signer, now)


def make_package(contents: Contents, signer: Signer, moment: datetime) -> bytes:
    """The archive; `moment` (aware) is when it is given."""
    letters = [
        ArchiveFile(f"letter-{language}.pdf", _letter(contents, language, signer, moment))
        for language in WORDS
    ]
    files = [
        *letters,
        ArchiveFile("data.json", _json(contents.data)),
        ArchiveFile("request.json", _json(_told(contents, moment))),
    ]
    return pack(files, signer, moment, PUBLISHED)


def _letter(contents: Contents, language: str, signer: Signer, moment: datetime) -> bytes:
    words = WORDS[language]
    rows = list(_rows(words, contents.data))
    page = Page(
        title=words.title,
        language=language,
        reference=contents.request.request_id,
        sections=[
            Section("", list(_paragraphs(words, contents, signer))),
            Section(
                words.data_heading,
                () if rows else (words.nothing,),
                words.head if rows else (),
                rows,
                _WIDTHS if rows else (),
            ),
        ],
    )
    return typeset_page(page, moment)


def _paragraphs(words: Words, contents: Contents, signer: Signer) -> Iterator[str]:
    request, operator, body = contents.request, contents.operator, contents.authority
    document = request.document
    yield words.operator.format(name=operator.name, bin=operator.bin, address=operator.address)
    yield words.addressee.format(
        body=body.legal_name,
        bin=body.bin,
        position=contents.official.position,
        official=contents.official.name,
    )
    yield words.ground.format(
        act=request.ground.act,
        article=request.ground.article,
        number=document.number,
        day=f"{document.day:%d.%m.%Y}",
        sha256=document.sha256,
    )
    yield words.subject.format(subject=request.subject_id)
    if contents.disputed_since is not None:
        yield words.disputed.format(since=f"{local_date(contents.disputed_since):%d.%m.%Y}")
    given = tuple(each for each in request.approved if _values(each, contents.data))
    if given:
        yield words.given.format(categories=_named(words, given, contents.data))
    absent = tuple(each for each in request.approved if each not in given)
    if absent:
        yield words.absent.format(categories=_named(words, absent))
    refused = tuple(each for each in request.categories if each not in request.approved)
    if refused:
        yield words.not_given.format(categories=_named(words, refused))
    if contents.former is not None:
        day = f"{local_date(contents.former.give_time):%d.%m.%Y}"
        yield words.repeated.format(day=day, sha256=contents.former.package_sha256)
    yield words.confidential
    yield words.signature.format(key=signer.key_id)


def _named(
    words: Words, categories: tuple[Category, ...], data: Mapping[str, Any] | None = None
) -> str:
    """The categories by their names; with `data`, of a name only those parts that are there."""
    return "; ".join(
        words.categories[each]
        if data is None or each is not Category.NAME
        else ", ".join(words.data[part].lower() for part in _values(each, data))
        for each in categories
    )


def _values(category: Category, data: Mapping[str, Any]) -> tuple[str, ...]:
    """What the vault gave of a category, by name; empty where the site has no such data."""
    own = data.get("data", {})
    if category is Category.TECHNICAL:
        return ("visits",) if data.get("visits") else ()
    if category is Category.PURCHASES:
        return ("purchases",) if data.get("purchases") else ()
    if category is Category.CONFIGURED:
        return tuple(own.get("configured", ()))
    return tuple(name for name in FIELDS[category] if name in own)


def _rows(words: Words, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in data.get("data", {}).items():
        if name == "configured":
            yield from ((key, str(text)) for key, text in sorted(value.items()))
        else:
            yield words.data.get(name, name), _shown(value)
    for member, label in (("visits", "visit"), ("purchases", "purchase")):
        for each in data.get(member, ()):
            yield words.data[label], _shown(each)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(_shown(part) for part in value.values())
    if isinstance(value, list):
        return "; ".join(_shown(part) for part in value)
    return str(value)


def _told(contents: Contents, moment: datetime) -> dict[str, object]:
    """The request as it was decided, for machines (TS 103 120: authorization, then tasks)."""
    request, since, former = contents.request, contents.disputed_since, contents.former
    told: dict[str, object] = {
        "requestId": request.request_id,
        "authorization": {
            "body": {"legalName": contents.authority.legal_name, "bin": contents.authority.bin},
            "official": {
                "name": contents.official.name,
                "position": contents.official.position,
            },
            "ground": {
                "kind": request.ground.kind,
                "act": request.ground.act,
                "article": request.ground.article,
            },
            "document": {
                "kind": request.document.kind,
                "number": request.document.number,
                "date": request.document.day.isoformat(),
                "sha256": request.document.sha256,
            },
            "subjectId": request.subject_id,
        },
        "tasks": [
            {
                "category": each,
                "approved": each in request.approved,
                "given": each in request.approved and bool(_values(each, contents.data)),
            }
            for each in request.categories
        ],
        "giveTime": moment.isoformat(),
        "disputedSince": since.isoformat() if since else None,
    }
    if former is not None:
        repeats = {"giveTime": former.give_time.isoformat(), "packageSha256": former.package_sha256}
        told["repeats"] = repeats
    return told


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode()

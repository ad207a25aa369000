# SPDX-License-Identifier: Apache-2.0
"""A policy version as files: one text per language, or a manifest that names everything.

`policy.kk.txt` is the Kazakh text: the language stands before the ending, the title is the first
line that is not blank (a Markdown heading's marks are left out), the body is what follows.

A manifest is TOML or JSON with the members of PublishPolicyRequest; a text names its `file`
(relative to the manifest) or has `title` and `body` itself:

    prevailingLanguage = "kk"
    effectiveTime = "2026-12-01"
    materialPurposes = ["NEWS"]
    [[texts]]
    language = "kk"
    file = "policy.kk.txt"
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from cli.terminal import LOCAL
from services.consent.policy import PolicyText

LANGUAGES = ("kk", "ru", "en")
_MEMBERS = {"texts", "prevailingLanguage", "effectiveTime", "materialPurposes"}
_TEXT_MEMBERS = {"language", "title", "body", "file"}


class PolicyFileWrong(Exception):
    """A file does not hold what it should; the text names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A version to be published; `effective` is empty for at once, else an RFC 3339 time."""

    texts: tuple[PolicyText, ...]
    prevailing: str = ""
    effective: str = ""
    material: tuple[str, ...] = ()

    def body(self) -> dict[str, object]:
        """The request, in the names of the HTTP contract."""
        texts = [{"language": t.language, "title": t.title, "body": t.body} for t in self.texts]
        body: dict[str, object] = {"texts": texts}
        if self.prevailing:
            body["prevailingLanguage"] = self.prevailing
        if self.effective:
            body["effectiveTime"] = self.effective
        if self.material:
            body["materialPurposes"] = list(self.material)
        return body


def read_text(path: Path, language: str = "") -> PolicyText:
    """The text in a file; its language is that of its name where none is given.

    Raises PolicyFileWrong.
    """
    language = language or path.name.removesuffix(path.suffix).rpartition(".")[2]
    if language not in LANGUAGES:
        raise PolicyFileWrong(
            f"{path}: its name does not say the language: call it policy.kk.txt, policy.ru.txt or "
            "policy.en.txt"
        )
    try:
        text = path.read_text("utf-8-sig")
    except OSError:
        raise PolicyFileWrong(f"{path}: cannot be read") from None
    except ValueError:
        raise PolicyFileWrong(f"{path}: is no text in UTF-8") from None
    title, _, body = text.lstrip().partition("\n")
    if not body.strip():
        raise PolicyFileWrong(f"{path}: has to hold a line of title and then the text")
    return PolicyText(language, title.lstrip("# ").strip(), body.strip() + "\n")


def read_manifest(path: Path) -> Draft:
    """The draft that a manifest names. Raises PolicyFileWrong."""
    document = _document(path)
    unknown = sorted(document.keys() - _MEMBERS)
    if unknown:
        raise PolicyFileWrong(
            f"{path}: {unknown[0]} is no member; there are {', '.join(sorted(_MEMBERS))}"
        )
    texts, material = document.get("texts"), document.get("materialPurposes", [])
    if not isinstance(texts, list) or not texts or not isinstance(material, list):
        raise PolicyFileWrong(f"{path}: texts and materialPurposes have to be lists")
    return Draft(
        tuple(_text(path, each) for each in texts),
        str(document.get("prevailingLanguage", "")),
        effective_time(document.get("effectiveTime", "")),
        tuple(str(each) for each in material),
    )


def effective_time(given: object) -> str:
    """An RFC 3339 time of what a person wrote: a date is its midnight in Almaty.

    Raises PolicyFileWrong for a time that does not say its zone.
    """
    if not given:
        return ""
    text = given.isoformat() if isinstance(given, date) else str(given)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise PolicyFileWrong(
            f"{text!r} is no time: write 2026-12-01 or 2026-12-01T09:00+05:00"
        ) from None
    if found.tzinfo is None:
        if len(text) != len("2026-12-01"):
            raise PolicyFileWrong(f"{text!r} does not say its zone: write {text}+05:00")
        found = found.replace(tzinfo=LOCAL)
    return found.isoformat()


def _document(path: Path) -> Mapping[str, Any]:
    try:
        content = path.read_text("utf-8-sig")
        document = tomllib.loads(content) if path.suffix == ".toml" else json.loads(content)
    except OSError:
        raise PolicyFileWrong(f"{path}: cannot be read") from None
    except ValueError as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise PolicyFileWrong(f"{path}: is no {kind} in UTF-8: {error}") from None
    if not isinstance(document, dict):
        raise PolicyFileWrong(f"{path}: holds no object")
    return document


def _text(manifest: Path, member: object) -> PolicyText:
    if not isinstance(member, dict) or member.keys() - _TEXT_MEMBERS:
        raise PolicyFileWrong(
            f"{manifest}: a text has the members language, and file, or title and body"
        )
    language = str(member.get("language", ""))
    if "file" in member:
        return read_text(manifest.parent / str(member["file"]), language)
    return PolicyText(language, str(member.get("title", "")), str(member.get("body", "")))


def one_draft(
    files: Sequence[Path],
    manifest: Path | None,
    prevailing: str,
    effective: str,
    material: Sequence[str],
) -> Draft:
    """The draft of the command line: options go before what a manifest says.

    Raises PolicyFileWrong.
    """
    if bool(files) == (manifest is not None):
        raise PolicyFileWrong("name either the files of the texts or a --manifest")
    if manifest is not None:
        draft = read_manifest(manifest)
    else:
        draft = Draft(tuple(read_text(path) for path in files))
    return Draft(
        draft.texts,
        prevailing or draft.prevailing,
        effective_time(effective) or draft.effective,
        tuple(material) or draft.material,
    )

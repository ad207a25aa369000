# SPDX-License-Identifier: Apache-2.0
"""From an HTTP path to an RPC, by the templates of the contract.

The dialect: literal segments, variables that fill one whole segment, and `:verb` after the last
one. Paths are matched as sent, segment by segment, so that an encoded slash never moves a boundary.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from services.chassis.contract import ContractError, Method
from services.chassis.refusal import FieldViolation, Malformed, NotFound

_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_SEGMENT = re.compile(r"(?:(?P<literal>[a-z][A-Za-z0-9-]*)|\{(?P<field>[a-z][a-z0-9_]*)\})")
_TEMPLATE = re.compile(r"(?P<path>/v1(?:/[^/:]+)+)(?::(?P<verb>[a-z][A-Za-z]*))?")
_ENCODED = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class Template:
    """A path template: its segments, None where a variable stands, and the variables' fields."""

    text: str
    segments: tuple[str | None, ...]
    fields: tuple[str, ...]
    verb: str

    def overlaps(self, other: "Template") -> bool:
        """Whether a path could match both."""
        return (
            self.verb == other.verb
            and len(self.segments) == len(other.segments)
            and all(
                mine is None or theirs is None or mine == theirs
                for mine, theirs in zip(self.segments, other.segments, strict=True)
            )
        )

    def match(self, segments: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
        """What stands at the variables, still encoded; None where the path is another."""
        held: list[bytes] = []
        for mine, given in zip(self.segments, segments, strict=True):
            if mine is None:
                held.append(given)
            elif mine.encode() != given:
                return None
        return tuple(held) if all(held) else None


@dataclass(frozen=True, slots=True)
class Match:
    """The RPC of a request and the values of its path, by field name."""

    method: Method
    template: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Row:
    template: Template
    methods: dict[str, tuple[Method, tuple[str, ...]]]


class MethodNotAllowed(Exception):
    """The path is known, the HTTP method is not; `allowed` names those that are."""

    def __init__(self, template: str, allowed: tuple[str, ...]) -> None:
        self.template = template
        self.allowed = allowed
        super().__init__("method not allowed")


def read_template(text: str) -> Template:
    """The template that `text` writes. Raises ContractError outside the dialect."""
    match = _TEMPLATE.fullmatch(text)
    if match is None:
        raise ContractError(f"the route {text} is outside our dialect")
    segments: list[str | None] = []
    fields: list[str] = []
    for part in match["path"].split("/")[1:]:
        segment = _SEGMENT.fullmatch(part)
        if segment is None:
            raise ContractError(f"the segment {part} of the route {text} is outside our dialect")
        segments.append(segment["literal"])
        if segment["field"] is not None:
            fields.append(segment["field"])
    if len(set(fields)) < len(fields):
        raise ContractError(f"the route {text} names a field twice")
    return Template(text, tuple(segments), tuple(fields), match["verb"] or "")


class Routes:
    """The table of all routes. Raises ContractError where two of them overlap."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._table: dict[tuple[int, str], list[_Row]] = {}
        for method in methods:
            if method.http is not None:
                self._add(method, method.http.verb, read_template(method.http.path))

    def _add(self, method: Method, http_method: str, template: Template) -> None:
        if http_method not in _VERBS:
            raise ContractError(f"{method.path} uses the HTTP method {http_method}")
        rows = self._table.setdefault((len(template.segments), template.verb), [])
        for row in rows:
            if row.template.segments == template.segments and http_method not in row.methods:
                row.methods[http_method] = (method, template.fields)
                return
            if row.template.overlaps(template):
                raise ContractError(f"the routes {row.template.text} and {template.text} overlap")
        rows.append(_Row(template, {http_method: (method, template.fields)}))

    def find(self, http_method: str, raw_path: bytes) -> Match:
        """The RPC behind a path as sent.

        Raises NotFound where no route matches, MethodNotAllowed where only other HTTP methods
        have one, Malformed where the path is not percent-encoded UTF-8.
        """
        parts = raw_path.split(b"/")
        if parts.pop(0) != b"" or not parts:
            raise NotFound
        last, colon, verb = parts[-1].rpartition(b":")
        if colon:
            if not verb:
                raise NotFound
            parts[-1] = last
        for row in self._table.get((len(parts), verb.decode("latin-1") if colon else ""), ()):
            held = row.template.match(tuple(parts))
            if held is not None:
                if http_method not in row.methods:
                    raise MethodNotAllowed(row.template.text, tuple(sorted(row.methods)))
                method, fields = row.methods[http_method]
                values = dict(zip(fields, map(_decoded, held), strict=True))
                return Match(method, row.template.text, values)
        raise NotFound


def _decoded(segment: bytes) -> str:
    """The value that one segment encodes. Nothing of ours has a slash in its name: NotFound."""
    if not _ENCODED.fullmatch(segment):
        raise Malformed(fields=[_PATH])
    try:
        value = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(fields=[_PATH]) from None
    if "/" in value:
        raise NotFound
    return value


_PATH = FieldViolation("", "encoding", "the path is not percent-encoded UTF-8")

# SPDX-License-Identifier: Apache-2.0
"""The reference for people: the API at /docs and every refusal at /problems/…, as plain HTML.

Made from the contract; nothing is loaded from anywhere and nothing runs in the browser.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from itertools import groupby

from google.protobuf.descriptor import Descriptor, EnumDescriptor

from gateway.openapi import body_fields, json_path
from gateway.plan import FieldPlan, Kind, plan
from gateway.problem import PROBLEM_PAGES
from gateway.routes import read_template
from gateway.schema import component_name
from qupia.contract.v1 import contract_pb2
from services.chassis.contract import Contract, Method, ReasonRule, reasons, text_rule

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem}
h1,h2,h3{line-height:1.25}h2{margin-top:3rem;border-bottom:1px solid var(--line)}
h3{margin-top:2.5rem}a{color:inherit}
code{font:.9em ui-monospace,monospace;background:var(--soft);padding:.1em .3em;border-radius:3px}
table{border-collapse:collapse;width:100%;font-size:.94em;margin:.5rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0}
tr+tr{border-top:1px solid var(--line)}th{font-weight:600}
.scroll{overflow-x:auto}.meta{margin:.2rem 0;opacity:.8}nav ul{columns:2;padding-left:1.2rem}
"""
STYLE_DIGEST = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


class Reference:
    """Writes the pages; `comments` is the contract's prose by full name."""

    def __init__(self, contract: Contract, comments: Mapping[str, str]) -> None:
        self._methods = [m for m in contract.methods.values() if m.http is not None]
        self._comments = comments
        self._messages: dict[str, Descriptor] = {}
        self._enums: dict[str, EnumDescriptor] = {}

    def api(self) -> str:
        """The page of all calls."""
        calls = "".join(
            f"<h2 id='{escape(process)}'>{escape(process)}</h2>" + "".join(map(self._call, methods))
            for process, methods in groupby(self._methods, key=lambda m: m.process)
        )
        types = self._types()
        return _page("Qupia: the API", _INTRODUCTION + self._index() + calls + types + _problems())

    def problem(self, rule: ReasonRule) -> str:
        """The page of one refusal, the one that its problem's `type` names."""
        name = f"{contract_pb2.Refusal.Reason.DESCRIPTOR.full_name}.{rule.reason}"
        titles = "".join(
            f"<tr><th>{language}</th><td lang='{language}'>{escape(title)}</td></tr>"
            for language, title in rule.titles.items()
        )
        clause = f"<p>Clause {escape(rule.clause)} of the policy.</p>" if rule.clause else ""
        return _page(
            rule.reason,
            f"<p>{escape(self._comments.get(name, ''))}</p><p>HTTP status {rule.http_status}.</p>"
            f"{clause}<table>{titles}</table><p><a href='/docs'>All calls</a></p>",
        )

    def _index(self) -> str:
        items = "".join(
            f"<li><a href='#{_anchor(m)}'><code>{_route(m)}</code></a></li>" for m in self._methods
        )
        return f"<nav><h2>Calls</h2><ul>{items}</ul></nav>"

    def _call(self, method: Method) -> str:
        assert method.http is not None
        path = read_template(method.http.path).fields
        named = [f for f in plan(method.input).values() if f.name in path]
        place = "Body" if method.http.body else "Query"
        callers = ", ".join(sorted(method.roles or ())) or "anyone with a credential"
        evidence = method.evidence if method.evidence != "none" else "nothing"
        return (
            f"<h3 id='{_anchor(method)}'><code>{_route(method)}</code></h3>"
            f"<p>{escape(self._comments.get(f'{method.service}.{method.name}', ''))}</p>"
            f"<p class='meta'>{escape(callers)} · {_clauses(method.clauses)} · "
            f"leaves in evidence: <code>{escape(evidence)}</code></p>"
            + self._fields("Path", named)
            + self._fields(place, body_fields(method))
            + self._answer(method)
            + _headers(method)
        )

    def _answer(self, method: Method) -> str:
        if method.media_type:
            return f"<p>Answer: a file of type <code>{escape(method.media_type)}</code></p>"
        return self._fields("Answer", plan(method.output).values())

    def _fields(self, heading: str, fields: Iterable[FieldPlan]) -> str:
        rows = "".join(map(self._field, fields))
        return _table(f"<tr><th>{heading}</th><th></th><th></th></tr>{rows}") if rows else ""

    def _field(self, field: FieldPlan) -> str:
        notes = [n for n, on in (("required", field.required), ("personal", field.personal)) if on]
        notes += ["set by the service"] * field.output_only
        comment = self._comments.get(field.field.full_name, "")
        text = " ".join(filter(None, (escape(comment), f"<i>{', '.join(notes)}</i>" * bool(notes))))
        return (
            f"<tr><td><code>{escape(field.json_name)}</code></td>"
            f"<td>{self._type(field)}</td><td>{text}</td></tr>"
        )

    def _type(self, field: FieldPlan) -> str:
        many = "list of " if field.repeated else ""
        if field.kind is Kind.MESSAGE and field.message is not None:
            self._messages.setdefault(field.message.full_name, field.message)
            return many + _link(field.message.full_name)
        enum = field.field.enum_type
        if enum is not None:
            if enum.full_name != contract_pb2.Refusal.Reason.DESCRIPTOR.full_name:
                self._enums.setdefault(enum.full_name, enum)
                return many + _link(enum.full_name)
            return f"{many}<a href='#problems'>reason</a>"
        return many + escape(_plain_type(field))

    def _types(self) -> str:
        """Every message and enum that the calls spoke of, and those that these speak of."""
        written: dict[str, str] = {}
        while len(written) < len(self._messages):
            for name in [n for n in self._messages if n not in written]:
                written[name] = self._fields("Field", plan(self._messages[name]).values())
        parts = [self._heading(name) + written[name] for name in sorted(written)]
        for name in sorted(self._enums):
            rows = "".join(
                f"<tr><td><code>{v.name}</code></td>"
                f"<td>{escape(self._comments.get(f'{name}.{v.name}', ''))}</td></tr>"
                for v in self._enums[name].values
                if v.number
            )
            parts.append(self._heading(name) + _table(rows))
        return "<h2>Types</h2>" + "".join(parts)

    def _heading(self, name: str) -> str:
        short = escape(component_name(name))
        comment = escape(self._comments.get(name, ""))
        return f"<h3 id='{short}'><code>{short}</code></h3><p>{comment}</p>"


def _page(title: str, body: str) -> str:
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _table(rows: str) -> str:
    return f"<div class='scroll'><table>{rows}</table></div>"


def _route(method: Method) -> str:
    assert method.http is not None
    return escape(f"{method.http.verb} {json_path(method)}")


def _anchor(method: Method) -> str:
    return f"{method.process}.{method.name}"


def _link(full_name: str) -> str:
    short = escape(component_name(full_name))
    return f"<a href='#{short}'>{short}</a>"


def _clauses(clauses: Iterable[str]) -> str:
    named = [c for c in clauses if c != "design"]
    return escape("clause " + ", ".join(named)) if named else "no clause of its own"


def _headers(method: Method) -> str:
    notes = ["<code>Idempotency-Key</code> makes a repeat safe."] * method.mutates
    if "if_version" in method.input.fields_by_name:
        notes.append("<code>If-Match</code> takes the <code>ETag</code> the change builds on.")
    if method.act_location:
        notes.append("202 with <code>Location</code>: recorded, not yet in force.")
    return f"<p>{' '.join(notes)}</p>" if notes else ""


def _plain_type(field: FieldPlan) -> str:
    if field.kind is Kind.TEXT:
        rule = text_rule(field.field)
        form = contract_pb2.TextRule.Form.Name(rule.form).lower().replace("_", " ")
        return f"{form}, at most {rule.max_length}" if rule.max_length else form
    if field.kind is Kind.BYTES:
        return f"base64 of at most {text_rule(field.field).max_length} bytes"
    return {
        Kind.INTEGER: "integer",
        Kind.BOOLEAN: "true or false",
        Kind.MAP: "texts by their names",
    }.get(field.kind, "time, RFC 3339")


def _problems() -> str:
    rows = "".join(
        f"<tr><td><a href='{PROBLEM_PAGES}{r.reason}'><code>{r.reason}</code></a></td>"
        f"<td>{r.http_status}</td><td>{escape(r.clause)}</td><td>{escape(r.titles['en'])}</td></tr>"
        for r in reasons().values()
    )
    head = "<tr><th>Code</th><th>Status</th><th>Clause</th><th>Title</th></tr>"
    return f"<h2 id='problems'>Refusals</h2>{_table(head + rows)}"


_INTRODUCTION = """<p>Personal data leave Qupia only for a purpose of the policy, and every call
says which clause it serves. The same as a machine reads it: <a
href="/openapi.json">openapi.json</a>.</p>
<ul><li><code>Authorization: Bearer …</code> carries an API key (<code>qk_…</code>) or a person's
signed token; a credential for several sites names one in <code>Qupia-Site</code>.</li>
<li>Bodies are JSON. A field that a call does not have, a field given twice and a value of another
type are refused; the refusal names the field.</li>
<li><code>PATCH</code> is a merge patch: what the body holds changes, <code>null</code> clears.</li>
<li>Lists page: <code>pageSize</code>, <code>pageToken</code>; no <code>nextPageToken</code> means
the end. Expect values and fields that you do not know yet.</li>
<li>A refusal is <code>application/problem+json</code> with a <code>code</code>, the
<code>clause</code> that decided and a title in Kazakh, Russian or English, by
<code>Accept-Language</code>.</li></ul>"""

# SPDX-License-Identifier: Apache-2.0
"""Registering and listing message templates (clause 4.1.3)."""

from __future__ import annotations

from qupia.vault.v1 import templates_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.ids import new_uuid
from services.chassis.paging import PageTokens, page_size
from services.chassis.pipeline import Handler
from services.chassis.refusal import (
    AlreadyExists,
    FieldViolation,
    InvalidArgument,
    PermissionDenied,
)
from services.vault import store_templates
from services.vault.store_templates import TemplateRow
from services.vault.wire import stamp_of

_PAGE, _MOST = 100, 1000
_Kind = templates_pb2.Template.Kind


class TemplateServicer:
    """VaultTemplateService of the contract."""

    def __init__(
        self, database: Database, idempotency: IdempotencyKeys, tokens: PageTokens, clock: Clock
    ) -> None:
        self._database = database
        self._idempotency = idempotency
        self._tokens = tokens
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "RegisterTemplate": self.register_template,
            "ListTemplates": self.list_templates,
        }

    def register_template(self, call: Call) -> templates_pb2.RegisterTemplateResponse:
        """A template that stands for ever."""
        request = call.request
        assert isinstance(request, templates_pb2.RegisterTemplateRequest)
        if not call.principal.is_person:
            raise PermissionDenied("1.1.1")
        now = self._clock.now()
        row = TemplateRow(
            request.template.template_id,
            _Kind.Name(request.template.kind),
            _texts(request.template),
            now,
        )
        site, act = call.principal.site_id, new_uuid()
        with self._database.transaction() as connection:
            if self._idempotency.begin(connection, call, act, now) != act:
                stands = store_templates.find(connection, site, row.template_id)
                return templates_pb2.RegisterTemplateResponse(template=_message(stands or row))
            if not store_templates.register(connection, site, row):
                raise AlreadyExists("4.1.3")
            self._record(connection, call, row)
        return templates_pb2.RegisterTemplateResponse(template=_message(row))

    def _record(self, connection: Connection, call: Call, row: TemplateRow) -> None:
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.DONE,
            site_id=call.principal.site_id,
            principal=call.principal.name,
            role=call.role,
            clause="4.1.3",
            refs={"template_id": row.template_id, "kind": row.kind},
            digests={f"text_{language}": digest for language, digest in row.texts.items()},
        )
        evidence.append(connection, entry, row.register_time)

    def list_templates(self, call: Call) -> templates_pb2.ListTemplatesResponse:
        """The site's templates by their ids."""
        request = call.request
        assert isinstance(request, templates_pb2.ListTemplatesRequest)
        site, size = call.principal.site_id, page_size(request.page_size, _PAGE, _MOST)
        scope = f"templates|{site}"
        place = self._tokens.open(scope, request.page_token) or [""]
        with self._database.transaction() as connection:
            found = store_templates.listed(connection, site, str(place[0]), size + 1)
        more = len(found) > size
        return templates_pb2.ListTemplatesResponse(
            templates=[_message(row) for row in found[:size]],
            next_page_token=self._tokens.make(scope, [found[size - 1].template_id]) if more else "",
        )


def _texts(template: templates_pb2.Template) -> dict[str, str]:
    texts = {text.language: text.sha256 for text in template.texts}
    if len(texts) != len(template.texts):
        text = "a language stands there once"
        raise InvalidArgument(fields=[FieldViolation("template.texts", "unique", text)])
    return texts


def _message(row: TemplateRow) -> templates_pb2.Template:
    return templates_pb2.Template(
        template_id=row.template_id,
        kind=_Kind.Value(row.kind),
        texts=[
            templates_pb2.TemplateText(language=language, sha256=digest)
            for language, digest in sorted(row.texts.items())
        ],
        register_time=stamp_of(row.register_time),
    )

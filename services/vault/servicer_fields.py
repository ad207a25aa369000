# SPDX-License-Identifier: Apache-2.0
"""ListDataFields: the approved list of data, for whoever shows it (clauses 3.2, 3.2.4)."""

from __future__ import annotations

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import fields_pb2
from services.chassis.call import Call
from services.chassis.configured_fields import FieldRule
from services.chassis.paging import PageTokens, page_size
from services.chassis.pipeline import Handler
from services.vault.field_labels import LABELS, Named
from services.vault.fields import STATED_FIELDS, Field, configured
from services.vault.purposes import PURPOSES
from services.vault.site_fields import SiteLists

_PAGE, _MOST = 100, 1000
_Purpose = subject_pb2.Purpose.Code


class FieldServicer:
    """VaultFieldService of the contract."""

    def __init__(self, lists: SiteLists, tokens: PageTokens) -> None:
        self._lists = lists
        self._tokens = tokens

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {"ListDataFields": self.list_data_fields}

    def list_data_fields(self, call: Call) -> fields_pb2.ListDataFieldsResponse:
        """The data of the policy in its order, then the site's own by name."""
        request = call.request
        assert isinstance(request, fields_pb2.ListDataFieldsRequest)
        site, size = call.principal.site_id, page_size(request.page_size, _PAGE, _MOST)
        scope = f"data-fields|{site}"
        start = int((self._tokens.open(scope, request.page_token) or [0])[0])
        added = sorted(self._lists.of(site).rules().items())
        fields = [_built_in(field, named) for field, named in LABELS.items()]
        fields += [_configured(name, rule) for name, rule in added]
        end = start + size
        return fields_pb2.ListDataFieldsResponse(
            fields=fields[start:end],
            next_page_token=self._tokens.make(scope, [end]) if end < len(fields) else "",
        )


def _built_in(field: Field, named: Named) -> fields_pb2.DataField:
    return fields_pb2.DataField(
        name=str(field),
        labels=_labels(named.kk, named.ru, named.en),
        purposes=[_Purpose.Value(code) for code, rule in PURPOSES.items() if field in rule.fields],
        personal=True,
        form=fields_pb2.DataField.BUILT_IN,
        clause=named.clause,
        placed=field in STATED_FIELDS,
    )


def _configured(name: str, rule: FieldRule) -> fields_pb2.DataField:
    return fields_pb2.DataField(
        name=str(configured(name)),
        labels=_labels(rule.label.kk, rule.label.ru, rule.label.en),
        purposes=[
            _Purpose.Value(code)
            for code in PURPOSES
            if code in rule.purposes or code == "VERIFY_DATA"
        ],
        personal=rule.personal,
        form=fields_pb2.DataField.Form.Value(rule.form),
        max_length=rule.max_length,
        choices=rule.choices,
        clause="3.2.4",
        placed=True,
        policy_version=rule.policy_version,
    )


def _labels(kk: str, ru: str, en: str) -> list[fields_pb2.FieldLabel]:
    return [
        fields_pb2.FieldLabel(language=language, text=text)
        for language, text in (("kk", kk), ("ru", ru), ("en", en))
    ]

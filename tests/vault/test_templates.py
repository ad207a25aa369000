# SPDX-License-Identifier: Apache-2.0
"""Registered message templates through a real vault (clause 4.1.3)."""

import secrets
from typing import Any

import pytest

from qupia.vault.v1 import search_pb2, templates_pb2
from tests.vault.person import Person
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront, read_request


@pytest.fixture
def officer(vault: VaultProcess, house: House) -> Any:
    """Asks as a privacy officer."""
    metadata = (("authorization", f"Bearer {house.premises.token('PRIVACY_OFFICER')}"),)
    return lambda request: vault.as_process("gateway").call(request, metadata)


def _request(template_id: str, kind: str = "SERVICE", **members: Any) -> Any:
    template = templates_pb2.Template(
        template_id=template_id,
        kind=templates_pb2.Template.Kind.Value(kind),
        texts=[templates_pb2.TemplateText(language="kk", sha256="a" * 64)],
    )
    request_id = members.pop("request_id", template_id)
    return templates_pb2.RegisterTemplateRequest(
        template=template, request_id=request_id, **members
    )


def _new() -> str:
    return f"t-{secrets.token_hex(6)}"


def test_registering_is_recorded_with_the_digests_of_its_texts(officer: Any, house: House) -> None:
    template_id = _new()
    made = officer(_request(template_id)).template
    assert made.HasField("register_time")
    [entry] = [e for e in house.entries(event="template.registered") if template_id in str(e)]
    assert entry["digests"] == {"text_kk": "a" * 64}
    assert entry["refs"] == {"template_id": template_id, "kind": "SERVICE"}
    assert entry["principal"].endswith("#aigerim")


def test_a_repeat_is_answered_alike_and_written_once(officer: Any, house: House) -> None:
    template_id = _new()
    assert officer(_request(template_id)) == officer(_request(template_id))
    assert (
        len([e for e in house.entries(event="template.registered") if template_id in str(e)]) == 1
    )
    with pytest.raises(Refused, match="IDEMPOTENCY_KEY_REUSED"):
        officer(_request(template_id, "MARKETING"))
    with pytest.raises(Refused, match="ALREADY_EXISTS"):
        officer(_request(template_id, request_id=_new()))


def test_the_list_pages_in_the_order_of_ids(officer: Any, vault: VaultProcess) -> None:
    for number in range(3):
        officer(_request(f"0page-{number}-{secrets.token_hex(2)}"))
    found: list[str] = []
    token = ""
    while len(found) < 3:
        page = officer(templates_pb2.ListTemplatesRequest(page_size=1, page_token=token))
        found += [t.template_id for t in page.templates]
        token = page.next_page_token
    assert [each.split("-")[1] for each in found] == ["0", "1", "2"]
    stranger = Storefront(vault.as_process("gateway"), site="elsewhere", name="stranger")
    assert not stranger.call(templates_pb2.ListTemplatesRequest()).templates


def test_one_language_stands_there_once(officer: Any) -> None:
    request = _request(_new())
    request.template.texts.add(language="kk", sha256="b" * 64)
    with pytest.raises(Refused) as caught:
        officer(request)
    assert caught.value.fields == (("template.texts", "unique"),)


def test_a_check_knows_templates_as_the_read_does(
    shop: Storefront, person: Person, house: House
) -> None:
    token = house.premises.token("PRIVACY_OFFICER")
    service, marketing = shop.template("SERVICE", token), shop.template("MARKETING", token)
    items = [
        read_request(person.subject_id, "FEEDBACK", reference=reference)
        for reference in (service, marketing, "template/none", "")
    ]
    checked = shop.call(search_pb2.CheckPermissionsRequest(items=items)).outcomes
    assert [o.WhichOneof("outcome") for o in checked] == ["permission"] + ["problem"] * 3
    read = shop.batch(*items)
    assert [o.WhichOneof("outcome") for o in read] == ["read"] + ["problem"] * 3
    assert {o.problem.clause for o in read[1:]} == {"4.1.3"}


def test_templates_of_one_batch_are_each_sites_own(
    vault: VaultProcess, shop: Storefront, person: Person, house: House
) -> None:
    other = Storefront(vault.as_process("gateway"), site="other", name="shop-other")
    strange = other.template("SERVICE", house.premises.token("PRIVACY_OFFICER", site="other"))
    assert shop.why_not(person.subject_id, "FEEDBACK", reference=strange) == "REFERENCE_REQUIRED"

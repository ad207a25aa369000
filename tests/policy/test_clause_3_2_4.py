# SPDX-License-Identifier: Apache-2.0
"""Clause 3.2.4: "other data" are those that are listed, and no others."""

import pytest

from qupia.subject.v1 import subject_pb2
from tests.policy.person import DATA
from tests.policy.site import Site

LISTED = {
    *("familyName", "givenName", "patronymic", "phone", "email"),
    *(f"address.{part}" for part in ("country", "region", "district", "locality", "street")),
    *(f"address.{part}" for part in ("house", "block", "flat", "postalCode")),
}


@pytest.mark.parametrize("name", ["other", "OTHER", "otherData", "extra", "notes"])
def test_there_is_no_category_for_whatever_else(site: Site, name: str) -> None:
    """T-3.2.4-a"""
    person = site.person()
    refused = person.place({**DATA, name: "всё прочее"})
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert refused.fields == (f"data.{name}",)
    assert person.standing()["dataVersion"] == 0


def test_the_contract_lists_every_datum_that_can_be_placed() -> None:
    """T-3.2.4-a"""
    found = set()
    for field in subject_pb2.PersonalData.DESCRIPTOR.fields:
        parts = field.message_type.fields if field.message_type else ()
        found |= {f"{field.json_name}.{part.json_name}" for part in parts} or {field.json_name}
    assert found == LISTED

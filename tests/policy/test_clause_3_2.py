# SPDX-License-Identifier: Apache-2.0
"""Clause 3.2: only listed data are processed, and each says where it came from."""

from datetime import UTC, datetime

import pytest

from tests.harness.contacts import new_phone
from tests.policy.person import DATA, Person, with_own_contact
from tests.policy.records import Records
from tests.policy.site import Site

_ROWS = "SELECT field, form, store_time FROM data WHERE subject_id=:p"


@pytest.mark.parametrize(
    ("named", "data"),
    [
        ("data.shoeSize", {"shoeSize": "43"}),
        ("data.iin", {"iin": "900101300123"}),
        ("data.purchases", {"purchases": ["чай"]}),
        ("data.technical", {"technical": {"ip": "192.0.2.1"}}),
        ("data.Phone", {"Phone": "+77011234567"}),
        ("data.address.entrance", {"address": {"locality": "Алматы", "entrance": "2"}}),
    ],
)
def test_an_unlisted_field_is_refused_by_name_and_nothing_is_stored(
    site: Site, records: Records, named: str, data: dict[str, object]
) -> None:
    """T-3.2-a"""
    person = site.person()
    refused = person.place({**DATA, **data})
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert refused.fields == (named,)
    assert person.standing()["dataVersion"] == 0
    assert records.rows("vault", _ROWS, p=person.subject_id) == []


def test_every_datum_keeps_the_form_and_the_time_it_came_from(site: Site, records: Records) -> None:
    """T-3.2-b"""
    person, start = site.person(), datetime.now(UTC)
    person.placed(with_own_contact(DATA), form="checkout")
    between = datetime.now(UTC)
    person.placed({"phone": new_phone()}, form="profile")
    end = datetime.now(UTC)
    rows = {row.field: row for row in records.rows("vault", _ROWS, p=person.subject_id)}
    assert set(rows) == set(DATA)
    for field, row in rows.items():
        changed = field == "phone"
        assert row.form == ("profile" if changed else "checkout")
        assert (between if changed else start) <= row.store_time <= (end if changed else between)


def test_the_form_of_what_was_changed_stays_with_the_former_value(
    person: Person, records: Records
) -> None:
    """T-3.2-b"""
    person.placed({"phone": new_phone()}, form="profile")
    person.placed({"phone": new_phone()}, form="chat")
    sql = "SELECT version, form FROM data_history WHERE subject_id=:p ORDER BY version"
    found = [tuple(row) for row in records.rows("vault", sql, p=person.subject_id)]
    assert found == [(1, "unspecified"), (2, "profile")]


@pytest.mark.parametrize("how", ["alone", "in a batch"])
def test_no_datum_is_without_a_form_where_none_is_named(
    site: Site, records: Records, how: str
) -> None:
    """T-3.2-b"""
    person = site.person()
    if how == "alone":
        person.placed(with_own_contact(DATA))
    else:
        items = {"items": [{"subjectId": person.subject_id, "data": with_own_contact(DATA)}]}
        [outcome] = site.good("storefront", "POST", "/v1/data:batchStore", items).json["outcomes"]
        assert "problem" not in outcome
    rows = records.rows("vault", _ROWS, p=person.subject_id)
    assert {row.field: row.form for row in rows} == dict.fromkeys(DATA, "unspecified")
    assert {told["form"] for told in person.versions()} == {"unspecified"}

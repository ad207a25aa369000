# SPDX-License-Identifier: Apache-2.0
"""Preamble: the policy applies to all that the site can learn about a user."""

import pytest

from services.chassis.database import DatabaseDefect
from tests.harness.contacts import new_phone
from tests.policy.person import DATA, USE, Person, is_refused
from tests.policy.records import Records
from tests.policy.site import Site

_INSERT = (
    "INSERT INTO data (site_id, subject_id, field, version, ciphertext, supplier, form, store_time)"
    " VALUES (:site, :person, :field, 1, '', 'SUBJECT', '', now())"
)


def test_every_stored_datum_has_its_site_its_category_and_the_policy_in_force(
    own_site: Site, records: Records
) -> None:
    """T-0-a"""
    person = own_site.person(DATA)
    assert own_site.publish().status == 200
    changed = person.placed({"phone": new_phone()})
    rows = records.rows("vault", "SELECT * FROM data WHERE subject_id=:p", p=person.subject_id)
    assert {row.field for row in rows} == set(DATA)
    assert {row.site_id for row in rows} == {own_site.site_id}
    stored = {
        entry["decidedOn"]["dataVersion"]: entry["decidedOn"]
        for entry in records.entries("vault", person, "data.stored")
    }
    for row in rows:
        assert row.field in stored[row.version]["fields"]
        assert stored[row.version]["policyVersion"] == (2 if row.version == changed else 1)
    told = {v["version"]: v["policyVersion"] for v in person.versions()}
    assert told == {1: 1, changed: 2}
    assert person.use().status == 200
    order_id = person.ordered()
    order = own_site.good("storefront", "GET", f"/v1/orders/{order_id}").json["order"]
    assert (order["subjectId"], order["policyVersion"]) == (person.subject_id, 2)


@pytest.mark.parametrize("missing", ["site", "field"])
def test_a_datum_without_site_or_category_cannot_be_stored(
    person: Person, records: Records, missing: str
) -> None:
    """T-0-a"""
    values = {"site": person.site.site_id, "person": person.subject_id, "field": "fax"}
    with pytest.raises(DatabaseDefect, match="23502"):
        records.change("vault", _INSERT, "runtime", **{**values, missing: None})


def test_nobody_is_registered_where_no_policy_is_in_force(bare_site: Site) -> None:
    """T-0-a"""
    asked = bare_site.ask("storefront", "POST", "/v1/subjects", {"use": USE})
    assert is_refused(asked, 409, "NO_POLICY_IN_FORCE", "9.2")

# SPDX-License-Identifier: Apache-2.0
"""Clause 3.2.3: the e-mail address."""

import secrets

import pytest

from tests.policy.person import Person
from tests.policy.records import Records
from tests.policy.site import Site

_DIGESTS = "SELECT digest FROM blind_index WHERE subject_id=:p AND field='email'"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Nur.Sultan+Shop@Example.KZ", "Nur.Sultan+Shop@example.kz"),
        ("Абай@қаз.kz", "Абай@қаз.kz"),
        ("user@xn--80ao21a.kz", "user@қаз.kz"),
    ],
)
def test_the_local_part_is_kept_as_given_and_the_domain_by_idna(
    site: Site, written: str, kept: str
) -> None:
    """T-3.2.3-a"""
    assert site.person({"email": written}).data() == {"email": kept}


def test_an_address_is_indexed_exactly_and_without_its_plaintext(
    site: Site, records: Records
) -> None:
    """T-3.2.3-a"""
    local = secrets.token_hex(8)
    address = f"{local}a@example.kz"
    first, same, other = (
        site.person({"email": text})
        for text in (address, f"{local}a@EXAMPLE.kz", f"{local}A@example.kz")
    )
    digest = _digest(records, first)
    assert digest == _digest(records, same)
    assert digest != _digest(records, other)
    for hidden in (address, local):
        assert hidden.encode() not in digest
        assert hidden.encode().hex() not in digest.hex()


def test_an_address_is_found_exactly_or_not_at_all(site: Site) -> None:
    """T-3.2.3-a"""
    local = secrets.token_hex(8)
    person = site.person({"email": f"{local}a@example.kz"})
    for asked, found in (
        (f"{local}a@example.kz", [person.subject_id]),
        (f"{local}a@EXAMPLE.kz", [person.subject_id]),
        (f"{local}A@example.kz", []),
        (f"{local}@example.kz", []),
    ):
        answer = site.good("storefront", "POST", "/v1/subjects:find", {"email": asked}).json
        assert answer.get("subjectIds", []) == found


def test_two_sites_index_the_same_address_differently(
    site: Site, own_site: Site, records: Records
) -> None:
    """T-3.2.3-a"""
    address = {"email": "nursultan@example.kz"}
    here, there = site.person(address), own_site.person(address)
    assert _digest(records, here) != _digest(records, there)


def _digest(records: Records, person: Person) -> bytes:
    [row] = records.rows("vault", _DIGESTS, p=person.subject_id)
    return bytes(row.digest)

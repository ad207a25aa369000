# SPDX-License-Identifier: Apache-2.0
"""Finding by e-mail or phone, exactly, and by nothing else (T-3.2.3-a; threats T16, T17)."""

import pytest

from services.vault.blind_index import DIGEST_BYTES, INDEXED_FIELDS, blind_index
from services.vault.email_address import normalize_email
from services.vault.fields import Field
from services.vault.phone import normalize_phone
from services.vault.secret_key import SecretKey

KEY = SecretKey(bytes(range(32)))


def email_digest(given: str) -> bytes:
    return blind_index(KEY, "demo", Field.EMAIL, 1, normalize_email("email", given))


def phone_digest(given: str) -> bytes:
    return blind_index(KEY, "demo", Field.PHONE, 1, normalize_phone("phone", given))


def test_every_way_of_writing_a_phone_finds_the_same_person() -> None:
    digests = {phone_digest(n) for n in ("87011234567", "+7 701 123 45 67", "7011234567")}
    assert len(digests) == 1
    assert len(digests.pop()) == DIGEST_BYTES
    assert phone_digest("87011234568") != phone_digest("87011234567")


def test_a_domain_is_found_in_ascii_and_in_unicode() -> None:
    assert email_digest("user@қаз.kz") == email_digest("user@XN--80AO21A.KZ")


def test_the_ascii_form_of_a_domain_is_what_is_hashed() -> None:
    ascii_form = blind_index(KEY, "demo", Field.EMAIL, 1, "user@xn--80ao21a.kz")
    assert email_digest("user@қаз.kz") == ascii_form


def test_look_up_is_exact_in_the_local_part() -> None:
    assert email_digest("User@example.kz") != email_digest("user@example.kz")


@pytest.mark.parametrize(
    ("key", "site", "field", "version"),
    [
        pytest.param(SecretKey.generate(), "demo", Field.PHONE, 1, id="another key"),
        pytest.param(KEY, "other", Field.PHONE, 1, id="another site"),
        pytest.param(KEY, "demo", Field.EMAIL, 1, id="another field"),
        pytest.param(KEY, "demo", Field.PHONE, 2, id="another key version"),
    ],
)
def test_a_digest_says_nothing_elsewhere(
    key: SecretKey, site: str, field: Field, version: int
) -> None:
    here = blind_index(KEY, "demo", Field.PHONE, 1, "+77011234567")
    assert blind_index(key, site, field, version, "+77011234567") != here


def test_only_phone_and_email_are_indexed() -> None:
    assert {Field.PHONE, Field.EMAIL} == INDEXED_FIELDS
    for field in set(Field) - INDEXED_FIELDS:
        with pytest.raises(ValueError, match="no index"):
            blind_index(KEY, "demo", field, 1, "Абай")


def test_the_digest_is_the_one_that_rows_hold() -> None:
    """A change of this value strands every stored digest: it needs a new key version."""
    digest = blind_index(KEY, "demo", Field.PHONE, 1, "+77011234567")
    assert digest.hex() == ("6b6756ef6f104d3c624c9b80ba798d063b91b3a81d9e3863811fea0d5b893135")

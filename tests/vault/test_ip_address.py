# SPDX-License-Identifier: Apache-2.0
"""IP addresses in one form (clause 1.1.7, T-1.1.7-a)."""

import pytest

from services.vault.ip_address import normalize_ip
from services.vault.violation import FieldInvalid, Rule


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("::FFFF:c000:0201", "::ffff:192.0.2.1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ],
)
def test_an_address_has_the_form_of_rfc_5952(written: str, kept: str) -> None:
    assert normalize_ip("technical.ip", written) == kept
    assert normalize_ip("technical.ip", kept) == kept


@pytest.mark.parametrize(
    "wrong",
    ["192.0.2.01", "192.0.2", "192.0.2.256", "192.0.2.1/24", "1::2::3", "fe80::1%eth0", "٤.٤.٤.٤"],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(FieldInvalid) as refusal:
        normalize_ip("technical.ip", wrong)
    assert refusal.value.rule is Rule.IP_MALFORMED
    assert wrong not in f"{refusal.value} {refusal.value.description}"

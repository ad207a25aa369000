# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.7: telling the user where the order stands."""

from tests.policy.person import CONTACT, Person, is_refused


def test_who_has_ordered_nothing_is_told_nothing(person: Person) -> None:
    """T-4.1.7-a"""
    asked = person.read("ORDER_STATUS", reference="P-0001")
    assert is_refused(asked, 403, "NO_ACTIVE_ORDER", "4.1.7")
    assert is_refused(person.read("ORDER_STATUS"), 403, "NO_ACTIVE_ORDER", "4.1.7")


def test_an_open_order_is_told_about_until_it_is_closed(person: Person) -> None:
    """T-4.1.7-a"""
    order_id = person.ordered()
    assert set(person.data("ORDER_STATUS", reference=order_id)) == CONTACT
    person.site.good("storefront", "POST", f"/v1/orders/{order_id}:close", {})
    asked = person.read("ORDER_STATUS", reference=order_id)
    assert is_refused(asked, 403, "NO_ACTIVE_ORDER", "4.1.7")


def test_anothers_order_is_no_reason_to_read(person: Person) -> None:
    """T-4.1.7-a"""
    person.ordered()
    theirs = person.site.person().ordered()
    asked = person.read("ORDER_STATUS", reference=theirs)
    assert is_refused(asked, 403, "NO_ACTIVE_ORDER", "4.1.7")

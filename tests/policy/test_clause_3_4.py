# SPDX-License-Identifier: Apache-2.0
"""Clause 3.4: what is not for a delivery does not leave with it."""

import pytest

from tests.policy.person import CONTACT, Person, release
from tests.policy.visiting import BROWSER, bought, visit, visited

DETAILS = {
    "courier": {"orderId", "name", "phone", "address"},
    "post": {"orderId", "name", "phone", "address"},
    "telecom": {"orderId", "phone"},
}
BOUGHT, COOKIE = "Сәлемдеме жиынтығы", "sid-of-a-browser"


@pytest.mark.parametrize("recipient", DETAILS)
def test_a_release_holds_its_own_order_and_no_other(person: Person, recipient: str) -> None:
    """T-3.4-a"""
    order_id = person.ordered()
    others = [person.ordered() for _ in range(3)]
    delivery_id = person.assigned(recipient, order_id)
    person.assigned(recipient, others[0])
    bought(person, order_id, BOUGHT)
    visited(person, visit(COOKIE))
    released = release(person.site, delivery_id, recipient)
    details = released.json["details"]
    assert set(details) == DETAILS[recipient]
    assert details["orderId"] == order_id
    text = released.content.decode()
    for other in others:
        assert other not in text
    for untold in (BOUGHT, COOKIE, BROWSER, person.own["email"], person.subject_id):
        assert untold not in text


def test_a_recipients_list_names_no_person_and_nothing_about_them(person: Person) -> None:
    """T-3.4-a"""
    delivery_id = person.assigned()
    listed = person.site.good("courier", "GET", "/v1/deliveries?pageSize=1000")
    assert delivery_id in [each["deliveryId"] for each in listed.json["deliveries"]]
    text = listed.content.decode()
    for told in (person.subject_id, *(person.own[name] for name in CONTACT), "Абай"):
        assert told not in text

# SPDX-License-Identifier: Apache-2.0
"""Law 24(1)(3), clause 6.2.3: a block reaches those who hold the data, and asks them to answer."""

from datetime import UTC, datetime
from typing import Any

from services.chassis.ids import new_uuid
from tests.harness.waiting import awaited
from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.site import Site


def _notices(site: Site, who: str = "privacyOfficer", count: int = 1) -> list[dict[str, Any]]:
    """What `who` is told, once there are so many."""

    def enough() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = site.good(who, "GET", "/v1/notices").json["notices"]
        return found if len(found) >= count else None

    return awaited(enough, f"{count} notices did not come")


def _released(person: Person, recipient: str = "courier", order_id: str = "") -> str:
    delivery_id = person.assigned(recipient, order_id)
    assert release(person.site, delivery_id, recipient).status == 200
    return delivery_id


def test_a_block_tells_everybody_who_was_given_the_data_and_nobody_else(own_site: Site) -> None:
    """Law 24(1)(3)"""
    person, other = own_site.person(DATA), own_site.person(DATA)
    order_id = person.ordered()
    held = {_released(person, "courier", order_id), _released(person, "post", order_id)}
    person.assigned("telecom", order_id)
    _released(other, "otherCourier")
    person.claimed()
    told = _notices(own_site, count=2)
    assert {each["deliveryId"] for each in told} == held
    assert {(each["instruction"], each["state"]) for each in told} == {("STOP_USING", "OPEN")}
    for who in ("telecom", "otherCourier"):
        assert own_site.good(who, "GET", "/v1/notices").json["notices"] == []


def test_a_notice_is_open_then_sent_then_acknowledged(own_site: Site) -> None:
    """Law 24(1)(3)"""
    person = own_site.person(DATA)
    delivery_id = _released(person)
    person.claimed()
    (opened,) = _notices(own_site)
    (mine,) = _notices(own_site, "courier")
    assert mine["deliveryId"] == delivery_id
    assert not {"subjectId", "reason"} & set(mine), "why is never said"
    (sent,) = _notices(own_site)
    assert (opened["state"], sent["state"]) == ("OPEN", "SENT")
    path = f"/v1/notices/{mine['noticeId']}:acknowledge"
    own_site.recipients  # noqa: B018 - everybody has a key
    assert is_refused(own_site.ask("otherCourier", "POST", path, {}), 404, "NOT_AVAILABLE")
    done = own_site.good("courier", "POST", path, {}).json["notice"]
    assert done["state"] == "ACKNOWLEDGED"
    assert own_site.good("courier", "POST", path, {}).json["notice"] == done
    unknown = f"/v1/notices/{new_uuid()}:acknowledge"
    assert is_refused(own_site.ask("courier", "POST", unknown, {}), 404, "NOT_AVAILABLE")
    left = own_site.good("privacyOfficer", "GET", "/v1/notices?state=OPEN").json["notices"]
    assert left == []


def test_a_lifted_block_lets_them_go_on_and_confirmed_unlawful_acts_have_them_destroy(
    own_site: Site,
) -> None:
    """Law 24(1)(3), 24(1)(4)"""
    person, wronged = own_site.person(DATA), own_site.person(DATA)
    _released(person)
    person.concluded(person.claimed()["claimId"], "NOT_CONFIRMED")
    told = _notices(own_site, count=2)
    assert [each["instruction"] for each in reversed(told)] == ["STOP_USING", "RESUME"]
    delivery_id = _released(wronged)
    claim = wronged.claimed("UNLAWFUL_ACTS")
    wronged.concluded(claim["claimId"], "UNLAWFUL_CONFIRMED")
    told = _notices(own_site, count=4)
    last = [each["instruction"] for each in told if each["deliveryId"] == delivery_id]
    assert last == ["DESTROY", "STOP_USING"]


def test_a_second_block_and_a_claim_that_blocks_nothing_tell_nobody_anew(own_site: Site) -> None:
    """Law 24(1)(3)"""
    person = own_site.person(DATA)
    _released(person)
    first = person.claimed()
    _notices(own_site)
    second = person.claimed()
    person.claimed("OTHER")
    person.concluded(first["claimId"], "NOT_CONFIRMED")
    blocked_still = datetime.now(UTC)
    person.concluded(second["claimId"], "NOT_CONFIRMED")
    told = _notices(own_site, count=2)
    assert [each["instruction"] for each in reversed(told)] == ["STOP_USING", "RESUME"]
    assert datetime.fromisoformat(str(told[0]["createTime"])) >= blocked_still

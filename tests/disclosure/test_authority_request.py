# SPDX-License-Identifier: Apache-2.0
"""When a state body's request may still be released (clause 5.3)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.chassis.calendar import load_calendar
from services.chassis.deadline import plus_working_days
from services.disclosure.authority_request import (
    AuthorityRequest,
    Category,
    Decision,
    GroundKind,
    LegalDocument,
    LegalGround,
    RequestState,
    release_denial,
)

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
REQUEST = AuthorityRequest(
    site_id="demo",
    request_id="r",
    authority_id="a",
    subject_id="s",
    ground=LegalGround(GroundKind.COURT_ACT, "act", "1"),
    document=LegalDocument("RESOLUTION", "1", date(2026, 11, 1), "0" * 64),
    categories=(Category.PHONE,),
    due=plus_working_days(NOW, 15, load_calendar(None)),
    expire_time=NOW + timedelta(days=30),
    secret_until=None,
    state=RequestState.APPROVED,
    decision=Decision("one", NOW),
    official_id="o",
    approved=(Category.PHONE,),
)


@pytest.mark.parametrize("state", ["APPROVED", "HELD", "READY", "UNCERTAIN"])
def test_nothing_is_released_after_the_time_of_its_request(state: str) -> None:
    """T-5.3-b"""
    request = replace(REQUEST, state=RequestState(state))

    def denial(now: datetime) -> str:
        return release_denial(request, "two", now, compelled=False, repeated=False)

    assert denial(request.expire_time - timedelta(seconds=1)) == ""
    assert denial(request.expire_time) == "STATE_CONFLICT"

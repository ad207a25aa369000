# SPDX-License-Identifier: Apache-2.0
"""Who accepted which version, in one query (clauses 2.1, 9.1)."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from qupia.consent.v1 import consent_pb2
from services.chassis.refusal import InvalidArgument, NotFound
from services.consent.store_states import ACCEPTANCES
from tests.consent.suite import Suite

Mode = consent_pb2.Acceptance


def accepted(
    suite: Suite, version: int, token: str = "", size: int = 0, site: str | None = None
) -> consent_pb2.ListAcceptancesResponse:
    request = consent_pb2.ListAcceptancesRequest(version=version, page_token=token, page_size=size)
    answer = consent_pb2.ListAcceptancesResponse
    return suite.ask(request, answer, role="AUDITOR", site=site)


def test_each_version_lists_everybody_who_ever_accepted_it(suite: Suite) -> None:
    suite.publish()
    first, second = suite.register().subject_id, suite.register().subject_id
    suite.publish(body="Жаңа мәтін")
    suite.use(first)
    suite.accept(first)
    suite.reject(second)
    third = suite.register().subject_id
    told = {a.subject_id: a.acceptance for a in accepted(suite, 1).acceptances}
    assert set(told) == {first, second}
    assert {a.mode for a in told.values()} == {Mode.IMPLIED}
    told = {a.subject_id: a.acceptance for a in accepted(suite, 2).acceptances}
    assert set(told) == {first, third}
    # How it was accepted first: by use, the express word came after.
    assert told[first].mode == Mode.IMPLIED


def test_what_the_vault_has_not_applied_is_no_acceptance(suite: Suite) -> None:
    suite.publish()
    suite.vault.absent = True
    subject_id = suite.register().subject_id
    assert list(accepted(suite, 1).acceptances) == []
    suite.vault.absent = False
    suite.push_all()
    (only,) = accepted(suite, 1).acceptances
    assert only.subject_id == subject_id
    assert only.in_force_time.ToMicroseconds() > only.acceptance.accept_time.ToMicroseconds()


def test_pages_go_on_where_they_ended(suite: Suite) -> None:
    suite.publish()
    everybody = sorted(suite.register().subject_id for _ in range(5))
    seen: list[str] = []
    token = ""
    while True:
        page = accepted(suite, 1, token, 2)
        assert len(page.acceptances) <= 2
        seen += [a.subject_id for a in page.acceptances]
        token = page.next_page_token
        if not token:
            break
    assert seen == everybody


def test_a_token_belongs_to_one_version(suite: Suite) -> None:
    suite.publish()
    suite.publish(body="Екінші")
    suite.register()
    suite.register()
    token = accepted(suite, 2, size=1).next_page_token
    with pytest.raises(InvalidArgument):
        accepted(suite, 1, token, 1)


@pytest.mark.parametrize("version", [2, 1_000_000])
def test_a_version_that_was_never_published_is_none(suite: Suite, version: int) -> None:
    suite.publish()
    with pytest.raises(NotFound):
        accepted(suite, version)


def test_another_sites_subjects_are_not_listed(suite: Suite) -> None:
    suite.publish()
    suite.register()
    with pytest.raises(NotFound):
        accepted(suite, 1, site="s-elsewhere")


def test_a_page_among_many_is_read_from_an_index_in_its_order(
    suite: Suite, analyze: Callable[[str], None]
) -> None:
    for first in range(0, 50_000, 10_000):
        with suite.database.transaction() as connection:
            connection.execute(text(_MANY), {"site": suite.site, "first": first})
    analyze("agreement_states")
    parameters = {"site_id": suite.site, "version": 1, "after": "5" * 32, "limit": 101}
    with suite.database.transaction() as connection:
        explained = connection.execute(text(f"EXPLAIN (ANALYZE) {ACCEPTANCES}"), parameters)
        plan = "\n".join(row[0] for row in explained)
    assert "agreement_states_version" in plan
    assert "Sort" not in plan


_MANY = """
INSERT INTO agreement_states (site_id, subject_id, sequence, record_time, valid_time, mode,
                              policy_version, policy_sha256, language, time, act_id)
SELECT :site, md5((CAST(:first AS int) + i)::text), 2, now(), now(), 'IMPLIED', 1 + i % 100,
       '', 'kk', now(), '' FROM generate_series(1, 10000) AS i
"""

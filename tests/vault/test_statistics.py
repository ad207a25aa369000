# SPDX-License-Identifier: Apache-2.0
"""Statistics of visits tell of nobody (clause 3.3.2)."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qupia.vault.v1 import destruction_pb2, storing_pb2
from services.chassis.ids import new_uuid
from services.vault.browser import browser_family
from services.vault.decide import RULES_VERSION
from services.vault.ip_address import network_prefix
from services.vault.statistics import OTHERS, VisitCounts
from tests.vault.ending import Officer, pseudonym
from tests.vault.person import Person, settled
from tests.vault.test_records import UA, record, visit
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront

CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/129.0.0.0 Safari/537.36"


@pytest.fixture
def site(vault: VaultProcess) -> Storefront:
    """A storefront of a site that nobody has visited yet."""
    return Storefront(vault.as_process("gateway"), site=f"st-{secrets.token_hex(4)}", name="stats")


def summarize(shop: Storefront, **members: str) -> list[Any]:
    """The days told. Raises Refused."""
    return list(shop.call(storing_pb2.SummarizeVisitsRequest(**members)).days)


def visitors(vault: VaultProcess, shop: Storefront, count: int, **members: Any) -> list[Person]:
    """So many persons with a visit each."""
    people = [settled(vault, shop) for _ in range(count)]
    record(shop, *((p.subject_id, visit(**members)) for p in people))
    return people


def groups(counts: Any) -> dict[str, int]:
    return {each.group: each.visits for each in counts}


def test_only_counts_leave_and_small_groups_do_not(
    vault: VaultProcess, site: Storefront, house: House
) -> None:
    people = visitors(vault, site, 6, ip="203.0.113.7")
    visitors(vault, site, 5, ip="198.51.100.1", user_agent=CHROME)
    visitors(vault, site, 4, ip="192.0.2.9", user_agent="curl/8")
    record(site, *((people[0].subject_id, visit(ip="203.0.113.7")) for _ in range(3)))
    request = storing_pb2.SummarizeVisitsRequest()
    [day] = site.call(request).days
    assert (day.date, day.visits) == (datetime.now(UTC).date().isoformat(), 18)
    # Four more alone would be told by the total: the smallest group joins them.
    assert groups(day.browsers) == {"Firefox": 9, OTHERS: 9}
    assert groups(day.networks) == {"203.0.113.0/24": 9, OTHERS: 9}
    answer = site.call(request).SerializeToString()
    for hidden in ("203.0.113.7", "192.0.2", *(p.subject_id for p in people)):
        assert hidden.encode() not in answer
    [entry, _] = house.entries(event="visits.summarized", siteId=site.site)
    assert entry["decidedOn"] == {"rulesVersion": RULES_VERSION, "counted": 18, "leftOut": 0}


def test_one_busy_visitor_is_no_group(vault: VaultProcess, site: Storefront) -> None:
    people = visitors(vault, site, 4)
    record(site, *((people[0].subject_id, visit()) for _ in range(50)))
    assert summarize(site) == []


def test_the_blocked_are_not_counted(vault: VaultProcess, site: Storefront, house: House) -> None:
    people = visitors(vault, site, 6)
    assert summarize(site)[0].visits == 6
    people[0].is_blocked()
    people[1].disagrees()
    assert summarize(site) == []
    assert (
        house.entries(event="visits.summarized", siteId=site.site)[-1]["decidedOn"]["leftOut"] == 2
    )


def test_another_site_sees_none_of_it(vault: VaultProcess, site: Storefront) -> None:
    visitors(vault, site, 5)
    other = Storefront(site.gateway, site=f"st-{secrets.token_hex(4)}", name="stats")
    assert summarize(other) == []


def test_more_visits_than_one_page_are_counted(vault: VaultProcess, site: Storefront) -> None:
    people = visitors(vault, site, 5)
    record(site, *((people[n % 5].subject_id, visit()) for n in range(1000)))
    assert summarize(site)[0].visits == 1005


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [(-100, -90, "fromDate"), (-40, 0, "toDate"), (0, -1, "toDate")],
)
def test_a_range_is_short_and_recent(site: Storefront, first: int, last: int, field: str) -> None:
    today = datetime.now(UTC).date()
    days = [(today + timedelta(days=n)).isoformat() for n in (first, last)]
    with pytest.raises(Refused) as caught:
        summarize(site, from_date=days[0], to_date=days[1])
    assert caught.value.fields == ((field, "range"),)


def test_days_are_told_apart_so_that_ranges_add_up() -> None:
    counts = VisitCounts()
    for day, number in (("2026-05-01", 5), ("2026-05-02", 4)):
        for subject in range(number):
            counts.add(f"s{subject}", day, "Firefox", "10.0.0.0/24")
    [told] = counts.days()
    assert (told.date, told.visits, dict(told.browsers)) == ("2026-05-01", 5, {"Firefox": 5})


def test_a_suppressed_group_cannot_be_had_by_subtraction() -> None:
    counts = VisitCounts()
    for subject in range(5):
        counts.add(f"a{subject}", "2026-05-01", "Firefox", "n")
    counts.add("b", "2026-05-01", "Opera", "n")
    [told] = counts.days()
    assert dict(told.browsers) == {OTHERS: 6}


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (UA, "Firefox"),
        (CHROME, "Chrome"),
        (CHROME + " Edg/129.0", "Edge"),
        (CHROME + " YaBrowser/24", "Yandex"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605 Version/17 Safari/605", "Safari"),
        ("Googlebot/2.1", "Bot"),
        ("secret-canary", "other"),
        ("", "unknown"),
    ],
)
def test_a_browser_is_told_by_its_family_only(agent: str, family: str) -> None:
    assert browser_family(agent) == family


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
    ],
)
def test_an_address_is_told_by_its_network_only(address: str, network: str) -> None:
    assert network_prefix(address) == network


def _depersonalises(vault: VaultProcess, person: Person) -> None:
    request = destruction_pb2.DepersonalizeSubjectRequest(
        subject_id=person.subject_id,
        ground=destruction_pb2.DestructionGround.DEMAND,
        request_id=new_uuid(),
    )
    vault.as_process("gateway").call(request, Officer(vault, person.site).metadata)


def test_who_is_depersonalised_stays_counted_and_who_is_destroyed_does_not(
    vault: VaultProcess, site: Storefront
) -> None:
    """T-3.3.2-a"""
    people = visitors(vault, site, 6, ip="203.0.113.7")
    record(site, *((people[0].subject_id, visit(ip="198.51.100.1")) for _ in range(2)))
    before = summarize(site)
    assert [day.visits for day in before] == [8]
    for person in people[:2]:
        _depersonalises(vault, person)
        assert summarize(site) == before
    Officer(vault, people[2].site).destroys(people[2].subject_id)
    assert [day.visits for day in summarize(site)] == [7]
    Officer(vault, people[3].site).destroys(people[3].subject_id)
    assert summarize(site) == [], "four are too few, whoever of them is gone"


def test_nothing_of_what_stays_counted_leads_back(
    vault: VaultProcess, site: Storefront, house: House
) -> None:
    """T-3.3.2-a, T-5.1-b, Law 1(7)"""
    gone, other = visitors(vault, site, 2, ip="203.0.113.7")
    record(site, (gone.subject_id, visit(ip="198.51.100.1", user_agent=CHROME)))
    name = pseudonym(house, gone)
    _depersonalises(vault, gone)
    query = (
        "SELECT kind, name, visits, visitors, t::text, xmin::text FROM depersonalised_visits t "
        "WHERE site_id = %s ORDER BY kind, name"
    )
    rows = house.rows(query, site.site)
    # A browser and a network of one visit are not told together, nor is its minute.
    assert [row[:4] for row in rows] == [
        ("BROWSER", "Chrome", 1, 1),
        ("BROWSER", "Firefox", 1, 1),
        ("DAY", "", 2, 1),
        ("NETWORK", "198.51.100.0/24", 1, 1),
        ("NETWORK", "203.0.113.0/24", 1, 1),
    ]
    told = " ".join(row[4] for row in rows)
    assert not any(trace in told for trace in (gone.subject_id, name, "203.0.113.7", ":"))
    # Not even the database's own marks tell which end they came with.
    ends = {
        mark
        for table in ("destructions", "evidence_entries", "standing_changes", "subjects")
        for (mark,) in house.rows(f"SELECT xmin::text FROM {table} WHERE site_id = %s", site.site)
    }
    assert ends
    assert not ends & {row[5] for row in rows}
    _depersonalises(vault, other)
    (day,) = [row for row in house.rows(query, site.site) if row[0] == "DAY"]
    assert day[2:4] == (3, 2)


def test_an_end_without_a_key_leaves_no_counts_and_is_an_end(
    own_house: House,
) -> None:
    """T-5.1-b"""
    process = own_house.start()
    own_house.open(process)
    shop = Storefront(process.as_process("gateway"))
    (person,) = visitors(process, shop, 1)
    process.stop()
    own_house.key_file.unlink()
    process = own_house.start()
    own_house.open(process)
    _depersonalises(process, person)
    assert own_house.rows("SELECT 1 FROM depersonalised_visits") == []
    assert Officer(process).asks(person.subject_id).certificate.depersonalised
    process.stop()

# SPDX-License-Identifier: Apache-2.0
"""Incidents, codes, sessions and what is counted of floods: tampered with one thing at a time."""

import pytest

from tests.fsck.books import Books
from tests.fsck.tampering import Case, name_of, require_named

# Each case copies a database; data and standing are tampered with in every run.
pytestmark = pytest.mark.deep

_CLOSED = "SELECT incident_id FROM incidents WHERE close_time IS NOT NULL"
_LATE = "SELECT incident_id FROM incidents WHERE overdue_time IS NOT NULL"
_NOTICE = "SELECT min(notice_id) FROM incident_notices WHERE addressee = 'SUBJECTS'"
_LABEL = "SELECT min(exemption_id) FROM exemptions"
_AFFECTED = f"SELECT min(subject_id) FROM incident_subjects WHERE incident_id = ({_CLOSED})"


def _incident(name: str, statement: str, who: str = _CLOSED, table: str = "incidents") -> Case:
    return Case(name, "claims", statement, "incidents", f"claims.{table}", who)


def _changed(name: str, change: str, who: str = _CLOSED) -> Case:
    return _incident(name, f"UPDATE incidents SET {change} WHERE incident_id = ({who})", who)


def _entry_gone(event: str, who: str) -> str:
    return (
        f"DELETE FROM evidence_entries WHERE event = '{event}' AND subject = ''"
        f" AND body LIKE '%' || ({who}) || '%'"
    )


INCIDENTS = [
    _changed("it is called lost", "kind = 'LOST'"),
    _changed("it is called nobody's fault", "cause = 'TECHNICAL_FAILURE'"),
    _changed("its intent was forged", "intent = 'UNKNOWN'"),
    _changed("its author was forged", "author = 'person/x#nobody'"),
    _changed("it was detected later", "detect_time = detect_time + interval '1 hour'"),
    _changed("its notice is due later", "due_date = due_date + 1"),
    _changed("its term ends later in the day", "due_time = due_time + interval '1 hour'"),
    _changed("its term is of another calendar", "calendar_version = 'holidays-0'"),
    _changed("notice was given earlier", "notice_time = notice_time - interval '1 day'"),
    _changed("notice was never given", "notice_time = NULL"),
    _changed("it was opened again", "close_time = NULL"),
    _changed("it was closed", "close_time = now()", _LATE),
    _changed("it was never late", "overdue_time = NULL", _LATE),
    _changed("notice was forged", "notice_time = due_time", _LATE),
    _changed(
        "it was late before its term ended",
        "overdue_time = record_time - interval '90 days'",
        _LATE,
    ),
    _incident("it was deleted", f"DELETE FROM incidents WHERE incident_id = ({_LATE})", _LATE),
    _incident("its registration was deleted", _entry_gone("incident.registered", _LATE), _LATE),
    _incident("that it was late was deleted", _entry_gone("incident_notice.overdue", _LATE), _LATE),
    _incident("its end was deleted", _entry_gone("incident.closed", _CLOSED)),
    _incident(
        "a notice was deleted",
        f"DELETE FROM incident_notices WHERE notice_id = ({_NOTICE})",
        table="incident_notices",
    ),
    _incident(
        "a notice went to somebody else",
        f"UPDATE incident_notices SET addressee = 'SECURITY_BODY' WHERE notice_id = ({_NOTICE})",
        _NOTICE,
        "incident_notices",
    ),
    _incident(
        "a notice went earlier",
        "UPDATE incident_notices SET dispatch_time = dispatch_time - interval '1 day'"
        f" WHERE notice_id = ({_NOTICE})",
        _NOTICE,
        "incident_notices",
    ),
    _incident(
        "a notice names a request that the broker does not have",
        "UPDATE incident_notices SET authority_request_id = '00000000-0000-7000-8000-000000000000'"
        f" WHERE notice_id = ({_NOTICE})",
        _NOTICE,
        "incident_notices",
    ),
    _incident(
        "a notice was forged",
        "INSERT INTO incident_notices SELECT site_id, incident_id, 'n-1', 'SUBJECTS', channel,"
        " now(), NULL, author, now() FROM incident_notices LIMIT 1",
        "SELECT 'n-1'",
        "incident_notices",
    ),
    _incident(
        "an exemption was deleted",
        f"DELETE FROM exemptions WHERE exemption_id = ({_LABEL})",
        table="exemptions",
    ),
    _incident(
        "an exemption is another one",
        f"UPDATE exemptions SET code = 'PUBLIC_BEFORE' WHERE exemption_id = ({_LABEL})",
        _LABEL,
        "exemptions",
    ),
    _incident(
        "an affected person was taken out",
        f"DELETE FROM incident_subjects WHERE incident_id = ({_CLOSED})",
        _AFFECTED,
        "incident_subjects",
    ),
    _incident(
        "a person was put in",
        "INSERT INTO incident_subjects SELECT site_id, incident_id, 'ffff' FROM incidents"
        f" WHERE incident_id = ({_CLOSED})",
        "SELECT 'ffff'",
        "incident_subjects",
    ),
    Case(
        "an incident's key names nothing",
        "claims",
        "UPDATE idempotency_keys SET result_id = 'r-1' WHERE method LIKE '%RegisterIncident'",
        "results",
        "claims.idempotency_keys",
        "SELECT min(request_id) FROM idempotency_keys WHERE method LIKE '%RegisterIncident'",
    ),
    Case(
        "a credential was used up by nothing",
        "claims",
        "UPDATE filed_subjects SET count = count + 1000",
        "claims",
        "claims.filed_subjects",
        "SELECT min(filed_by) FROM filed_subjects",
    ),
]

_LIVE = "SELECT min(code_id) FROM access_codes WHERE state = 'LIVE'"
_SPENT = "SELECT min(code_id) FROM access_codes WHERE state = 'SPENT'"
_USED = "SELECT max(code_id) FROM access_codes WHERE state = 'USED'"
_OLD = "SELECT min(code_id) FROM access_codes WHERE state = 'ENDED'"
_SESSION = "SELECT session_id FROM access_sessions WHERE end_time IS NULL"
_FIRST = "SELECT min(session_id) FROM access_sessions WHERE end_time IS NOT NULL"
_SECOND = "SELECT max(session_id) FROM access_sessions WHERE end_time IS NOT NULL"
_OTHER = "SELECT max(subject_id) FROM subjects WHERE life = 'PRESENT'"


def _code(name: str, change: str, who: str) -> Case:
    statement = f"UPDATE access_codes SET {change} WHERE code_id = ({who})"
    return Case(name, "vault", statement, "access", "vault.access_codes", who)


def _session(name: str, change: str, who: str = _SESSION) -> Case:
    statement = f"UPDATE access_sessions SET {change} WHERE session_id = ({who})"
    return Case(name, "vault", statement, "access", "vault.access_sessions", who)


ACCESS = [
    _code("a code lives longer", "expire_time = expire_time + interval '1 hour'", _LIVE),
    _code("a code that was tried too often lives again", "state = 'LIVE'", _SPENT),
    _code("a code bears more tries", "tries = -100", _LIVE),
    _code("a code is in no known state", "state = 'OPEN'", _LIVE),
    _code("a code was redeemed by nobody", "state = 'USED'", _LIVE),
    _code(
        "a letter waits that an officer's code never had",
        "letter = 'x', letter_time = now()",
        _LIVE,
    ),
    _code("a letter is due that is not there", "letter_time = now()", _LIVE),
    Case(
        "a replaced code lives again",
        "vault",
        f"UPDATE access_codes SET state = 'LIVE' WHERE code_id = ({_OLD})",
        "access",
        "vault.access_codes",
        f"SELECT subject_id FROM access_codes WHERE code_id = ({_OLD})",
    ),
    Case(
        "a code that nobody issued",
        "vault",
        "INSERT INTO access_codes SELECT site_id, 'c-1', 'somebody', 'LOCATOR1', digest, 'LIVE', 0,"
        " language, NULL, NULL, NULL, now(), now() + interval '15 minutes'"
        f" FROM access_codes WHERE code_id = ({_LIVE})",
        "access",
        "vault.access_codes",
        "SELECT 'c-1'",
    ),
    _session("a session lives longer", "expire_time = expire_time + interval '1 day'"),
    _session("a session opens somebody else's view", f"subject_id = ({_OTHER})"),
    _session(
        "a session began before its code",
        "create_time = create_time - interval '1 hour',"
        " expire_time = expire_time - interval '1 hour'",
    ),
    _session("a session ended after its time", "end_time = expire_time + interval '1 day'"),
    _session("a session that the next one ended lives again", "end_time = NULL", _FIRST),
    _session("a session that its person ended lives again", "end_time = NULL", _SECOND),
    Case(
        "a code was not redeemed",
        "vault",
        "UPDATE access_codes SET state = 'ENDED' WHERE code_id ="
        f" (SELECT code_id FROM access_sessions WHERE session_id = ({_SESSION}))",
        "access",
        "vault.access_sessions",
        _SESSION,
    ),
    Case(
        "a session was deleted",
        "vault",
        f"DELETE FROM access_sessions WHERE session_id = ({_SESSION})",
        "access",
        "vault.access_codes",
        f"SELECT code_id FROM access_sessions WHERE session_id = ({_SESSION})",
    ),
    Case(
        "a session that no code opened",
        "vault",
        "INSERT INTO access_sessions SELECT site_id, 's-1', 'c-1', subject_id, 'd', 'r', now(),"
        f" now() + interval '30 minutes' FROM access_codes WHERE code_id = ({_USED})",
        "access",
        "vault.access_sessions",
        "SELECT 's-1'",
    ),
    Case(
        "a second session of one code",
        "vault",
        "INSERT INTO access_sessions SELECT site_id, 's-1', code_id, subject_id, 'd', 'r',"
        f" create_time, expire_time FROM access_sessions WHERE session_id = ({_SESSION})",
        "access",
        "vault.access_sessions",
        "SELECT 's-1'",
    ),
    Case(
        "the entry of a redemption was deleted",
        "vault",
        "DELETE FROM evidence_entries WHERE event = 'access_code.redeemed' AND body LIKE '%' ||"
        f" (SELECT code_id FROM access_sessions WHERE session_id = ({_SESSION})) || '%'",
        "access",
        "vault.access_sessions",
        _SESSION,
    ),
    Case(
        "a letter was altered",
        "vault",
        "UPDATE access_codes SET letter = decode(repeat('ab', 60), 'hex'), letter_time = now()"
        f" WHERE code_id = ({_LIVE})",
        "ciphertexts",
        "vault.access_codes",
        _LIVE,
    ),
]


@pytest.mark.parametrize("case", [*INCIDENTS, *ACCESS], ids=name_of)
def test_fsck_names_it(books: Books, case: Case) -> None:
    require_named(books, case)


def test_a_code_that_was_removed_long_ago_is_no_fault(books: Books) -> None:
    long_ago = "create_time = create_time - interval '3 days'"
    ago = f"{long_ago}, expire_time = expire_time - interval '3 days'"
    with books.tampered(
        "vault",
        f"UPDATE access_sessions SET {ago}, end_time = end_time - interval '3 days'",
        "DELETE FROM access_codes",
    ) as urls:
        (outcome,) = books.inspect(urls, "access").outcomes
    assert not outcome.faults

# SPDX-License-Identifier: Apache-2.0
"""The technical data of a use rest at the vault alone (law.md 4.5; clauses 2.1, 3.3)."""

import json
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from qupia.consent.v1 import consent_pb2
from qupia.vault.v1 import uses_pb2
from services.chassis.metrics import Metrics
from services.chassis.refusal import (
    InvalidArgument,
    PolicyDisagreed,
    SubjectBlocked,
    SubjectDestroyed,
    Unavailable,
)
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.courier import Courier
from services.chassis.sealed.document import SealedDocument, SealingKey
from services.chassis.sealing import DocumentPlace, sealing_key_id
from services.consent.use import page_digest, technical_digest
from services.vault.secret_key import SecretKey
from services.vault.unsealing import open_sealed
from tests.consent.suite import Suite, use

TECHNICAL = {
    "ip": "203.0.113.77",
    "cookie": "canary-cookie-1",
    "user_agent": "Canary/7.1 (браузер)",
    "referrer": "https://canary-referrer.example.kz/",
}
PAGE = "/canary-page-9"


class Door:
    """Takes sealed uses as the vault would, or refuses them."""

    def __init__(self, private: X25519PrivateKey) -> None:
        self._key = SecretKey(private.private_bytes_raw())
        self.refusal: Exception | None = None
        self.taken: dict[str, uses_pb2.UseRecord] = {}

    def put(self, document: SealedDocument, _seconds: float) -> None:
        """Open and keep."""
        if self.refusal is not None:
            raise self.refusal
        event = document.document_id
        place = DocumentPlace(document.site_id, event, event, "USE")
        opened = open_sealed(self._key, place, document.sealed)
        self.taken[document.owner_id] = uses_pb2.UseRecord.FromString(opened)


@pytest.fixture
def door(suite: Suite) -> Door:
    """A vault whose key the service has."""
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    with suite.database.transaction() as connection:
        key = SealingKey(sealing_key_id(public), public)
        sealed_store.keep_key(connection, key, suite.clock.now())
    suite.publish()
    return Door(private)


def _used(suite: Suite, **members: Any) -> str:
    told = use(consent_pb2.Use.FORM_SUBMIT, page=PAGE)
    told.MergeFrom(consent_pb2.Use(**(members or TECHNICAL)))
    request = consent_pb2.RegisterSubjectRequest(use=told)
    return suite.ask(request, consent_pb2.RegisterSubjectResponse).subject_id


def _deliver(suite: Suite, door: Door) -> None:
    courier = Courier(
        suite.database,
        door.put,
        suite.clock,
        Metrics(),
        structlog.get_logger(),
        final=(PolicyDisagreed,),
        kept=False,
    )
    with suite.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE sealed_documents SET next_time = now() + "
            "CASE site_id WHEN %s THEN interval '-1 h' ELSE interval '1 h' END",
            (suite.site,),
        )
    courier.round()


def _waiting(suite: Suite) -> int:
    with suite.database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT count(*) FROM sealed_documents WHERE site_id = %s", (suite.site,)
        )
        return int(rows.scalar_one())


def _everything(suite: Suite) -> str:
    with suite.database.transaction() as connection:
        tables = connection.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).scalars()
        found: list[str] = []
        for table in tables.all():
            found += connection.exec_driver_sql(f"SELECT t::text FROM {table} t").scalars().all()
    return "\n".join(found)


@pytest.mark.usefixtures("door")
def test_technical_data_stand_in_no_row_and_no_entry(suite: Suite) -> None:
    _used(suite)
    for told in (_everything(suite), "".join(suite.evidence())):
        for value in (*TECHNICAL.values(), PAGE):
            assert value not in told
            assert value.encode().hex() not in told


def test_they_reach_the_vault_and_then_leave_this_database(suite: Suite, door: Door) -> None:
    subject = _used(suite)
    assert _waiting(suite) == 1
    _deliver(suite, door)
    assert _waiting(suite) == 0
    visit = door.taken[subject].visit
    assert {name: getattr(visit, name) for name in TECHNICAL} == TECHNICAL
    assert visit.page == PAGE
    assert visit.HasField("access_time")


def test_the_digests_in_evidence_are_shown_by_the_salt_that_only_the_vault_has(
    suite: Suite, door: Door
) -> None:
    subject = _used(suite)
    _deliver(suite, door)
    salt = door.taken[subject].salt
    [entry] = [b for b in map(json.loads, suite.evidence()) if b["event"] == "subject.registered"]
    assert entry["digests"] == {
        "page": page_digest(salt, PAGE),
        "technical": technical_digest(salt, TECHNICAL),
    }
    assert salt not in _everything(suite)


@pytest.mark.usefixtures("door")
def test_who_has_disagreed_leaves_no_digest_of_technical_data(suite: Suite) -> None:
    """T-2.2-a"""
    subject = suite.register().subject_id
    suite.reject(subject)
    told = use(consent_pb2.Use.FORM_SUBMIT, page=PAGE)
    for name, value in TECHNICAL.items():
        setattr(told, name, value)
    request = consent_pb2.RecordUseRequest(subject_id=subject, use=told)
    suite.ask(request, consent_pb2.RecordUseResponse)
    [entry] = [b for b in map(json.loads, suite.evidence()) if b["event"] == "use.recorded"]
    assert set(entry["digests"]) == {"page"}
    assert _waiting(suite) == 0


@pytest.mark.parametrize("refusal", [Unavailable(), SubjectBlocked()])
def test_a_vault_that_does_not_take_them_now_loses_nothing(
    suite: Suite, door: Door, refusal: Exception
) -> None:
    door.refusal = refusal
    subject = _used(suite)
    for _ in range(3):
        _deliver(suite, door)
    assert _waiting(suite) == 1
    door.refusal = None
    _deliver(suite, door)
    assert subject in door.taken


@pytest.mark.parametrize("refusal", [SubjectDestroyed(), PolicyDisagreed()])
def test_what_the_vault_will_never_take_goes(suite: Suite, door: Door, refusal: Exception) -> None:
    door.refusal = refusal
    _used(suite)
    _deliver(suite, door)
    assert _waiting(suite) == 0


def test_who_has_disagreed_leaves_nothing(suite: Suite, door: Door) -> None:
    subject = _used(suite)
    _deliver(suite, door)
    suite.reject(subject)
    told = use(consent_pb2.Use.VIEW, page=PAGE)
    told.ip = TECHNICAL["ip"]
    request = consent_pb2.RecordUseRequest(subject_id=subject, use=told)
    suite.ask(request, consent_pb2.RecordUseResponse)
    assert _waiting(suite) == 0


def test_an_address_that_is_none_is_refused_by_name(suite: Suite, door: Door) -> None:
    assert door.refusal is None
    with pytest.raises(InvalidArgument) as refused:
        _used(suite, ip="203.0.113.999")
    assert [fault.field for fault in refused.value.fields] == ["use.ip"]
    assert "999" not in str(refused.value)

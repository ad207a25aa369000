# SPDX-License-Identifier: Apache-2.0
"""The texts of a claim are sealed where they arrive and reach the vault, whatever happens."""

import json
import subprocess
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from cli.postgres import Cluster, DatabaseAccess
from services.chassis.clock import FixedClock
from services.chassis.ids import new_uuid
from services.chassis.refusal import InvalidArgument, NotFound, SubjectDestroyed, Unavailable
from services.chassis.sealed.document import SealingKey
from services.chassis.sealed.keeper import SealingKeyKeeper
from tests.claims.suite import NOW, Claim, Suite
from tests.claims.test_answering import _answer, _dispatch

CANARIES: dict[str, Any] = {
    "statement": "Әбілқайырұлы-мәлімдеме-7f31",
    "demand": "Үндеу-талап-7f32",
    "reply_address": "nursultan-7f33@example.kz",
}
PROPOSED = {"phone": "+77010007334", "family_name": "Ғалымұлы-7f35"}
LATER = {"evidence": "Куәлік-7f36", "text": "Жауап-мәтіні-7f37", "proof": "Түбіртек-7f38"}


def _dump(access: DatabaseAccess) -> str:
    """Every row of every table as text, bytes also as text."""
    dumped = []
    with psycopg.connect(access.owner_url.replace("+psycopg", "", 1), autocommit=True) as owner:
        tables = owner.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        assert len(tables) > 15
        for (table,) in tables:
            for row in owner.execute(f'SELECT * FROM "{table}"').fetchall():
                for value in row:
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                    dumped.append(f"{text}")
                    dumped.append(value.hex() if isinstance(value, bytes) else "")
    return "\n".join(dumped)


def _given(key: SealingKey, _seconds: float) -> SealingKey:
    return key


def _advance(suite: Suite, minutes: float) -> None:
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant += timedelta(minutes=minutes)


@pytest.mark.parametrize("vault_up", [True, False])
def test_no_text_stands_in_the_database(
    suite: Suite, empty: DatabaseAccess, cluster: Cluster, vault_up: bool
) -> None:
    claim_id = suite.file(
        suite.vault.subject(), proposed_correction=PROPOSED, **CANARIES
    ).claim.claim_id
    suite.vault.up = vault_up
    suite.file(suite.vault.subject(), proposed_correction=PROPOSED, **CANARIES)
    suite.vault.up = True
    suite.conclude(
        claim_id, Claim.INACCURATE_CONFIRMED, correction=PROPOSED, evidence=LATER["evidence"]
    )
    suite.vault.up = vault_up
    _answer(suite, claim_id, text=LATER["text"], dispatch=_dispatch(proof=LATER["proof"]))
    dump = _dump(empty)
    assert claim_id in dump
    subprocess.run(["sync"], check=True)
    files = b"".join(p.read_bytes() for p in cluster.data_dir.rglob("pg_wal/0*") if p.is_file())
    for canary in (*CANARIES.values(), *PROPOSED.values(), *LATER.values()):
        assert canary not in dump
        assert canary.encode().hex() not in dump
        assert json.dumps(canary)[1:-1] not in dump
        assert canary.encode() not in files


def test_the_vault_opens_every_text_in_its_place(suite: Suite) -> None:
    subject = suite.vault.subject()
    claim_id = suite.file(subject, proposed_correction=PROPOSED, **CANARIES).claim.claim_id
    texts = suite.vault.texts(claim_id)
    assert texts == {
        "STATEMENT": CANARIES["statement"],
        "DEMAND": CANARIES["demand"],
        "REPLY_ADDRESS": CANARIES["reply_address"],
        "PROPOSED_CORRECTION": '{"familyName":"Ғалымұлы-7f35","phone":"+77010007334"}',
    }
    assert {place.owner_id for place, _ in suite.vault.documents.values()} == {subject}
    rows = suite.rows("SELECT sealed, delivered_time FROM sealed_documents")
    assert rows == [(None, NOW)] * 4


def test_what_the_vault_could_not_take_is_brought_later(suite: Suite) -> None:
    suite.vault.up = False
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    _advance(suite, 1)
    suite.courier.round()
    assert suite.metrics.oldest_pending.labels("documents")._value.get() == 60
    assert suite.vault.texts(claim_id) == {}
    suite.vault.up = True
    _advance(suite, 1)
    suite.courier.round()
    assert set(suite.vault.texts(claim_id)) == {"STATEMENT", "DEMAND"}
    assert suite.rows("SELECT count(*) FROM sealed_documents WHERE sealed IS NOT NULL") == [(0,)]
    suite.courier.round()
    assert suite.metrics.oldest_pending.labels("documents")._value.get() == 0


def test_a_document_that_is_refused_holds_off_no_other(suite: Suite) -> None:
    suite.vault.refuses["PutDocument"] = InvalidArgument()
    first = suite.file(suite.vault.subject()).claim.claim_id
    del suite.vault.refuses["PutDocument"]
    suite.vault.up = False
    second = suite.file(suite.vault.subject()).claim.claim_id
    suite.vault.up = True
    suite.vault.refuses["PutDocument"] = NotFound()
    _advance(suite, 1)
    asked = suite.vault.asked.count("PutDocument")
    suite.courier.round()
    assert suite.vault.asked.count("PutDocument") == asked + 4
    suite.vault.refuses.clear()
    for _ in range(3):
        _advance(suite, 2)
        suite.courier.round()
    assert len(suite.vault.texts(first)) == len(suite.vault.texts(second)) == 2


def test_texts_of_one_claim_go_to_the_vault_together(suite: Suite) -> None:
    suite.vault.asked.clear()
    claim_id = suite.file(suite.vault.subject(), reply_address="a@example.kz").claim.claim_id
    assert set(suite.vault.texts(claim_id)) == {"STATEMENT", "DEMAND", "REPLY_ADDRESS"}
    assert [name for name in suite.vault.asked if "Document" in name] == ["PutDocuments"]


def test_what_is_refused_together_is_brought_one_by_one(suite: Suite) -> None:
    suite.vault.up = False
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    suite.vault.up = True
    suite.vault.refuses["PutDocuments"] = InvalidArgument()
    _advance(suite, 1)
    suite.courier.round()
    assert set(suite.vault.texts(claim_id)) == {"STATEMENT", "DEMAND"}


def test_texts_that_are_too_long_for_one_call_go_by_themselves(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.chassis.sealed.courier._MOST_BYTES_TOGETHER", 50_000)
    suite.vault.asked.clear()
    claim_id = suite.file(suite.vault.subject(), statement="ә" * 20_000, demand="ә" * 8_000)
    assert set(suite.vault.texts(claim_id.claim.claim_id)) == {"STATEMENT", "DEMAND"}
    assert [name for name in suite.vault.asked if "Document" in name] == ["PutDocument"] * 2


def test_texts_of_a_destroyed_subject_go(suite: Suite) -> None:
    suite.vault.refuses["PutDocument"] = SubjectDestroyed()
    suite.file(suite.vault.subject())
    rows = suite.rows("SELECT sealed, delivered_time FROM sealed_documents")
    assert rows == [(None, None)] * 2


def test_without_a_sealing_key_no_claim_is_taken(empty: DatabaseAccess) -> None:
    suite = Suite(empty.runtime_url)
    suite.vault.up = False
    with pytest.raises(Unavailable):
        suite.file()
    assert suite.rows("SELECT count(*) FROM claims") == [(0,)]
    assert suite.keeper.round() < 1
    suite.vault.up = True
    suite.keeper.round()
    suite.vault.up = False
    assert suite.file().claim.number
    suite.database.close()


def test_the_newest_sealing_key_is_used_and_none_but_a_key_is_kept(suite: Suite) -> None:
    keys = [SealingKey(new_uuid(), bytes([n]) * 32) for n in (1, 2)]
    for key in (keys[0], keys[0], keys[1]):
        _advance(suite, 1)
        SealingKeyKeeper(suite.database, partial(_given, key), suite.clock).round()
    suite.vault.up = False
    suite.file()
    assert suite.rows("SELECT DISTINCT key_id FROM sealed_documents") == [(keys[1].key_id,)]
    short = SealingKey(new_uuid(), b"short")
    broken = SealingKeyKeeper(suite.database, partial(_given, short), suite.clock)
    with pytest.raises(ValueError, match="X25519"):
        broken.round()
    assert suite.rows("SELECT count(*) FROM sealing_keys") == [(3,)]

# SPDX-License-Identifier: Apache-2.0
"""Sealed documents of claims and orders: kept by the vault alone, bound to their place."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from qupia.vault.v1 import documents_pb2, vault_pb2
from services.chassis.ids import new_uuid
from services.chassis.sealing import DocumentPlace, seal
from tests.harness.waiting import wait_until
from tests.vault.ending import Officer
from tests.vault.person import Person
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Caller, Refused

TEXT = "Телефон нөмірім қате көрсетілген, түзетуді талап етемін"


@pytest.fixture
def claims(vault: VaultProcess) -> Caller:
    """The claims service."""
    return vault.as_process("claims")


def _place(person: Person, **members: Any) -> vault_pb2.DocumentPlace:
    own = {
        "site_id": person.site,
        "owner_id": person.subject_id,
        "bound_to": new_uuid(),
        "document_id": new_uuid(),
        "kind": vault_pb2.Document.STATEMENT,
    }
    return vault_pb2.DocumentPlace(**{**own, **members})


def _sealed(
    caller: Caller, place: vault_pb2.DocumentPlace, text: str = TEXT
) -> vault_pb2.PutDocumentRequest:
    key = caller.call(vault_pb2.GetSealingKeyRequest())
    where = DocumentPlace(
        place.site_id,
        place.bound_to,
        place.document_id,
        vault_pb2.Document.Kind.Name(place.kind),
    )
    return vault_pb2.PutDocumentRequest(
        place=place,
        sealing_key_id=key.key_id,
        sealed=seal(key.public_key, where, text.encode()),
    )


def _text(caller: Caller, place: vault_pb2.DocumentPlace) -> str:
    request = vault_pb2.GetDocumentRequest(place=place, reader="https://id.example#aigerim")
    return str(caller.call(request).text)


def test_a_sealed_document_comes_back_for_a_named_reader_and_it_is_recorded(
    claims: Caller, person: Person, house: House
) -> None:
    place = _place(person)
    claims.call(_sealed(claims, place))
    assert _text(claims, place) == TEXT
    [entry] = [
        e
        for e in house.entries(event="document.read")
        if e.get("refs", {}).get("document_id") == place.document_id
    ]
    assert entry["refs"]["reader"] == "https://id.example#aigerim"
    assert entry["principal"] == "process/claims"


def test_a_document_is_readable_under_a_block_and_kept_for_a_claim_without_a_person(
    claims: Caller, person: Person
) -> None:
    person.is_blocked()
    place = _place(person)
    claims.call(_sealed(claims, place))
    assert _text(claims, place) == TEXT
    unknown = _place(person, owner_id=new_uuid())
    claims.call(_sealed(claims, unknown))
    assert _text(claims, unknown) == TEXT


def test_putting_a_document_twice_is_one_document(
    claims: Caller, person: Person, house: House
) -> None:
    place = _place(person)
    request = _sealed(claims, place)
    for _ in range(3):
        claims.call(request)
    stored = [
        e
        for e in house.entries(event="document.stored")
        if e.get("refs", {}).get("document_id") == place.document_id
    ]
    assert len(stored) == 1


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"bound_to": new_uuid()},
        {"document_id": new_uuid()},
        {"kind": vault_pb2.Document.ANSWER},
        {"site_id": "other"},
    ],
)
def test_a_document_opens_only_for_the_place_it_was_sealed_to(
    claims: Caller, person: Person, elsewhere: dict[str, Any]
) -> None:
    place = _place(person)
    request = _sealed(claims, place)
    request.place.CopyFrom(_place(person, bound_to=place.bound_to, document_id=place.document_id))
    for name, value in elsewhere.items():
        setattr(request.place, name, value)
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        claims.call(request)
    assert caught.value.fields == (("sealed", "sealed"),)


def _together(*requests: vault_pb2.PutDocumentRequest) -> documents_pb2.PutDocumentsRequest:
    return documents_pb2.PutDocumentsRequest(documents=requests)


def test_documents_of_one_owner_are_put_together_each_with_its_entry(
    claims: Caller, person: Person, house: House
) -> None:
    places = [_place(person) for _ in range(3)]
    requests = [_sealed(claims, place, f"{TEXT} {n}") for n, place in enumerate(places)]
    claims.call(requests[1])
    for _ in range(2):
        claims.call(_together(*requests))
    assert [_text(claims, place) for place in places] == [f"{TEXT} {n}" for n in range(3)]
    stored = [e.get("refs", {}).get("document_id") for e in house.entries(event="document.stored")]
    assert [stored.count(place.document_id) for place in places] == [1, 1, 1]


@pytest.mark.parametrize("position", range(3))
def test_one_document_that_is_wrong_keeps_all_of_them_out(
    claims: Caller, person: Person, position: int
) -> None:
    places = [_place(person) for _ in range(3)]
    requests = [_sealed(claims, place) for place in places]
    requests[position].sealed = secrets.token_bytes(200)
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        claims.call(_together(*requests))
    assert caught.value.fields == ((f"documents[{position}].sealed", "sealed"),)
    for place in places:
        with pytest.raises(Refused, match="NOT_FOUND"):
            _text(claims, place)


def test_an_id_that_stands_for_another_document_keeps_all_of_them_out(
    claims: Caller, person: Person
) -> None:
    taken, fresh = _place(person), _place(person)
    claims.call(_sealed(claims, taken))
    another = _sealed(claims, taken, "Басқа мәтін")
    with pytest.raises(Refused, match="ALREADY_EXISTS"):
        claims.call(_together(_sealed(claims, fresh), another))
    assert _text(claims, taken) == TEXT
    with pytest.raises(Refused, match="NOT_FOUND"):
        _text(claims, fresh)


def test_documents_of_several_owners_and_sites_are_put_together(
    claims: Caller, person: Person, house: House
) -> None:
    owners = [{}, {"owner_id": new_uuid()}, {"site_id": "other", "owner_id": new_uuid()}]
    places = [_place(person, **members) for members in (*owners, owners[1])]
    requests = [_sealed(claims, place, f"{TEXT} {n}") for n, place in enumerate(places)]
    for _ in range(2):
        claims.call(_together(*requests))
    assert [_text(claims, place) for place in places] == [f"{TEXT} {n}" for n in range(4)]
    query = "SELECT pseudonym FROM data_keys WHERE site_id = %s AND owner_id = %s"
    for place in places:
        [(whose,)] = house.rows(query, place.site_id, place.owner_id, key_store=True)
        named = [
            entry["subject"]
            for entry in house.entries(event="document.stored", siteId=place.site_id)
            if entry["refs"]["document_id"] == place.document_id
        ]
        assert named == [whose]


def test_an_owner_who_was_destroyed_keeps_the_documents_of_all_out(
    claims: Caller, vault: VaultProcess, people: Callable[[int], list[Person]]
) -> None:
    one, gone, other = people(3)
    places = [_place(each) for each in (one, gone, other)]
    requests = [_sealed(claims, place) for place in places]
    Officer(vault).destroys(gone.subject_id)
    with pytest.raises(Refused, match="SUBJECT_DESTROYED"):
        claims.call(_together(*requests))
    for place in (places[0], places[2]):
        with pytest.raises(Refused, match="NOT_FOUND"):
            _text(claims, place)


def test_documents_are_put_in_one_order_whatever_order_they_come_in(
    claims: Caller, people: Callable[[int], list[Person]], house: House
) -> None:
    places = sorted((_place(each) for each in people(2)), key=lambda place: place.document_id)
    first, last = places
    requests = [_sealed(claims, place) for place in (last, first)]
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
    insert = "INSERT INTO documents VALUES (%s, %s, %s, %s, %s, %s, now())"
    with house.owner() as other, ThreadPoolExecutor(1) as pool:
        other.execute("BEGIN")
        members = (first.owner_id, first.bound_to, "STATEMENT", b"")
        other.execute(insert, (first.site_id, first.document_id, *members))
        put = pool.submit(claims.call, _together(*requests))
        wait_until(lambda: house.rows(waiting) == [(1,)], "nobody waits for the first document")
        # Whoever waits for the first has not the last yet: here they would wait for each other.
        other.execute(insert, (last.site_id, last.document_id, *members))
        other.execute("ROLLBACK")
        put.result()
    assert [_text(claims, place) for place in places] == [TEXT, TEXT]


@pytest.mark.parametrize("number", [0, 101])
def test_one_to_a_hundred_documents_are_put_together(
    claims: Caller, person: Person, number: int
) -> None:
    request = _sealed(claims, _place(person))
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        claims.call(_together(*[request] * number))
    assert caught.value.fields[0][0] == "documents"


def test_documents_that_are_put_together_have_ids_of_their_own(
    claims: Caller, person: Person
) -> None:
    request = _sealed(claims, _place(person))
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        claims.call(_together(request, request))
    assert caught.value.fields == (("documents[1].place.documentId", "repeated"),)


@pytest.mark.parametrize("sealed", [b"\x01", b"", secrets.token_bytes(200), b"\x01" + bytes(99)])
def test_bytes_that_nobody_sealed_are_refused(
    claims: Caller, person: Person, sealed: bytes
) -> None:
    request = _sealed(claims, _place(person))
    request.sealed = sealed
    with pytest.raises(Refused, match="INVALID_ARGUMENT"):
        claims.call(request)


def test_a_sealing_key_that_the_vault_never_had_is_refused(claims: Caller, person: Person) -> None:
    request = _sealed(claims, _place(person))
    request.sealing_key_id = "0" * 32
    with pytest.raises(Refused) as caught:
        claims.call(request)
    assert caught.value.fields == (("sealingKeyId", "sealed"),)


@pytest.mark.parametrize(
    "asked",
    [{"owner_id": "1" * 32}, {"bound_to": new_uuid()}, {"site_id": "other"}],
)
def test_a_document_is_not_found_in_another_place(
    claims: Caller, person: Person, asked: dict[str, str]
) -> None:
    place = _place(person)
    claims.call(_sealed(claims, place))
    for name, value in asked.items():
        setattr(place, name, value)
    with pytest.raises(Refused, match="NOT_FOUND"):
        _text(claims, place)


def test_a_document_id_that_stands_for_another_document_is_not_silently_lost(
    claims: Caller, person: Person
) -> None:
    first = _place(person)
    claims.call(_sealed(claims, first))
    second = _place(person, document_id=first.document_id)
    with pytest.raises(Refused, match="ALREADY_EXISTS"):
        claims.call(_sealed(claims, second, "another text"))
    assert _text(claims, first) == TEXT


def test_a_document_moved_to_another_row_is_data_loss(
    claims: Caller, person: Person, house: House
) -> None:
    one, two = _place(person), _place(person)
    for place in (one, two):
        claims.call(_sealed(claims, place))
    with house.owner() as owner:
        owner.execute(
            "UPDATE documents SET ciphertext ="
            " (SELECT ciphertext FROM documents WHERE document_id = %s) WHERE document_id = %s",
            (one.document_id, two.document_id),
        )
    with pytest.raises(Refused, match="DATA_LOSS"):
        _text(claims, two)
    assert _text(claims, one) == TEXT


@pytest.mark.parametrize("process", ["gateway", "consent"])
def test_nobody_else_reads_documents(
    vault: VaultProcess, claims: Caller, person: Person, process: str
) -> None:
    place = _place(person)
    claims.call(_sealed(claims, place))
    with pytest.raises(Refused, match="PEER_NOT_ALLOWED"):
        _text(vault.as_process(process), place)

# SPDX-License-Identifier: Apache-2.0
"""The receipt of a release: whoever holds it and the details proves offline what was given."""

import hashlib
import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from qupia.contract.v1.signing_pb2 import GetSigningKeysRequest
from services.chassis.signing import Signer
from services.disclosure import store_receipts
from services.disclosure.receipt import canonical, details_digest
from tests.disclosure.house import STOREFRONT, House, release

DETAILS = {
    "orderId": "A-1001",
    "name": "Әбілқайырұлы Нұрсұлтан Ғалымұлы",
    "phone": "+77011234567",
    "address": {"country": "KZ", "locality": "Алматы", "house": "10"},
}


def _keys(house: House) -> KeySet:
    with house.database.transaction() as connection:
        store_receipts.keep(connection, Signer.of_secret(b"s" * 32), house.clock.now())
    answer = house.call(STOREFRONT, GetSigningKeysRequest())
    keys = [{"kty": k.kty, "crv": k.crv, "kid": k.kid, "x": k.x} for k in answer.keys]
    return KeySet.import_key_set({"keys": keys})


def _claims(house: House, receipt: str) -> Any:
    opened = jws.deserialize_compact(receipt, _keys(house), algorithms=["Ed25519"])
    return json.loads(opened.payload)


def test_a_receipt_names_the_release_and_holds_the_digest_of_the_details(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    answer = house.call(recipient, release(delivery_id))
    claims = _claims(house, answer.receipt)
    line = house.ledger()[0]
    assert claims["releaseId"] == answer.release_id == line.disclosure_id
    assert (claims["deliveryId"], claims["orderId"]) == (delivery_id, "A-1001")
    assert claims["recipientId"] == recipient.recipient_id
    assert claims["fields"] == list(line.fields)
    assert claims["detailsSha256"] == details_digest(claims["salt"], DETAILS)
    written = json.dumps(DETAILS, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    by_hand = hashlib.sha256(f"{claims['salt']}\n{written}".encode()).hexdigest()
    assert claims["detailsSha256"] == by_hand


def test_evidence_has_the_digest_and_nobody_but_the_recipient_the_salt(house: House) -> None:
    recipient = house.recipient()
    answer = house.call(recipient, release(house.delivery(recipient)))
    claims = _claims(house, answer.receipt)
    (row,) = house.rows("SELECT body FROM evidence_entries WHERE event = 'delivery.released'")
    assert json.loads(row.body)["digests"]["details"] == claims["detailsSha256"]
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    for table in house.rows(tables):
        rows = house.rows(f"SELECT t::text AS told FROM {table.table_name} t")
        assert not [row for row in rows if claims["salt"] in row.told]


def test_a_repeat_names_its_first_and_has_a_salt_of_its_own(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    first = house.call(recipient, release(delivery_id))
    second = house.call(recipient, release(delivery_id))
    told, again = _claims(house, first.receipt), _claims(house, second.receipt)
    assert again["firstReleaseId"] == first.release_id
    assert "firstReleaseId" not in told
    assert told["salt"] != again["salt"]


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_receipt_that_was_touched_does_not_verify(house: House, part: int) -> None:
    recipient = house.recipient()
    parts = house.call(recipient, release(house.delivery(recipient))).receipt.split(".")
    known = urlsafe_b64decode(parts[part] + "==")
    other = "A" if parts[part][10] != "A" else "B"
    parts[part] = parts[part][:10] + other + parts[part][11:]
    assert urlsafe_b64decode(parts[part] + "==") != known
    with pytest.raises(JoseError):
        _claims(house, ".".join(parts))


def test_canonical_json_leaves_out_what_is_empty_and_sorts_the_rest() -> None:
    messy = {"phone": "+7", "address": {"region": "", "house": "1", "country": "KZ"}, "name": ""}
    assert canonical(messy) == b'{"address":{"country":"KZ","house":"1"},"phone":"+7"}'

# SPDX-License-Identifier: Apache-2.0
"""The written answer: a numbered, signed letter, sent or posted with proof (clause 8.2)."""

import hashlib
import io
from base64 import urlsafe_b64decode
from datetime import timedelta
from typing import Any, cast

import pypdf
import pytest
from google.api.httpbody_pb2 import HttpBody

from qupia.claims.v1 import answers_pb2, claims_pb2
from qupia.contract.v1 import signing_pb2
from services.chassis.clock import FixedClock
from services.chassis.ids import new_uuid
from services.chassis.mail import LetterNotSent
from services.chassis.refusal import (
    AlreadyExists,
    DataLoss,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Refusal,
    StateConflict,
    SubjectDestroyed,
    Unavailable,
)
from services.chassis.signing import Signature, is_signed
from services.claims.wire import instant, stamp
from tests.claims.suite import NOW, OPERATOR, Claim, Suite

Letter = answers_pb2.AnswerLetter
ADDRESS = "nursultan@example.kz"
TEXT = "Ә Ғ Қ Ң Ө Ұ Ү Һ І әріптері дұрыс.\n\n#strong[Екінші] абзац."


def _claim(suite: Suite, language: str = "kk", **members: Any) -> str:
    filed = suite.file(suite.vault.subject(), kind=Claim.CONSUMER, language=language, **members)
    return filed.claim.claim_id


def _answer(suite: Suite, claim_id: str, **members: Any) -> claims_pb2.Claim:
    request = claims_pb2.AnswerClaimRequest(
        **{"claim_id": claim_id, "decision": Claim.SATISFIED, "text": TEXT, **members}
    )
    answer = suite.ask("AnswerClaim", request, suite.person())
    return cast(claims_pb2.AnswerClaimResponse, answer).claim


def _status(suite: Suite, claim_id: str) -> answers_pb2.AnswerLetter:
    request = answers_pb2.GetAnswerStatusRequest(claim_id=claim_id)
    answer = suite.ask("GetAnswerStatus", request, suite.person("AUDITOR"))
    return cast(answers_pb2.GetAnswerStatusResponse, answer).letter


def _letter(suite: Suite, claim_id: str) -> bytes:
    request = answers_pb2.GetAnswerRequest(claim_id=claim_id)
    file = cast(HttpBody, suite.ask("GetAnswer", request, suite.person()))
    assert file.content_type == "application/pdf"
    return bytes(file.data)


def _words(pdf: bytes) -> str:
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def _dispatch(channel: Any = claims_pb2.Dispatch.POST, **members: Any) -> claims_pb2.Dispatch:
    whole = {"channel": channel, "time": stamp(NOW), "proof": "RR123456789KZ", **members}
    return claims_pb2.Dispatch(**whole)


def _record(suite: Suite, claim_id: str, **members: Any) -> claims_pb2.Claim:
    request = answers_pb2.RecordDispatchRequest(claim_id=claim_id, dispatch=_dispatch(**members))
    answer = suite.ask("RecordDispatch", request, suite.person())
    return cast(answers_pb2.RecordDispatchResponse, answer).claim


def _send(suite: Suite, claim_id: str, address: str = "") -> answers_pb2.AnswerLetter:
    request = answers_pb2.SendAnswerRequest(claim_id=claim_id, reply_address=address)
    answer = suite.ask("SendAnswer", request, suite.person())
    return cast(answers_pb2.SendAnswerResponse, answer).letter


def _later(suite: Suite, **ahead: float) -> None:
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant += timedelta(**ahead)


def test_an_answer_that_has_not_left_closes_nothing(suite: Suite) -> None:
    """T-8.2-d"""
    claim_id = _claim(suite)
    claim = _answer(suite, claim_id)
    assert claim.state == Claim.ANSWER_WRITTEN
    assert not claim.HasField("answer_time")
    assert _status(suite, claim_id).sending == Letter.NOT_BY_EMAIL
    assert suite.rows("SELECT count(*) FROM answers") == [(0,)]


def test_a_letter_goes_to_the_claims_own_sealed_address(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    assert _answer(suite, claim_id).state == Claim.ANSWER_WRITTEN
    assert _status(suite, claim_id).sending == Letter.UNDER_WAY
    suite.sender.round()
    [letter] = suite.mailer.letters
    assert letter.to == ADDRESS
    pdf, signature = letter.attachments
    assert pdf.content == _letter(suite, claim_id)
    status = _status(suite, claim_id)
    assert signature.content == status.signature
    assert (status.sending, status.channel) == (Letter.SENT, claims_pb2.Dispatch.EMAIL)
    assert instant(status.dispatch_time) == NOW
    _later(suite, seconds=2)
    suite.courier.round()
    assert letter.letter_id in suite.vault.texts(claim_id)["DISPATCH_PROOF"]
    assert suite.rows("SELECT state, decision FROM claims") == [("ANSWERED", "SATISFIED")]


def test_no_file_of_a_letter_names_anybody(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    _answer(suite, claim_id)
    suite.sender.round()
    names = [attachment.name for attachment in suite.mailer.letters[0].attachments]
    assert names == ["2026-000001-1.pdf", "2026-000001-1.pdf.sig"]


def test_a_letter_says_whose_it_is_and_every_word_of_the_officer(suite: Suite) -> None:
    claim_id = _claim(suite)
    _answer(suite, claim_id, signatory="А. Тексеруші, дербес деректер жөніндегі маман")
    words = _words(_letter(suite, claim_id))
    for said in (
        OPERATOR.name,
        OPERATOR.bin,
        "2026-000001/1",
        "23.11.2026",
        "Талап қанағаттандырылды.",
        "Ә Ғ Қ Ң Ө Ұ Ү Һ І әріптері дұрыс.",
        "#strong[Екінші] абзац.",
        "А. Тексеруші",
        "8.3",
    ):
        assert said in words


@pytest.mark.parametrize(
    ("language", "title"),
    [("kk", "Талапқа жауап"), ("ru", "Ответ на претензию"), ("en", "Answer to a claim")],
)
def test_a_letter_is_in_the_language_of_the_claim(suite: Suite, language: str, title: str) -> None:
    claim_id = _claim(suite, language, reply_address=ADDRESS)
    _answer(suite, claim_id)
    assert title in _words(_letter(suite, claim_id))
    suite.sender.round()
    assert "2026-000001" in suite.mailer.letters[0].subject


def test_a_letter_is_signed_and_its_digest_is_on_record(suite: Suite) -> None:
    claim_id = _claim(suite)
    _answer(suite, claim_id)
    pdf, status = _letter(suite, claim_id), _status(suite, claim_id)
    assert hashlib.sha256(pdf).hexdigest() == status.sha256
    asked = suite.ask("GetSigningKeys", signing_pb2.GetSigningKeysRequest(), suite.storefront())
    [key] = cast(signing_pb2.GetSigningKeysResponse, asked).keys
    assert (key.kty, key.crv, key.kid) == ("OKP", "Ed25519", status.key_id)
    public = urlsafe_b64decode(key.x + "=")
    assert is_signed(public, pdf, Signature(status.key_id, status.signature))
    assert not is_signed(public, pdf + b"\n", Signature(status.key_id, status.signature))
    [(body,)] = suite.rows("SELECT body FROM evidence_entries WHERE event = 'answer.written'")
    assert status.sha256 in body
    assert TEXT.split("\n", maxsplit=1)[0] not in body


def test_a_letter_that_left_by_post_closes_the_claim_with_its_proof(suite: Suite) -> None:
    claim_id = _claim(suite)
    _answer(suite, claim_id)
    claim = _record(suite, claim_id)
    assert (claim.state, instant(claim.answer_time)) == (Claim.ANSWERED, NOW)
    assert suite.vault.texts(claim_id)["DISPATCH_PROOF"] == "RR123456789KZ"
    with pytest.raises(StateConflict):
        _record(suite, claim_id)
    assert suite.rows("SELECT count(*) FROM answers") == [(1,)]


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"proof": " "}, "dispatch.proof"),
        ({"channel": 0}, "dispatch.channel"),
        ({"time": None}, "dispatch.time"),
        ({"time": stamp(NOW - timedelta(days=1))}, "dispatch.time"),
        ({"time": stamp(NOW + timedelta(minutes=2))}, "dispatch.time"),
    ],
)
def test_a_dispatch_that_proves_nothing_closes_nothing(
    suite: Suite, members: dict[str, Any], field: str
) -> None:
    claim_id = _claim(suite)
    _answer(suite, claim_id)
    with pytest.raises(InvalidArgument) as refused:
        _record(suite, claim_id, **members)
    assert [fault.field for fault in refused.value.fields] == [field]
    assert suite.rows("SELECT state FROM claims") == [("ANSWER_WRITTEN",)]


def test_a_mail_server_that_is_away_is_tried_again_and_nothing_is_lost(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    _answer(suite, claim_id)
    suite.mailer.failure = LetterNotSent("the mail server cannot be reached", for_good=False)
    suite.sender.round()
    status = _status(suite, claim_id)
    assert (status.sending, status.attempts) == (Letter.UNDER_WAY, 1)
    suite.mailer.failure = None
    suite.sender.round()
    assert suite.mailer.letters == []
    _later(suite, minutes=2)
    suite.sender.round()
    assert len(suite.mailer.letters) == 1
    assert suite.rows("SELECT state FROM claims") == [("ANSWERED",)]


def test_a_letter_that_is_sent_again_is_the_same_letter(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    _answer(suite, claim_id)
    record, suite.sender._leave = suite.sender._leave, lambda *_: None  # type: ignore[method-assign]
    suite.sender.round()
    suite.sender._leave = record  # type: ignore[method-assign]
    _later(suite, minutes=2)
    suite.sender.round()
    first, second = suite.mailer.letters
    assert first.letter_id == second.letter_id
    assert suite.rows("SELECT count(*) FROM answers") == [(1,)]


def test_an_address_that_takes_nothing_is_told_to_the_officer(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    _answer(suite, claim_id)
    suite.mailer.failure = LetterNotSent("the mail server refuses the address", for_good=True)
    suite.sender.round()
    assert _status(suite, claim_id).sending == Letter.UNDELIVERABLE
    _later(suite, hours=2)
    suite.mailer.failure = None
    suite.sender.round()
    assert suite.mailer.letters == []
    assert suite.rows("SELECT state FROM claims") == [("ANSWER_WRITTEN",)]
    events = suite.rows("SELECT event FROM evidence_entries WHERE event = 'answer.undeliverable'")
    assert len(events) == 1
    assert _send(suite, claim_id, "new@example.kz").sending == Letter.UNDER_WAY
    suite.sender.round()
    assert [letter.to for letter in suite.mailer.letters] == ["new@example.kz"]
    assert suite.rows("SELECT state FROM claims") == [("ANSWERED",)]


@pytest.mark.parametrize("refusal", [DataLoss(), SubjectDestroyed()])
def test_a_letter_that_nothing_opens_is_told_to_the_officer(suite: Suite, refusal: Refusal) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    _answer(suite, claim_id)
    suite.vault.refuses["GetDocument"] = refusal
    suite.sender.round()
    assert _status(suite, claim_id).sending == Letter.UNDELIVERABLE
    assert suite.mailer.letters == []


@pytest.mark.parametrize("failure", [None, LetterNotSent("no such mailbox", for_good=True)])
def test_an_address_given_while_the_former_is_tried_gets_its_letter(
    suite: Suite, failure: LetterNotSent | None
) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    _answer(suite, claim_id)
    suite.mailer.failure = LetterNotSent("no such mailbox", for_good=True)
    suite.sender.round()
    _send(suite, claim_id, "second@example.kz")
    suite.mailer.failure = failure
    suite.mailer.meanwhile = lambda: _send(suite, claim_id, "third@example.kz")
    suite.sender.round()
    assert _status(suite, claim_id).sending == Letter.UNDER_WAY
    suite.mailer.failure = None
    suite.sender.round()
    assert suite.mailer.letters[-1].to == "third@example.kz"


def test_a_letter_that_left_by_post_is_not_sent_as_well(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    suite.mailer.failure = LetterNotSent("the mail server cannot be reached", for_good=False)
    _answer(suite, claim_id)
    suite.sender.round()
    _record(suite, claim_id)
    suite.mailer.failure = None
    _later(suite, hours=2)
    suite.sender.round()
    assert suite.mailer.letters == []
    with pytest.raises(StateConflict):
        _send(suite, claim_id)


def test_a_postal_address_is_no_address_to_mail_to(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address="Алматы, Абай 10")
    _answer(suite, claim_id)
    suite.sender.round()
    assert suite.mailer.letters == []
    with pytest.raises(InvalidArgument) as refused:
        _send(suite, claim_id)
    assert [fault.field for fault in refused.value.fields] == ["replyAddress"]
    with pytest.raises(InvalidArgument) as refused:
        _send(suite, claim_id, "Алматы, Абай 10")
    assert [fault.field for fault in refused.value.fields] == ["replyAddress"]


def test_an_address_rests_nowhere_but_sealed(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    _answer(suite, claim_id)
    suite.sender.round()
    for table in ("answer_letters", "answer_sendings", "reply_channels", "evidence_entries"):
        assert ADDRESS not in str(suite.rows(f"SELECT * FROM {table}"))


def test_the_national_signature_has_its_place_beside_the_letter(suite: Suite) -> None:
    claim_id = _claim(suite)
    _answer(suite, claim_id)
    key = new_uuid()
    request = answers_pb2.AttachNationalSignatureRequest(
        claim_id=claim_id, cms=b"0\x82 cms", request_id=key
    )
    suite.ask("AttachNationalSignature", request, suite.person())
    assert _status(suite, claim_id).national_signature == b"0\x82 cms"
    suite.ask("AttachNationalSignature", request, suite.person())
    request.request_id = ""
    with pytest.raises(AlreadyExists):
        suite.ask("AttachNationalSignature", request, suite.person())


def test_a_letter_is_read_by_the_sites_officers_only(suite: Suite) -> None:
    claim_id = _claim(suite)
    request = answers_pb2.GetAnswerRequest(claim_id=claim_id)
    with pytest.raises(NotFound):
        suite.ask("GetAnswer", request, suite.person())
    _answer(suite, claim_id)
    for metadata in (suite.storefront(), suite.person("AUDITOR")):
        with pytest.raises(PermissionDenied):
            suite.ask("GetAnswer", request, metadata)
    with pytest.raises(NotFound):
        suite.ask("GetAnswer", request, suite.person(site_id="other"))


def test_a_letter_written_while_the_vault_is_away_leaves_when_it_is_back(suite: Suite) -> None:
    claim_id = _claim(suite, reply_address=ADDRESS)
    suite.vault.up = False
    _answer(suite, claim_id)
    suite.sender.round()
    assert suite.mailer.letters == []
    with pytest.raises(Unavailable):
        _letter(suite, claim_id)
    suite.vault.up = True
    _later(suite, minutes=2)
    suite.courier.round()
    suite.sender.round()
    assert len(suite.mailer.letters) == 1

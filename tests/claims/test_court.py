# SPDX-License-Identifier: Apache-2.0
"""After the answer: agreement, or court with a bundle; holds end with the dispute (8.1, 8.3)."""

import hashlib
import io
import re
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from google.api.httpbody_pb2 import HttpBody

from qupia.claims.v1 import claims_pb2, court_pb2, site_claims_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.clock import FixedClock
from services.chassis.refusal import (
    CourtBeforeClaim,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    StateConflict,
    Unavailable,
)
from services.claims.wire import instant, stamp
from tests.claims.suite import NOW, Claim, Suite

STATEMENT = 'Менің <b>нөмірім</b> & "мекенжайым" қате'


def _filed(suite: Suite, **members: Any) -> tuple[str, str]:
    subject = suite.vault.subject()
    claim = suite.file(subject, kind=Claim.CONSUMER, statement=STATEMENT, **members).claim
    return subject, claim.claim_id


def _answered(suite: Suite, **members: Any) -> tuple[str, str]:
    subject, claim_id = _filed(suite, **members)
    dispatch = claims_pb2.Dispatch(
        channel=claims_pb2.Dispatch.POST, time=stamp(NOW), proof="RR123456789KZ"
    )
    request = claims_pb2.AnswerClaimRequest(
        claim_id=claim_id, decision=Claim.REJECTED, text="Негіз жоқ", dispatch=dispatch
    )
    suite.ask("AnswerClaim", request, suite.person())
    return subject, claim_id


def _agree(suite: Suite, claim_id: str) -> Any:
    request = court_pb2.RecordAgreementRequest(claim_id=claim_id, terms="Тараптар келісті")
    return suite.ask("RecordAgreement", request, suite.person())


def _sue(suite: Suite, claim_id: str) -> Any:
    request = court_pb2.ReferToCourtRequest(claim_id=claim_id, case="Алматы МЭС, № 7511-26")
    return suite.ask("ReferToCourt", request, suite.person())


def _close(suite: Suite, claim_id: str) -> Any:
    request = court_pb2.CloseClaimRequest(claim_id=claim_id, reason="Іс аяқталды")
    return suite.ask("CloseClaim", request, suite.person())


def _bundle(suite: Suite, claim_id: str) -> dict[str, bytes]:
    request = court_pb2.ExportBundleRequest(claim_id=claim_id)
    file = cast(HttpBody, suite.ask("ExportBundle", request, suite.person()))
    assert file.content_type == "application/zip"
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def _hold(suite: Suite, subject: str) -> vault_pb2.LegalHold:
    (hold,) = suite.vault.slices["demo", subject].holds
    return hold


def test_court_comes_after_the_claim_and_its_answer(suite: Suite) -> None:
    """T-8.1-b"""
    subject, claim_id = _filed(suite)
    with pytest.raises(CourtBeforeClaim):
        _sue(suite, claim_id)
    assert suite.rows("SELECT state FROM claims") == [("RECEIVED",)]
    assert _hold(suite, subject).kind == vault_pb2.LegalHold.CLAIM


def test_an_answered_claim_goes_to_court_and_is_held_until_the_case_ends(suite: Suite) -> None:
    """T-8.1-b, T-8.3-a"""
    subject, claim_id = _answered(suite)
    told = _sue(suite, claim_id)
    assert told.claim.state == Claim.COURT
    hold = _hold(suite, subject)
    assert hold.kind == vault_pb2.LegalHold.COURT
    assert not hold.HasField("ended_time")
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant += timedelta(days=100)
    assert _close(suite, claim_id).claim.state == Claim.CLOSED
    assert instant(_hold(suite, subject).ended_time) == NOW + timedelta(days=100)
    assert suite.vault.texts(claim_id)["COURT_CASE"] == "Алматы МЭС, № 7511-26"


def test_the_sites_claim_holds_from_its_recording_however_late_the_user_has_it(
    suite: Suite,
) -> None:
    """T-8.3-a"""
    subject, claim_id = _filed(suite, claimant=Claim.SITE, metadata=suite.person())
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant += timedelta(days=10)
    received = site_claims_pb2.RecordReceiptRequest(
        claim_id=claim_id, receipt_time=stamp(suite.clock.instant), proof="RR123456789KZ"
    )
    told = suite.ask("RecordReceipt", received, suite.person())
    assert instant(told.claim.receipt_time) == suite.clock.instant
    answered = site_claims_pb2.RecordUserAnswerRequest(
        claim_id=claim_id, decision=Claim.REJECTED, text="Келіспеймін"
    )
    suite.ask("RecordUserAnswer", answered, suite.storefront())
    _sue(suite, claim_id)
    assert instant(_hold(suite, subject).since_time) == NOW


def test_agreement_ends_the_dispute_and_its_hold(suite: Suite) -> None:
    subject, claim_id = _answered(suite)
    assert _agree(suite, claim_id).claim.state == Claim.AGREED
    hold = _hold(suite, subject)
    assert (hold.kind, instant(hold.ended_time)) == (vault_pb2.LegalHold.CLAIM, NOW)
    with pytest.raises(CourtBeforeClaim):
        _sue(suite, claim_id)
    assert suite.vault.texts(claim_id)["AGREEMENT"] == "Тараптар келісті"


def test_nothing_is_agreed_or_closed_before_an_answer(suite: Suite) -> None:
    _, claim_id = _filed(suite)
    for end in (_agree, _close):
        with pytest.raises(StateConflict):
            end(suite, claim_id)


@pytest.mark.parametrize(
    ("rpc", "request_", "field"),
    [
        ("RecordAgreement", court_pb2.RecordAgreementRequest(terms=" \n"), "terms"),
        ("ReferToCourt", court_pb2.ReferToCourtRequest(case="\t"), "case"),
        ("CloseClaim", court_pb2.CloseClaimRequest(reason=" "), "reason"),
    ],
)
def test_an_end_says_why(suite: Suite, rpc: str, request_: Any, field: str) -> None:
    _, claim_id = _answered(suite)
    request_.claim_id, request_.request_id = claim_id, ""
    with pytest.raises(InvalidArgument) as refused:
        suite.ask(rpc, request_, suite.person())
    assert [fault.field for fault in refused.value.fields] == [field]


def test_only_officers_of_the_site_end_a_dispute_or_export_it(suite: Suite) -> None:
    _, claim_id = _answered(suite)
    requests = {
        "RecordAgreement": court_pb2.RecordAgreementRequest(claim_id=claim_id, terms="x"),
        "ReferToCourt": court_pb2.ReferToCourtRequest(claim_id=claim_id, case="x"),
        "CloseClaim": court_pb2.CloseClaimRequest(claim_id=claim_id, reason="x"),
        "ExportBundle": court_pb2.ExportBundleRequest(claim_id=claim_id),
    }
    for rpc, request in requests.items():
        for metadata in (suite.storefront(), suite.person("AUDITOR")):
            with pytest.raises(PermissionDenied):
                suite.ask(rpc, request, metadata)
        with pytest.raises(NotFound):
            suite.ask(rpc, request, suite.person(site_id="other"))


def test_a_bundle_holds_all_that_a_court_needs(suite: Suite) -> None:
    """T-8.3-a"""
    _, claim_id = _answered(suite, reply_address="Алматы, Абай 10")
    files = _bundle(suite, claim_id)
    kinds = {name.split("-", 1)[1].rpartition(".")[0] for name in files if "documents/" in name}
    assert {"statement", "demand", "reply-address", "answer", "answer-letter"} <= kinds
    assert "dispatch-proof" in kinds
    assert "demo саясаты" in files["policy/kk.txt"].decode()
    entries = files["evidence.jsonl"].decode()
    for event in ("claim.filed", "answer.written", "answer.dispatched", "bundle.exported"):
        assert f'"event":"{event}"' in entries
    [letter] = [name for name in files if name.endswith("answer-letter.pdf")]
    assert files[letter].startswith(b"%PDF")
    assert len(files[f"{letter}.sig"]) == 64


def test_the_page_of_a_bundle_needs_nothing_of_ours_and_runs_nothing(suite: Suite) -> None:
    _, claim_id = _answered(suite)
    page = _bundle(suite, claim_id)["index.html"].decode()
    assert "Менің &lt;b&gt;нөмірім&lt;/b&gt; &amp; &quot;мекенжайым&quot; қате" in page
    for fetched in ("<script", "src=", 'href="http', "<link", "@import", "url("):
        assert fetched not in page
    assert "2026-000001" in page
    assert "жауап берілді" in page


def test_the_page_of_a_bundle_leads_to_every_file_of_it(suite: Suite) -> None:
    """T-8.3-a"""
    _, claim_id = _answered(suite)
    files = _bundle(suite, claim_id)
    led_to = set(re.findall('href="([^"]+)"', files["index.html"].decode()))
    assert led_to == files.keys() - {"index.html"}


def test_a_bundle_is_verified_with_plain_tools(suite: Suite, tmp_path: Path) -> None:
    _, claim_id = _answered(suite)
    files = _bundle(suite, claim_id)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    lines = [line.split("  ", 1) for line in files["SHA256SUMS"].decode().splitlines()]
    sums = {name: digest for digest, name in lines}
    unsummed = {"SHA256SUMS", "SHA256SUMS.sig", "public-key.pem", "README.txt"}
    assert sums == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name not in unsummed
    }
    verify = [
        *("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public-key.pem", "-rawin"),
        *("-in", "SHA256SUMS", "-sigfile", "SHA256SUMS.sig"),
    ]
    assert " ".join(verify) in files["README.txt"].decode()
    done = subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "SHA256SUMS").write_bytes(files["SHA256SUMS"] + b"\n")
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_no_name_in_a_bundle_names_anybody(suite: Suite) -> None:
    subject, claim_id = _answered(suite)
    assert not any(subject in name for name in _bundle(suite, claim_id))


def test_a_bundle_waits_until_the_vault_has_every_document(suite: Suite) -> None:
    suite.vault.up = False
    _, claim_id = _filed(suite)
    with pytest.raises(Unavailable):
        _bundle(suite, claim_id)
    suite.vault.up = True
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant += timedelta(minutes=2)
    suite.courier.round()
    assert "index.html" in _bundle(suite, claim_id)

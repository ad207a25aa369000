# SPDX-License-Identifier: Apache-2.0
"""Who stands behind a call: keys from the gateway only, people by a token we verify ourselves."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.clock import SystemClock
from services.chassis.contract import load_contract
from services.chassis.identity import Issuers, key_principal
from services.chassis.pipeline import identity
from services.chassis.refusal import Unauthenticated
from tests.chassis.desk import ISSUER, OTHER_ISSUER, SUBJECT, VERIFY, Desk, shop

CLAIM = "0192f0c0-0000-7000-8000-000000000002"
STOREFRONT = contract_pb2.Caller.STOREFRONT
REQUEST = vault_pb2.ReadForVerificationRequest(subject_id=SUBJECT, claim_id=CLAIM)


def _ask(desk: Desk, token: str, *more: tuple[str, str | bytes], scheme: str = "Bearer") -> str:
    metadata = [("authorization", f"{scheme} {token}"), *more]
    return desk.why_not(REQUEST, metadata, path=VERIFY)


def _part(members: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


def test_a_person_is_named_by_issuer_and_subject(desk: Desk) -> None:
    assert _ask(desk, desk.token()) == "OK"
    assert _ask(desk, desk.token(), scheme="bearer") == "OK"
    principal = desk.calls[0].principal
    assert principal.name == f"person/{ISSUER}#aigerim"
    assert principal.is_person
    assert (principal.site_id, principal.roles) == ("demo", frozenset({"CLAIMS_OFFICER"}))
    assert principal.purposes is None


@pytest.mark.parametrize("kind", ["Ed25519", "ES256", "RS256"])
def test_the_three_algorithms_are_believed(kind: str) -> None:
    keys: dict[str, Any] = {
        "Ed25519": lambda: OKPKey.generate_key("Ed25519", {"kid": "k"}),
        "ES256": lambda: ECKey.generate_key("P-256", {"kid": "k"}),
        "RS256": lambda: RSAKey.generate_key(2048, {"kid": "k"}),
    }
    key, clock = keys[kind](), SystemClock()
    public = KeySet.import_key_set({"keys": [key.as_dict(private=False)]})
    claims = {
        "iss": ISSUER,
        "sub": "a",
        "aud": "qupia",
        "exp": int(clock.now().timestamp()) + 60,
        "qupia_grants": [{"site": "demo", "role": "AUDITOR"}],
    }
    token = jwt.encode({"alg": kind, "kid": "k"}, claims, key, algorithms=[kind])
    assert Issuers({ISSUER: public}, clock).verify(token, None).roles == {"AUDITOR"}


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": 4_000_000_000},
        {"aud": "somebody-else"},
        {"aud": None},
        {"aud": ["other"]},
        {"iss": OTHER_ISSUER},
        {"iss": None},
        {"iss": [ISSUER]},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 129},
        {"sub": 7},
        {"qupia_grants": None},
        {"qupia_grants": []},
        {"qupia_grants": "demo:CLAIMS_OFFICER"},
        {"qupia_grants": 7},
        {"qupia_grants": {"site": "demo", "role": "CLAIMS_OFFICER"}},
        {"qupia_grants": [{"site": "demo", "role": "EMPEROR"}]},
        {"qupia_grants": [{"site": "", "role": "CLAIMS_OFFICER"}]},
        {"qupia_grants": [{"role": "CLAIMS_OFFICER"}]},
        {"qupia_grants": [{"site": "demo", "role": ["CLAIMS_OFFICER"]}]},
        {"qupia_grants": [["demo", "CLAIMS_OFFICER"]]},
    ],
)
def test_a_token_that_does_not_hold_is_nobodys(desk: Desk, claims: dict[str, Any]) -> None:
    assert _ask(desk, desk.token(**claims)) == "UNAUTHENTICATED"
    assert desk.calls == []


def test_a_token_ends_with_its_time(desk: Desk) -> None:
    token = desk.token()
    desk.clock.instant += timedelta(minutes=5, seconds=4)
    assert _ask(desk, token) == "OK"
    desk.clock.instant += timedelta(seconds=5)
    assert _ask(desk, token) == "UNAUTHENTICATED"


def test_a_token_signed_by_anybody_else_is_refused(desk: Desk) -> None:
    stranger = OKPKey.generate_key("Ed25519", {"kid": "k"})
    assert _ask(desk, desk.token(stranger)) == "UNAUTHENTICATED"


def test_a_token_without_signature_or_signed_with_the_public_key_is_refused(desk: Desk) -> None:
    header, claims, signature = desk.token().split(".")
    for alg in ("none", "None", "NONE"):
        bare = _part({"alg": alg, "kid": "k"})
        assert _ask(desk, f"{bare}.{claims}.") == "UNAUTHENTICATED"
        assert _ask(desk, f"{bare}.{claims}.{signature}") == "UNAUTHENTICATED"
    public = OctKey.import_key(str(desk.issuer_key.as_dict(private=False)["x"]), {"kid": "k"})
    forged = jwt.encode(
        {"alg": "HS256", "kid": "k"},
        json.loads(base64.urlsafe_b64decode(claims + "==")),
        public,
        algorithms=["HS256"],
    )
    assert _ask(desk, forged) == "UNAUTHENTICATED"
    other = _part({"sub": "somebody", "iss": ISSUER})
    assert _ask(desk, f"{header}.{other}.{signature}") == "UNAUTHENTICATED"
    assert desk.calls == []


@pytest.mark.parametrize(
    "token",
    [
        "",
        "abc",
        "a.b",
        "a.b.c",
        "..",
        ".....",
        "a" * 9000,
        f"a.{base64.urlsafe_b64encode(b'[' * 5000).decode()}.c",
        f"a.{base64.urlsafe_b64encode(b'{' * 100).decode()}.c",
        f"a.{_part([])}.c",
        f"a.{_part(None)}.c",
        f"a.{_part({'iss': ISSUER})}.c",
        f"{_part({'alg': 'Ed25519'})}.{_part({'iss': ISSUER})}.!!!",
        f"{base64.urlsafe_b64encode(b'[' * 2500).decode()}.{_part({'iss': ISSUER})}.c",
    ],
)
def test_what_is_no_token_is_nobodys_and_no_defect(desk: Desk, token: str) -> None:
    assert _ask(desk, token) == "UNAUTHENTICATED"


@given(st.text(max_size=60))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    key = OKPKey.generate_key("Ed25519", {"kid": "k"})
    public = KeySet.import_key_set({"keys": [key.as_dict(private=False)]})
    issuers = Issuers({ISSUER: public}, SystemClock())
    with pytest.raises(Unauthenticated):
        issuers.verify(text, None)


@pytest.mark.parametrize(
    ("site", "reason"),
    [(None, "UNAUTHENTICATED"), ("demo", "OK"), ("other", "PERMISSION_DENIED"),
     ("third", "UNAUTHENTICATED"), ("", "UNAUTHENTICATED")],
)  # fmt: skip
def test_who_has_several_sites_names_one_of_them(desk: Desk, site: str | None, reason: str) -> None:
    grants = [{"site": "demo", "role": "CLAIMS_OFFICER"}, {"site": "other", "role": "AUDITOR"}]
    named = [] if site is None else [("qupia-site", site)]
    assert _ask(desk, desk.token(qupia_grants=grants), *named) == reason


def test_a_role_on_another_site_is_no_role_here(desk: Desk) -> None:
    grants = [{"site": "demo", "role": "AUDITOR"}, {"site": "other", "role": "CLAIMS_OFFICER"}]
    token = desk.token(qupia_grants=grants)
    assert _ask(desk, token, ("qupia-site", "demo")) == "PERMISSION_DENIED"


def test_one_credential_and_no_more(desk: Desk) -> None:
    token = desk.token()
    assert _ask(desk, token, *shop()) == "UNAUTHENTICATED"
    assert desk.why_not(REQUEST, path=VERIFY) == "UNAUTHENTICATED"
    for scheme in ("Basic", "Token", "Bearer:", ""):
        assert _ask(desk, token, scheme=scheme) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "principal",
    [
        b"",
        b"\xff\xff",
        contract_pb2.Principal(principal_id="shop", role=STOREFRONT).SerializeToString(),
        contract_pb2.Principal(site_id="demo", role=STOREFRONT).SerializeToString(),
        contract_pb2.Principal(principal_id="shop", site_id="demo").SerializeToString(),
        *(
            contract_pb2.Principal(
                principal_id="shop", site_id="demo", role=role
            ).SerializeToString()
            for role in (
                contract_pb2.Caller.CLAIMS_OFFICER,
                contract_pb2.Caller.PRIVACY_OFFICER,
                contract_pb2.Caller.KEY_CUSTODIAN,
                contract_pb2.Caller.AUDITOR,
            )
        ),
        b"\x0a\x04shop\x12\x04demo\x18\x63",
    ],
)
def test_the_gateway_forwards_storefronts_and_recipients_and_never_an_officer(
    desk: Desk, principal: bytes
) -> None:
    metadata = [("qupia-principal-bin", principal)]
    assert desk.why_not(REQUEST, metadata, path=VERIFY) == "UNAUTHENTICATED"


@given(st.binary(max_size=80))
def test_no_bytes_are_a_defect_of_a_principal(serialized: bytes) -> None:
    try:
        principal = key_principal(serialized)
    except Unauthenticated:
        return
    assert principal.roles <= {"STOREFRONT", "RECIPIENT"}
    assert not principal.is_person


@pytest.mark.parametrize("peer", ["claims", "consent", "disclosure", "vault", ""])
def test_a_keys_holder_is_believed_from_the_gateway_only(peer: str) -> None:
    method = load_contract().methods[VERIFY]
    forwarded = dict(shop())
    stage = identity(Issuers({}, SystemClock()))
    call = Call(method, b"", None, forwarded, "ref", peer=peer)  # type: ignore[arg-type]
    with pytest.raises(Unauthenticated):
        stage.run(call, lambda _: REQUEST)
    call = Call(method, b"", None, forwarded, "ref", peer="gateway")  # type: ignore[arg-type]
    stage.run(call, lambda _: REQUEST)
    assert call.principal.name == "key/shop"

# SPDX-License-Identifier: Apache-2.0
"""Tokens and keys that do not hold: UNAUTHENTICATED by every service, never more (T24, T26)."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from cli.development_issuer import ISSUER, PEOPLE, DevelopmentIssuer
from cli.layout import Layout
from services.chassis.clock import SystemClock
from services.chassis.identity import AUDIENCE
from tests.harness.suite import Suite
from tests.matrix.raw_http import ask, code_of
from tests.matrix.watching import nothing_stored

# One route of each service that an officer may call.
ROUTES = {
    "consent": "/v1/policies",
    "vault": "/v1/subjects/{subject_id}/standing",
    "disclosure": "/v1/subjects/{subject_id}/disclosures",
    "claims": "/v1/claims",
}
_OFFICER = PEOPLE["claimsOfficer"]


@pytest.fixture(scope="module")
def subject_id(suite: Suite) -> str:
    """A subject that is there."""
    return suite.new_subject({"givenName": "Нұрсұлтан"})


def _now() -> int:
    return int(SystemClock().now().timestamp())


def _claims(**changed: object) -> dict[str, object]:
    now = _now()
    claims: dict[str, object] = {
        "iss": ISSUER,
        "sub": _OFFICER.subject,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "qupia_grants": [{"site": _OFFICER.site, "role": _OFFICER.role}],
    }
    return {k: v for k, v in {**claims, **changed}.items() if v is not None}


def _segment(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _unsigned(header: object, claims: object, signature: str = "") -> str:
    return f"{_segment(header)}.{_segment(claims)}.{signature}"


class Forger:
    """Makes tokens with the development issuer's own key, and with others."""

    def __init__(self, suite: Suite) -> None:
        self.key = OKPKey.import_key(json.loads(Layout(suite.home).issuer_key.read_bytes()))
        self.strange = OKPKey.generate_key("Ed25519", auto_kid=True)

    def sign(self, claims: Mapping[str, object], key: OKPKey | None = None) -> str:
        """A token with these claims."""
        used = key or self.key
        header = {"alg": "Ed25519", "kid": self.key.kid}
        return jwt.encode(header, dict(claims), used, algorithms=["Ed25519"])

    def confused(self) -> str:
        """HMAC under the public key, which everybody knows."""
        public = json.dumps(self.key.as_dict(private=False)).encode()
        header = {"alg": "HS256", "kid": self.key.kid}
        return jwt.encode(header, _claims(), OctKey.import_key(public), algorithms=["HS256"])

    def altered(self) -> str:
        """Another grant under the signature of the first."""
        head, _, signature = self.sign(_claims()).split(".")
        grants = [{"site": _OFFICER.site, "role": "PRIVACY_OFFICER"}]
        return f"{head}.{_segment(_claims(qupia_grants=grants))}.{signature}"


_HOUR = 3600
_SIGNED: Mapping[str, Callable[[Forger], str]] = {
    "stale": lambda f: f.sign(_claims(exp=_now() - 60, iat=_now() - _HOUR, nbf=_now() - _HOUR)),
    "not yet valid": lambda f: f.sign(_claims(nbf=_now() + _HOUR)),
    "of another issuer": lambda f: f.sign(_claims(iss="https://elsewhere.example"), f.strange),
    "of another issuer under ours": lambda f: f.sign(_claims(), f.strange),
    "ours under another issuer": lambda f: f.sign(_claims(iss="https://elsewhere.example")),
    "for another audience": lambda f: f.sign(_claims(aud="elsewhere")),
    "without an end": lambda f: f.sign(_claims(exp=None)),
    "without a person": lambda f: f.sign(_claims(sub=None)),
    "of nobody": lambda f: f.sign(_claims(sub="")),
    "of a long name": lambda f: f.sign(_claims(sub="x" * 129)),
    "with a number for a name": lambda f: f.sign(_claims(sub=1)),
    "without grants": lambda f: f.sign(_claims(qupia_grants=None)),
    "with grants that are none": lambda f: f.sign(_claims(qupia_grants=["CLAIMS_OFFICER", 1])),
    "with a role that is none": lambda f: f.sign(
        _claims(qupia_grants=[{"site": "demo", "role": "ROOT"}])
    ),
    "with a number for grants": lambda f: f.sign(_claims(qupia_grants=7)),
    "with an end that is no number": lambda f: f.sign(_claims(exp="tomorrow")),
    "signed by the public key": lambda f: f.confused(),
    "altered": lambda f: f.altered(),
    "cut off": lambda f: f.sign(_claims())[:-8],
}
_UNSIGNED: Mapping[str, str] = {
    "unsigned": _unsigned({"alg": "none"}, _claims()),
    "one word": "abc",
    "two dots": "..",
    "of no JSON": _unsigned(b"{", b"{"),
    "of lists": _unsigned([], [], "AAAA"),
    "deep": _unsigned({"alg": "Ed25519"}, b"[" * 3000),
    "with an algorithm that is none": _unsigned({"alg": 5}, _claims(), "AAAA"),
    "with a list for an algorithm": _unsigned({"alg": ["Ed25519"]}, _claims(), "AAAA"),
    "with a strange key": _unsigned({"alg": "Ed25519", "kid": {}}, _claims(), "AAAA"),
    "with a critical header": _unsigned(
        {"alg": "Ed25519", "crit": ["x"], "x": 1}, _claims(), "AAAA"
    ),
    "with a payload that is none": _unsigned(
        {"alg": "Ed25519", "b64": False, "crit": ["b64"]}, _claims(), "AAAA"
    ),
    "too long": "x" * 9000,
}


@pytest.fixture(scope="module")
def forger(suite: Suite) -> Forger:
    """Tokens of the suite's issuer."""
    return Forger(suite)


@pytest.mark.parametrize("what", [*_SIGNED, *_UNSIGNED])
def test_a_token_that_does_not_hold_opens_nothing(
    suite: Suite, forger: Forger, subject_id: str, what: str
) -> None:
    token = _SIGNED[what](forger) if what in _SIGNED else _UNSIGNED[what]
    with nothing_stored(suite):
        for process, route in ROUTES.items():
            path = route.replace("{subject_id}", subject_id)
            answer = ask(suite, "GET", path, headers={"Authorization": f"Bearer {token}"})
            assert code_of(answer) == (401, "UNAUTHENTICATED"), f"{process}: {answer.text}"


def test_a_token_ends_with_its_time(suite: Suite, subject_id: str) -> None:
    issuer, now = DevelopmentIssuer.open(Layout(suite.home)), SystemClock().now()
    hour = timedelta(hours=1)
    # Clocks may differ by five seconds.
    for since, status in ((now - hour + timedelta(seconds=30), 200), (now - 2 * hour, 401)):
        token = issuer.token(_OFFICER, since, hour)
        for route in ROUTES.values():
            path = route.replace("{subject_id}", subject_id)
            answer = ask(suite, "GET", path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Basic YTpi", "Bearer a b", "Bearer a, b", "qk_x", b"Bearer \xd2\x9b"],
)
def test_an_authorization_that_is_none_is_unauthenticated(
    suite: Suite, authorization: str | bytes
) -> None:
    with nothing_stored(suite):
        answer = ask(suite, "GET", "/v1/claims", headers={"Authorization": authorization})
        assert code_of(answer) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"].startswith("Bearer")

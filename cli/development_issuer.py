# SPDX-License-Identifier: Apache-2.0
"""The development issuer: signs tokens of named people until a real one takes its place.

In production the services believe an OIDC provider instead, and this key exists nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from joserfc import jwt
from joserfc.jwk import OKPKey

from cli.layout import Layout
from cli.private_file import read_json, write_private_json
from services.chassis.identity import AUDIENCE
from services.chassis.start_error import StartError

ISSUER = "qupia-development"
LIFETIME = timedelta(hours=24)
_ALGORITHM = "Ed25519"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a role on a site; `subject` is how tokens name them."""

    subject: str
    site: str
    role: str


PEOPLE: Mapping[str, Person] = MappingProxyType(
    {
        "claimsOfficer": Person("claims-officer", "demo", "CLAIMS_OFFICER"),
        "secondClaimsOfficer": Person("second-claims-officer", "demo", "CLAIMS_OFFICER"),
        "privacyOfficer": Person("privacy-officer", "demo", "PRIVACY_OFFICER"),
        "secondPrivacyOfficer": Person("second-privacy-officer", "demo", "PRIVACY_OFFICER"),
        "keyCustodian": Person("key-custodian", "demo", "KEY_CUSTODIAN"),
        "auditor": Person("auditor", "demo", "AUDITOR"),
        "otherPrivacyOfficer": Person("other-privacy-officer", "other", "PRIVACY_OFFICER"),
    }
)


class DevelopmentIssuer:
    """Signs with one Ed25519 key."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key

    @classmethod
    def ensure(cls, layout: Layout) -> "DevelopmentIssuer":
        """The issuer of a suite; its key and the file that the services read are made if missing.

        Raises StartError for a key file that is none.
        """
        if not layout.issuer_key.exists():
            key = OKPKey.generate_key("Ed25519", auto_kid=True)
            write_private_json(layout.issuer_key, key.as_dict(private=True))
        issuer = cls.open(layout)
        document = {"issuers": [{"issuer": ISSUER, "jwks": issuer.public_keys()}]}
        if not layout.issuers.exists() or read_json(layout.issuers) != document:
            write_private_json(layout.issuers, document)
        return issuer

    @classmethod
    def open(cls, layout: Layout) -> "DevelopmentIssuer":
        """The issuer of a suite that was started before. Raises StartError where there is none."""
        try:
            return cls(OKPKey.import_key(read_json(layout.issuer_key)))
        except (OSError, ValueError, KeyError):
            raise StartError(
                f"{layout.issuer_key} holds no issuer's key: start the suite by `qupia run`, or "
                "set QUPIA_HOME to its folder"
            ) from None

    def public_keys(self) -> dict[str, object]:
        """The JSON Web Key Set by which the tokens are verified."""
        return {"keys": [self._key.as_dict(private=False)]}

    def token(self, person: Person, now: datetime, lifetime: timedelta = LIFETIME) -> str:
        """A token of a person, valid from `now` for `lifetime`."""
        claims = {
            "iss": ISSUER,
            "sub": person.subject,
            "aud": AUDIENCE,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "qupia_grants": [{"site": person.site, "role": person.role}],
        }
        header = {"alg": _ALGORITHM, "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[_ALGORITHM])

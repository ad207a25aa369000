# SPDX-License-Identifier: Apache-2.0
"""Finding a person by e-mail or phone without keeping either in the clear (T-3.2.3-a).

HMAC-SHA256 under a key per site, field and key version, wrapped in the key store: the database
alone tells nothing (threat T16), and one site's digests say nothing about another's. Only exact
look-up, and only of these two fields (threat T17): names and addresses repeat too much.
"""

import hashlib
import hmac
from typing import Final

from services.chassis.sealing import length_prefixed
from services.vault.email_address import email_index_form
from services.vault.fields import Field
from services.vault.secret_key import SecretKey

DIGEST_BYTES: Final = 32
INDEXED_FIELDS: Final = frozenset({Field.EMAIL, Field.PHONE})

# Changes whenever the form that is hashed does, since old digests then match no more.
_LABEL: Final = b"qupia blind index v1"


def blind_index(key: SecretKey, site: str, field: Field, key_version: int, value: str) -> bytes:
    """The 32-byte digest under which `value` (normalized) is found.

    Raises ValueError for a field that has no index.
    """
    if field not in INDEXED_FIELDS:
        raise ValueError(f"{field} has no index")
    form = email_index_form(value) if field is Field.EMAIL else value
    message = length_prefixed(
        _LABEL, site.encode(), field.encode(), str(key_version).encode(), form.encode()
    )
    return hmac.digest(key.reveal(), message, hashlib.sha256)

# SPDX-License-Identifier: Apache-2.0
"""What the vault's servicers share: how a refusal of the domain becomes one of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.refusal import (
    DataLoss,
    FieldViolation,
    InvalidArgument,
    KeyUnavailable,
)
from services.vault.envelope import CiphertextMisplaced, VersionLimitReached
from services.vault.gate import Refused
from services.vault.provider import KeyMoved, KeyProviderError
from services.vault.violation import DataInvalid


def problem_of(refused: Refused) -> vault_pb2.Problem:
    """A refusal of one member of a batch."""
    code = contract_pb2.Refusal.Reason.Value(refused.reason)
    return vault_pb2.Problem(code=code, clause=refused.clause)


def violations(invalid: DataInvalid, prefix: str) -> InvalidArgument:
    """The wrong fields of given data, below `prefix`."""
    return InvalidArgument(
        fields=[
            FieldViolation(f"{prefix}.{v.field}", str(v.rule), v.description)
            for v in invalid.violations
        ]
    )


@contextmanager
def told_apart(prefix: str) -> Iterator[None]:
    """Turns what data and keys can raise into refusals; `prefix` names the data's field."""
    try:
        yield
    except DataInvalid as invalid:
        raise violations(invalid, prefix) from None
    except (CiphertextMisplaced, KeyMoved, VersionLimitReached):
        raise DataLoss from None
    except KeyProviderError:
        raise KeyUnavailable from None


def supplier_of(kind: int) -> str:
    """Who supplied data, by the number in a request; the person where it names nobody.

    Raises InvalidArgument for VERIFICATION: its outcome alone writes in its name (clause 6.2.3).
    """
    kinds = vault_pb2.Supplier
    if kind == kinds.VERIFICATION:
        raise InvalidArgument(
            fields=[FieldViolation("supplier", "enum", "is the supplier of corrections only")]
        )
    known = kinds.Kind.DESCRIPTOR.values_by_number[kind or kinds.SUBJECT]
    return str(known.name)

# SPDX-License-Identifier: Apache-2.0
"""Calls to a running vault as the gateway makes them, and the orders of the load client."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

from benchmarks.bulk import email_of
from benchmarks.suite import RunningSuite
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import search_pb2, storing_pb2, vault_pb2
from services.chassis.process import certificate_of

READ = "/qupia.vault.v1.VaultService/ReadData"
BATCH_READ = "/qupia.vault.v1.VaultService/BatchReadData"
BATCH_STORE = "/qupia.vault.v1.VaultRecordService/BatchStoreData"
FIND = "/qupia.vault.v1.VaultSearchService/FindSubjects"
TOGETHER = 1_000

_CALLER = contract_pb2.Principal(
    principal_id="bench", site_id="demo", role=contract_pb2.Caller.STOREFRONT
)
_PURPOSE = subject_pb2.Purpose.IDENTIFY_FOR_ORDER
_SECONDS = 60


def order(
    suite: RunningSuite, path: str, payloads: Sequence[bytes], server: str = "vault", **more: Any
) -> dict[str, Any]:
    """An order of the load client: these requests of a storefront to a process."""
    return {
        "certificates": suite.run["certificates"],
        "peer": "gateway",
        "server": server,
        "target": suite.run["processes"][server]["socket"],
        "path": path,
        "payloads": [base64.b64encode(payload).decode() for payload in payloads],
        "metadata": [
            ["qupia-principal-bin", base64.b64encode(_CALLER.SerializeToString()).decode()],
            ["qupia-reference", secrets.token_hex(8)],
        ],
        **more,
    }


def reads(subjects: Sequence[str]) -> list[bytes]:
    """A purpose-bound read of each subject."""
    return [
        vault_pb2.ReadDataRequest(subject_id=each, purpose=_PURPOSE).SerializeToString()
        for each in subjects
    ]


def finds(numbers: Sequence[int]) -> list[bytes]:
    """A look-up of each subject by its e-mail."""
    return [
        search_pb2.FindSubjectsRequest(email=email_of(number)).SerializeToString()
        for number in numbers
    ]


class Batches:
    """BatchStoreData and BatchReadData, 1,000 items a call, one after the other."""

    def __init__(self, suite: RunningSuite) -> None:
        files = certificate_of("gateway", Path(suite.run["certificates"]))
        credentials = grpc.ssl_channel_credentials(
            files.authority.read_bytes(), files.key.read_bytes(), files.chain.read_bytes()
        )
        options = [
            ("grpc.ssl_target_name_override", "vault.qupia.internal"),
            ("grpc.max_receive_message_length", 1 << 24),
        ]
        target = suite.run["processes"]["vault"]["socket"]
        self._channel = grpc.secure_channel(target, credentials, options)
        self._store, self._read = self._call(BATCH_STORE), self._call(BATCH_READ)

    def _call(self, path: str) -> Callable[[Any], bytes]:
        stub: Any = self._channel.unary_unary(
            path, request_serializer=lambda message: message.SerializeToString()
        )
        metadata = (
            ("qupia-principal-bin", _CALLER.SerializeToString()),
            ("qupia-reference", secrets.token_hex(8)),
        )
        return lambda request: stub(request, timeout=_SECONDS, metadata=metadata)

    def store(self, subjects: Sequence[str], turn: int) -> None:
        """Give every subject other names, another phone and another e-mail."""
        for start in range(0, len(subjects), TOGETHER):
            items = [
                storing_pb2.StoreItem(
                    subject_id=subject,
                    data=subject_pb2.PersonalData(
                        family_name=f"Әбілқайырұлы{'ұ' * (turn % 5)}",
                        given_name=f"Нұрсұлтан{'қ' * (turn % 7)}",
                        phone=f"+7702{(start + number + turn * 7919) % 10_000_000:07d}",
                        email=f"subject{start + number}-{turn}@example.kz",
                    ),
                )
                for number, subject in enumerate(subjects[start : start + TOGETHER])
            ]
            request = storing_pb2.BatchStoreDataRequest(
                items=items, request_id=secrets.token_hex(8)
            )
            answer = storing_pb2.BatchStoreDataResponse.FromString(self._store(request))
            assert all(o.WhichOneof("outcome") == "stored" for o in answer.outcomes)

    def read(self, subjects: Sequence[str]) -> None:
        """Read every subject's name, phone and e-mail."""
        for start in range(0, len(subjects), TOGETHER):
            items = [
                vault_pb2.ReadDataRequest(subject_id=subject, purpose=_PURPOSE)
                for subject in subjects[start : start + TOGETHER]
            ]
            answer = vault_pb2.BatchReadDataResponse.FromString(
                self._read(vault_pb2.BatchReadDataRequest(items=items))
            )
            assert all(o.WhichOneof("outcome") == "read" for o in answer.outcomes)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

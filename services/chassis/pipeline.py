# SPDX-License-Identifier: Apache-2.0
"""What every RPC passes, one named stage after the other.

    scrub → peer → size → parse → deadline → record → identity
          → authorization → validation → handler

Admission stands in front of the pool that runs the pipeline (`server`): a call
that waits for a thread cannot be refused by one. ``scrub`` is outermost, so
that whatever goes wrong inside leaves as a typed refusal, never as a text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

from cryptography.x509 import load_pem_x509_certificate
from google.protobuf.message import DecodeError, Message

from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.contract import Method
from services.chassis.identity import (
    SESSION_PREFIX,
    Issuers,
    Sessions,
    anyone,
    key_principal,
    process_principal,
)
from services.chassis.metrics import Metrics
from services.chassis.refusal import (
    DeadlineExceeded,
    DeadlineRequired,
    Internal,
    Malformed,
    PeerNotAllowed,
    PermissionDenied,
    Refusal,
    TooLarge,
    Unauthenticated,
    refusal_of,
)
from services.chassis.validation import validate

Proceed = Callable[[Call], Message]
Handler = Callable[[Call], Message]
PRINCIPAL_KEY, AUTHORIZATION_KEY, SITE_KEY = "qupia-principal-bin", "authorization", "qupia-site"
LEAST_SECONDS = 0.1
MOST_SECONDS = 120.0
# grpc reports the end of time where a call has no deadline.
_NO_DEADLINE = 366 * 86400.0


class Stage(NamedTuple):
    """A named step: does its part and calls the next."""

    name: str
    run: Callable[[Call, Proceed], Message]


class Pipeline:
    """The stages in their order, around the handlers of a process."""

    def __init__(self, stages: Sequence[Stage], handlers: Mapping[str, Handler]) -> None:
        self.names = [stage.name for stage in stages]
        self._handlers = dict(handlers)
        run: Proceed = self._handle
        for stage in reversed(stages):
            run = _chain(stage, run)
        self._run = run

    def __call__(self, call: Call) -> Message:
        """Run the call. Raises Refusal and nothing else."""
        return self._run(call)

    def _handle(self, call: Call) -> Message:
        response = self._handlers[call.method.path](call)
        call.check_deadline()
        return response


def _chain(stage: Stage, following: Proceed) -> Proceed:
    return lambda call: stage.run(call, following)


def scrub(log: Any, metrics: Metrics) -> Stage:
    """Turns every unexpected exception into INTERNAL, and veils causes a caller must not learn."""

    def run(call: Call, proceed: Proceed) -> Message:
        reason = "OK"
        try:
            return proceed(call)
        except Refusal as refusal:
            reason = refusal.reason
            raise veiled(call.method, refusal) from None
        except Exception as error:  # noqa: BLE001 - the last resort is what this stage is for
            reason = "INTERNAL"
            log_defect(log, call, error)
            raise Internal from None
        finally:
            metrics.calls.labels(call.method.name, reason).inc()
            metrics.call_seconds.labels(call.method.name).observe(time.monotonic() - call.started)
            if reason in ("INTERNAL", "DATA_LOSS"):
                metrics.alarms.labels(reason).inc()

    return Stage("scrub", run)


def log_defect(log: Any, call: Call, error: Exception) -> None:
    """Say of what type a defect is and where it arose, and nothing of what it says itself."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame else "unknown"
    log.error(
        "defect",
        method=call.method.name,
        reference=call.reference,
        error=type(error).__name__,
        where=where,
        sqlstate=getattr(error, "sqlstate", None),
    )


# What is wrong with the request or the moment, not with the delivery asked
# for, may be told to anyone.
_UNVEILED = frozenset(
    [
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "PEER_NOT_ALLOWED",
        "INVALID_ARGUMENT",
        "MALFORMED",
        "TOO_LARGE",
        "DEADLINE_REQUIRED",
        "DEADLINE_EXCEEDED",
        "OVERLOADED",
        "BUDGET_EXHAUSTED",
        "UNAVAILABLE",
        "INTERNAL",
        "UNIMPLEMENTED",
        "IDEMPOTENCY_KEY_REUSED",
        "IDEMPOTENCY_IN_PROGRESS",
        "VAULT_NOT_READY",
        "KEY_UNAVAILABLE",
        "DATA_LOSS",
    ]
)


def veiled(method: Method, refusal: Refusal) -> Refusal:
    """What the caller of an RPC is told of a refusal."""
    if method.veil is None or refusal.reason in _UNVEILED:
        return refusal
    return refusal_of(method.veil)


def peer(names: Mapping[str, str], clock: Clock | None = None) -> Stage:
    """Admits only the processes on the RPC's allow-list; `names` maps URI names to processes.

    A connection outlives the certificate it was opened with, so its end is
    looked at in every call, by `clock`.
    """

    def run(call: Call, proceed: Proceed) -> Message:
        # The stubs say bytes; it is a list of bytes.
        tls = cast("Mapping[str, list[bytes]]", call.context.auth_context())
        uris = [uri.decode() for uri in tls.get("peer_uri", [])]
        processes = [names[uri] for uri in uris if uri in names]
        if len(processes) != 1 or processes[0] not in call.method.peers:
            raise PeerNotAllowed
        if clock and any(_end_of(pem) <= clock.now() for pem in tls.get("x509_pem_cert", [])):
            raise PeerNotAllowed
        call.peer = processes[0]
        return proceed(call)

    return Stage("peer", run)


@lru_cache(maxsize=64)
def _end_of(pem: bytes) -> datetime:
    return load_pem_x509_certificate(pem).not_valid_after_utc


def _size(call: Call, proceed: Proceed) -> Message:
    if len(call.payload) > call.method.max_request_bytes:
        raise TooLarge
    return proceed(call)


def _parse(call: Call, proceed: Proceed) -> Message:
    message = call.method.input_class()
    try:
        message.ParseFromString(call.payload)
    except (DecodeError, RecursionError):
        raise Malformed from None
    call.message = message
    return proceed(call)


def _deadline(call: Call, proceed: Proceed) -> Message:
    remaining = cast("float | None", call.context.time_remaining())
    if remaining is None or remaining > _NO_DEADLINE:
        raise DeadlineRequired
    if remaining < LEAST_SECONDS:
        raise DeadlineExceeded
    call.deadline = time.monotonic() + min(remaining, MOST_SECONDS)
    return proceed(call)


def identity(issuers: Issuers, sessions: Sessions | None = None) -> Stage:
    """Finds out who stands behind the call. Raises Unauthenticated.

    A process without `sessions` knows no person concerned.
    """

    def run(call: Call, proceed: Proceed) -> Message:
        call.caller = _identify(call, issuers, sessions)
        return proceed(call)

    return Stage("identity", run)


def _identify(call: Call, issuers: Issuers, sessions: Sessions | None) -> Any:
    if call.method.peer_itself:
        return process_principal(call.peer)
    if call.method.anyone:
        return anyone()
    forwarded = call.metadata.get(PRINCIPAL_KEY)
    authorization = call.metadata.get(AUTHORIZATION_KEY)
    if (forwarded is None) == (authorization is None):
        raise Unauthenticated
    if isinstance(forwarded, bytes):
        if call.peer != "gateway":
            raise Unauthenticated
        return key_principal(forwarded)
    scheme, _, token = str(authorization).partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    named = call.metadata.get(SITE_KEY)
    site = str(named) if named is not None else None
    if not token.startswith(SESSION_PREFIX):
        return issuers.verify(token, site)
    if sessions is None or not _may_open(call.method):
        raise Unauthenticated
    return sessions.verify(token, site, call.remaining())


def _may_open(method: Method) -> bool:
    """Whether it is worth knowing whose session it is.

    Another service asks the vault only where a person may call: what restricts and records goes on
    while the vault is away, whoever floods it with tokens of this form.
    """
    at_hand = method.process == "vault"
    return at_hand or method.any_caller or "SUBJECT" in (method.roles or ())


_PARTNER = frozenset({"PARTNER"})


def _authorize(call: Call, proceed: Proceed) -> Message:
    method = call.method
    if method.roles is not None and not (call.principal.roles & method.roles):
        raise PermissionDenied
    # A partner redeems its tokens and does nothing else, not even what anyone may (4.1.12).
    if method.any_caller and call.principal.roles == _PARTNER:
        raise PermissionDenied
    return proceed(call)


def record(recorder: Callable[[Call, Refusal], None]) -> Stage:
    """Leaves evidence of refusals that the handler has not recorded itself.

    `recorder` writes in a transaction of its own, before the answer leaves;
    where it cannot, the caller gets its Unavailable instead of the refusal.
    """

    def run(call: Call, proceed: Proceed) -> Message:
        try:
            return proceed(call)
        except Refusal as refusal:
            if not call.recorded and is_decision(refusal) and call.method.evidence != "none":
                recorder(call, refusal)
            raise

    return Stage("record", run)


_NOT_DECISIONS = frozenset(
    [
        "INVALID_ARGUMENT",
        "MALFORMED",
        "TOO_LARGE",
        "DEADLINE_REQUIRED",
        "DEADLINE_EXCEEDED",
        "OVERLOADED",
        "BUDGET_EXHAUSTED",
        "UNAVAILABLE",
        "INTERNAL",
        "UNIMPLEMENTED",
        "IDEMPOTENCY_KEY_REUSED",
        "IDEMPOTENCY_IN_PROGRESS",
        "VERSION_MISMATCH",
        "VAULT_NOT_READY",
        "KEY_UNAVAILABLE",
    ]
)


def is_decision(refusal: Refusal) -> bool:
    """Whether a refusal decides about a person's data, rather than about the request's form."""
    return refusal.reason not in _NOT_DECISIONS


def _validate(call: Call, proceed: Proceed) -> Message:
    validate(call.request)
    return proceed(call)


SIZE = Stage("size", _size)
PARSE = Stage("parse", _parse)
DEADLINE = Stage("deadline", _deadline)
AUTHORIZATION = Stage("authorization", _authorize)
VALIDATION = Stage("validation", _validate)


def stages(
    log: Any,
    metrics: Metrics,
    peer_names: Mapping[str, str],
    issuers: Issuers,
    recorder: Callable[[Call, Refusal], None],
    clock: Clock | None = None,
    sessions: Sessions | None = None,
) -> list[Stage]:
    """All stages in their order; `clock` tells when a peer's certificate has ended."""
    return [
        scrub(log, metrics),
        peer(peer_names, clock),
        SIZE,
        PARSE,
        DEADLINE,
        record(recorder),
        identity(issuers, sessions),
        AUTHORIZATION,
        VALIDATION,
    ]

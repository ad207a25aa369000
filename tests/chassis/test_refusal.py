# SPDX-License-Identifier: Apache-2.0
"""Refusals state facts: one class per reason, one status, no word of the caller."""

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode

from services.chassis import refusal as module
from services.chassis.contract import reason_rule, reasons
from services.chassis.refusal import FieldViolation, InvalidArgument, Refusal, refusal_of

CLASSES = {cls.reason: cls for cls in Refusal.__subclasses__()}


def test_every_reason_has_one_class_named_as_its_fact() -> None:
    assert set(CLASSES) == set(reasons())
    for reason, cls in CLASSES.items():
        assert cls.__name__ == "".join(word.capitalize() for word in reason.split("_"))
        assert getattr(module, cls.__name__) is cls
        assert cls.__doc__


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_a_refusal_becomes_a_status_with_its_reason_clause_and_reference(reason: str) -> None:
    rule = reason_rule(reason)
    status = refusal_of(reason).to_status("ref-9")
    assert status.message == reason
    assert status.code == rule.grpc_status
    assert status.code in {code.value[0] for code in StatusCode} - {0, 2}
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.domain, info.reason) == ("qupia", reason)
    assert dict(info.metadata) == {"clause": rule.clause, "ref": "ref-9"}


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_a_reason_has_titles_in_three_languages_and_a_fitting_http_status(reason: str) -> None:
    rule = reason_rule(reason)
    assert set(rule.titles) == {"kk", "ru", "en"}
    assert len(set(rule.titles.values())) == 3
    assert rule.titles["en"].isascii()
    assert 400 <= rule.http_status < 600
    server_side = {"UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "DATA_LOSS", "VAULT_NOT_READY"}
    assert (rule.http_status >= 500) == (reason in server_side | {"KEY_UNAVAILABLE"})


def test_wrong_fields_travel_with_their_rules() -> None:
    violation = FieldViolation("data.phone", "PHONE_MALFORMED", "is no telephone number")
    status = InvalidArgument(fields=[violation]).to_status("r")
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    [found] = bad.field_violations
    assert (found.field, found.reason, found.description) == (
        "data.phone",
        "PHONE_MALFORMED",
        "is no telephone number",
    )


def test_a_clause_of_its_own_beats_the_reasons_and_a_pause_is_told() -> None:
    info = error_details_pb2.ErrorInfo()
    status = refusal_of("CONSENT_REQUIRED", "4.1.10").to_status("r")
    status.details[0].Unpack(info)
    assert info.metadata["clause"] == "4.1.10"
    module.Unavailable(retry_after=1.5).to_status("r").details[0].Unpack(info)
    assert info.metadata["retry_after"] == "1.5"


def test_a_refusals_text_is_its_reason_alone() -> None:
    for cls in CLASSES.values():
        assert str(cls("6.2.3")) == cls.reason


def test_an_unknown_reason_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        refusal_of("WHATEVER")

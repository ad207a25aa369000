# SPDX-License-Identifier: Apache-2.0
"""A request against the forms its contract declares; zero values permit nothing (threat T38)."""

import string
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.contract import (
    all_messages,
    is_output_only,
    is_required,
    load_contract,
    max_items,
    text_rule,
    unknown_reason,
)
from services.chassis.refusal import InvalidArgument
from services.chassis.validation import PATTERNS, is_form, validate

SUBJECT = "0123456789abcdef" * 2
Form = contract_pb2.TextRule
METHODS = sorted(load_contract().methods.values(), key=lambda m: m.path)

EXAMPLES: dict[int, tuple[str, list[str]]] = {
    Form.SUBJECT_ID: (SUBJECT, ["0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 31 + "\n", "٠" * 32]),
    Form.UUID: ("0192f0c0-0000-7000-8000-000000000001", ["0192F0C0-0000-7000-8000-000000000001"]),
    Form.ORDER_ID: ("A-1._b", ["", "a b", "a/b", "x" * 65, "заказ", "A\n"]),
    Form.REQUEST_ID: ("!~x", ["a b", "x" * 129, "\x7f", "ключ"]),
    Form.CODE: ("A_1", ["a", "A-1", "A" * 65]),
    Form.PAGE_TOKEN: ("aB_-9", ["a=", "x" * 513]),
    Form.SHA256: ("a" * 64, ["A" * 64, "a" * 63]),
    Form.LANGUAGE: ("kk", ["KK", "en-GB", "kz"]),
    Form.DATE: ("2026-02-28", ["2026-02-30", "2026-2-3", "20260203", "0000-01-01"]),
    Form.SITE_ID: ("demo-1", ["Demo", "d" * 33, "a.b"]),
    Form.FIELD_NAME: ("address.postalCode", ["Address", "a.b.c", "a..b", "a_b"]),
    Form.REFERENCE: ("case/7:a#b", ["a b", "x" * 129, "дело"]),
    Form.CLAUSE: ("law:25(2)(9)", ["6 2", "x" * 33]),
}


def _field_of(form: int) -> FieldDescriptor:
    return next(
        field
        for message in all_messages()
        for field in message.fields
        if text_rule(field).form == form and field.type == FieldDescriptor.TYPE_STRING
    )


@pytest.mark.parametrize("form", sorted(EXAMPLES), ids=Form.Form.Name)
def test_a_form_admits_what_it_should_and_nothing_near_it(form: int) -> None:
    field = _field_of(form)
    good, bad = EXAMPLES[form]
    assert is_form(field, good)
    if form != Form.DATE:
        assert not [value for value in bad if value and is_form(field, value)]
    assert field.containing_type is not None
    message = GetMessageClass(field.containing_type)()
    for value in bad:
        if not value:
            continue
        target = getattr(message, field.name)
        if field.is_repeated:
            del target[:]
            target.append(value)
        else:
            setattr(message, field.name, value)
        path = f"{field.json_name}[0]" if field.is_repeated else field.json_name
        assert path in _wrong(message), value


def test_every_form_has_a_pattern_or_a_length() -> None:
    assert set(PATTERNS) == set(EXAMPLES)
    assert set(PATTERNS) | {0, Form.TEXT, Form.OPAQUE} == set(Form.Form.values())


def _wrong(message: Message) -> dict[str, str]:
    try:
        validate(message)
    except InvalidArgument as invalid:
        return {violation.field: violation.rule for violation in invalid.fields}
    return {}


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.path)
def test_an_empty_request_lacks_exactly_what_is_required(method: Any) -> None:
    required = {
        f.json_name
        for f in method.input.fields
        if is_required(f) and not (f.enum_type and unknown_reason(f))
    }
    assert _wrong(method.input_class()) == dict.fromkeys(required, "required")


def _enums(descriptor: Descriptor, path: str, depth: int = 4) -> Iterator[tuple[str, Any]]:
    for field in descriptor.fields:
        if field.enum_type is not None:
            yield f"{path}{field.json_name}", field
        elif field.message_type is not None and depth and not is_output_only(field):
            package = field.message_type.file.package
            if not package.startswith("google."):
                yield from _enums(field.message_type, f"{path}{field.json_name}.", depth - 1)


def test_every_enum_has_a_zero_that_says_nothing() -> None:
    for method in METHODS:
        for path, field in _enums(method.input, ""):
            zero = field.enum_type.values_by_number[0]
            assert zero.name.endswith("_UNSPECIFIED"), path


def test_an_unknown_enum_value_is_refused_except_where_the_handler_records_it() -> None:
    purpose = vault_pb2.ReadDataRequest(subject_id=SUBJECT)
    purpose.purpose = 99  # type: ignore[assignment]
    assert _wrong(purpose) == {}
    block = vault_pb2.ClaimsSlice(blocks=[vault_pb2.Block.FromString(b"\x20\x63")])
    assert _wrong(block) == {"blocks[0].ground": "enum"}


def test_every_fault_is_named_by_its_json_path() -> None:
    request = vault_pb2.BatchReadDataRequest(
        items=[
            vault_pb2.ReadDataRequest(subject_id=SUBJECT),
            vault_pb2.ReadDataRequest(subject_id="?", fields=["ok", "not ok"]),
            vault_pb2.ReadDataRequest(),
        ]
    )
    assert _wrong(request) == {
        "items[1].subjectId": "pattern",
        "items[1].fields[1]": "pattern",
        "items[2].subjectId": "required",
    }


def test_too_many_items_and_too_long_texts_are_refused() -> None:
    items = [vault_pb2.ReadDataRequest(subject_id=SUBJECT)] * 1001
    assert _wrong(vault_pb2.BatchReadDataRequest(items=items)) == {"items": "max_items"}
    data = subject_pb2.PersonalData(given_name="а" * 201, family_name="а" * 200, phone="\0")
    assert _wrong(data) == {"givenName": "max_length", "phone": "text"}
    assert _wrong(vault_pb2.GetSealingKeyResponse(public_key=b"x" * 65)) == {
        "publicKey": "max_length"
    }


@pytest.mark.parametrize(
    ("seconds", "nanos", "valid"),
    [
        (0, 0, True),
        (-2_208_988_800, 0, True),
        (-2_208_988_801, 0, False),
        (4_102_444_799, 999_999_999, True),
        (4_102_444_800, 0, False),
        (0, -1, False),
        (0, 1_000_000_000, False),
        (10**18, 0, False),
    ],
)
def test_times_lie_between_1900_and_2100(seconds: int, nanos: int, valid: bool) -> None:
    slice_ = vault_pb2.ConsentSlice()
    slice_.disagreed_time.seconds, slice_.disagreed_time.nanos = seconds, nanos
    assert (_wrong(slice_) == {}) is valid


def test_a_number_below_zero_is_refused() -> None:
    assert _wrong(vault_pb2.SliceVersion(incarnation=-1, counter=0)) == {"incarnation": "range"}


def test_what_only_the_service_sets_is_refused_from_outside() -> None:
    found = [
        (method, field)
        for method in METHODS
        for field in method.input.fields
        if is_output_only(field)
    ]
    for method, field in found:
        request = method.input_class()
        if field.message_type is not None:
            getattr(request, field.name).SetInParent()
        else:
            setattr(request, field.name, "x" if field.type == FieldDescriptor.TYPE_STRING else 1)
        assert _wrong(request)[field.json_name] == "output_only"


@given(st.text(alphabet=string.printable + "әғқңөұүһі\u200b\0", max_size=40))
def test_no_text_breaks_the_check(text: str) -> None:
    request = vault_pb2.StoreDataRequest(subject_id=text, form=text, request_id=text)
    wrong = _wrong(request)
    assert ("subjectId" in wrong) == (not _is_subject(text))


def _is_subject(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def test_repeated_fields_of_requests_have_a_limit() -> None:
    for method in METHODS:
        for field in method.input.fields:
            if field.is_repeated and not is_output_only(field):
                assert max_items(field) > 0, field.full_name

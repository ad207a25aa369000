# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of the contract's messages, for the OpenAPI document."""

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor

from gateway.answer import is_always_there
from gateway.plan import FieldPlan, Kind, plan
from qupia.contract.v1 import contract_pb2
from services.chassis.contract import max_items, text_rule
from services.chassis.validation import MAP_KEY, PATTERNS

Schema = dict[str, Any]
REFERENCE = "#/components/schemas/"


def component_name(full_name: str) -> str:
    """`qupia.vault.v1.StoreDataRequest` is `vault.StoreDataRequest` in the document."""
    return ".".join(p for p in full_name.split(".") if p not in ("qupia", "v1"))


class Schemas:
    """The component schemas that have been asked for.

    `received` and `sent` are messages that callers send and get: members beyond the contract are
    refused in what only callers send, and to be expected in what only services send.
    """

    def __init__(
        self,
        comments: Mapping[str, str],
        received: Iterable[Descriptor],
        sent: Iterable[Descriptor],
    ) -> None:
        self.components: dict[str, Schema] = {}
        self._comments = comments
        self._received = _reachable(received)
        self._sent = _reachable(sent)

    def reference(self, descriptor: Descriptor) -> Schema:
        """A reference to the schema of a message."""
        name = component_name(descriptor.full_name)
        if name not in self.components:
            self.components[name] = {}
            self.components[name].update(self.of_fields(descriptor, plan(descriptor).values()))
        return {"$ref": REFERENCE + name}

    def of_fields(
        self, descriptor: Descriptor, fields: Iterable[FieldPlan], patch: bool = False
    ) -> Schema:
        """The schema of a message with those of its fields alone; in a `patch` null clears."""
        chosen = list(fields)
        received = descriptor.full_name in self._received
        sent = descriptor.full_name in self._sent
        required = [
            f.json_name
            for f in chosen
            if (f.required and not f.output_only) or (not received and is_always_there(f))
        ]
        schema: Schema = {
            "type": "object",
            "properties": {
                f.json_name: self._of_resource(f) if patch and f.message else self.of_field(f)
                for f in chosen
            },
        }
        if descriptor.full_name in self._comments:
            schema["description"] = self._comments[descriptor.full_name]
        if required:
            schema["required"] = required
        if received and not sent:
            schema["additionalProperties"] = False
        return schema

    def of_field(self, field: FieldPlan) -> Schema:
        """The schema of one field."""
        schema = self._of_value(field)
        if field.repeated:
            schema = {"type": "array", "items": schema}
            if max_items(field.field):
                schema["maxItems"] = max_items(field.field)
        comment = self._comments.get(field.field.full_name)
        if comment:
            schema["description"] = comment
        if field.output_only:
            schema["readOnly"] = True
        if field.personal:
            schema["x-qupia-personal"] = True
        return schema

    def _of_resource(self, field: FieldPlan) -> Schema:
        """A field of a merge patch: messages by members, each of which may be null."""
        assert field.message is not None
        name = component_name(field.message.full_name) + "Patch"
        if name not in self.components:
            properties: Schema = {}
            for each in plan(field.message).values():
                inner = each.kind is Kind.MESSAGE and not each.repeated
                schema = self._of_resource(each) if inner else self.of_field(each)
                if each.kind is Kind.MAP:
                    either = {"anyOf": [_of_text(each), {"type": "null"}]}
                    schema |= _of_map(each, either)
                properties[each.json_name] = {"anyOf": [schema, {"type": "null"}]}
            self.components[name] = {
                "type": "object",
                "description": "RFC 7396: what stands here changes, null clears, the rest stays.",
                "properties": properties,
                "additionalProperties": False,
            }
        return {"$ref": REFERENCE + name}

    def _of_value(self, field: FieldPlan) -> Schema:
        match field.kind:
            case Kind.MESSAGE if field.message is not None:
                return self.reference(field.message)
            case Kind.NAME if field.field.enum_type is not None:
                return self._of_enum(field.field.enum_type)
            case Kind.INTEGER:
                return {"type": "integer", "format": "int32", "minimum": 0}
            case Kind.BOOLEAN:
                return {"type": "boolean"}
            case Kind.BYTES:
                return {"type": "string", "contentEncoding": "base64"}
            case Kind.TIME:
                return {"type": "string", "format": "date-time"}
            case Kind.MAP:
                return _of_map(field, _of_text(field))
        return _of_text(field)

    def _of_enum(self, enum: EnumDescriptor) -> Schema:
        name = component_name(enum.full_name)
        if name not in self.components:
            values = [v.name for v in enum.values if v.number]
            schema: Schema = {"type": "string", "enum": values}
            notes = [self._comments.get(enum.full_name, "")]
            notes += [
                f"- `{v}`: {self._comments[f'{enum.full_name}.{v}']}"
                for v in values
                if f"{enum.full_name}.{v}" in self._comments
            ]
            if any(notes):
                schema["description"] = "\n".join(filter(None, notes))
            self.components[name] = schema
        return {"$ref": REFERENCE + name}


def _of_map(field: FieldPlan, value: Schema) -> Schema:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{MAP_KEY}$"},
        "additionalProperties": value,
        "maxProperties": max_items(field.field),
    }


def _of_text(field: FieldPlan) -> Schema:
    rule = text_rule(field.field)
    schema: Schema = {"type": "string"}
    if rule.form in PATTERNS:
        schema["pattern"] = f"^(?:{PATTERNS[rule.form]})$"
    if rule.max_length:
        schema["maxLength"] = rule.max_length
    if rule.form == contract_pb2.TextRule.UUID:
        schema["format"] = "uuid"
    if rule.form == contract_pb2.TextRule.DATE:
        schema["format"] = "date"
    return schema


def _reachable(messages: Iterable[Descriptor]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(messages)
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name not in found:
            found.add(descriptor.full_name)
            waiting += [
                f.message
                for f in plan(descriptor).values()
                if f.message is not None and f.kind is Kind.MESSAGE
            ]
    return frozenset(found)

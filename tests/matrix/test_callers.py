# SPDX-License-Identifier: Apache-2.0
"""Caller × RPC × {own, another site's, absent, blocked} over HTTP, from the contract (T1, I13)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from services.chassis.contract import Method, load_contract, reason_rule, reasons
from tests.matrix.asking import Answer, ask, parts_of
from tests.matrix.callers import Caller
from tests.matrix.rows import ROWS, NoRow, Row, name_of, row_of
from tests.matrix.things import ABSENT, BLOCKED, OTHERS, OWN, Thing, World

ROUTED = [method for method in load_contract().methods.values() if method.http]
_RELATIONS = {
    "person": (OWN, OTHERS, ABSENT, BLOCKED),
    "delivery": (OWN, OTHERS, ABSENT, BLOCKED),
    "object": (OWN, OTHERS, ABSENT),
    "version": (OWN, OTHERS, ABSENT),
    "site": (OWN,),
}


def test_every_rpc_with_a_route_has_a_row_and_every_row_its_rpc() -> None:
    for method in ROUTED:
        row_of(method)
    left = set(ROWS) - {name_of(method) for method in ROUTED}
    assert not left, f"ROWS in tests/matrix/rows.py speak of RPCs that are gone: {left}"


def test_an_rpc_without_a_row_says_what_to_add() -> None:
    unknown = next(method for method in load_contract().methods.values() if not method.http)
    with pytest.raises(NoRow, match=r"tests/matrix/rows\.py a line"):
        row_of(unknown)


@dataclass(frozen=True)
class Cells:
    """The cells of one RPC; each check yields what is wrong."""

    world: World
    method: Method
    row: Row
    things: Mapping[str, Thing]
    """Those that callers without the right ask for, who change nothing."""
    fresh: Mapping[str, Thing]
    """Those that callers with the right ask for."""

    def callers(self, things: Mapping[str, Thing]) -> list[Caller]:
        """The persons concerned first: others may end their sessions."""
        persons = [self.world.person(t) for name, t in things.items() if name != ABSENT]
        return [*persons, *self.world.callers.values()]

    def without_right(self) -> Iterator[str]:
        """Who may not call learns the same of everything."""
        for caller in self.callers(self.things):
            if caller.may_call(self.method):
                continue
            known = caller.is_known_to(self.method)
            code = "PERMISSION_DENIED" if known else "UNAUTHENTICATED"
            answers = {name: self._ask(caller, thing) for name, thing in self.things.items()}
            for name, answer in answers.items():
                yield from self._differs(caller, name, answer, code, self.things)
            if len({answer.bytes_but_reference for answer in answers.values()}) != 1:
                yield f"{caller.name}: the answer tells {', '.join(answers)} apart"

    def with_right(self) -> Iterator[str]:
        """Another's is as what never was; one's own is as the row says."""
        callers = [c for c in self._with_persons() if c.may_call(self.method)]
        for caller in callers:
            yield from self._not_theirs(caller)
        # Afterwards: what is done to one's own may end it.
        for caller in callers:
            for name, thing in self.fresh.items():
                if self._owns(caller, thing):
                    usual = self.row.blocked if name == BLOCKED else self.row.own
                    code = self.row.unlike.get(caller.name, usual)
                    answer = self._ask(caller, thing)
                    yield from self._differs(caller, name, answer, code, self.fresh)

    def _with_persons(self) -> list[Caller]:
        # No session is opened for those who may not call.
        opens = self.method.any_caller or self.method.anyone
        opens = opens or "SUBJECT" in (self.method.roles or ())
        return self.callers(self.fresh if opens else {})

    def _not_theirs(self, caller: Caller) -> Iterator[str]:
        if ABSENT not in self.fresh:
            return
        absent = self._ask(caller, self.fresh[ABSENT])
        code = self.row.absent_unlike.get(caller.role, self.row.absent)
        yield from self._differs(caller, ABSENT, absent, code, self.fresh)
        for name, thing in self.fresh.items():
            if name == ABSENT or self._owns(caller, thing):
                continue
            answer = self._ask(caller, thing)
            if answer.bytes_but_reference != absent.bytes_but_reference:
                yield f"{caller.name} × {name}: {answer} is not what absence gives, {absent}"

    def _owns(self, caller: Caller, thing: Thing) -> bool:
        if self.row.about == "version":
            return thing.policy_version <= self.world.versions[caller.site]
        if caller.subject_id:
            return caller.subject_id == thing.subject_id
        if self.row.about == "delivery":
            return caller.recipient_id == thing.recipient_id
        return caller.site == thing.site

    def _differs(
        self, caller: Caller, name: str, answer: Answer, code: str, things: Mapping[str, Thing]
    ) -> Iterator[str]:
        status = (
            reason_rule(code).http_status if code in reasons() and answer.status != 200 else 200
        )
        if answer.told != code or answer.status != status:
            yield f"{caller.name} × {name}: {code} expected, {answer} came"
        strange = [t for t in things.values() if t.site not in ("", caller.site)]
        if any(each.encode() in answer.content for thing in strange for each in thing.ids):
            yield f"{caller.name} × {name}: the answer names a thing of another site"

    def _ask(self, caller: Caller, thing: Thing) -> Answer:
        return ask(self.world.client, caller, self.method, self.row, thing)


@pytest.mark.parametrize("method", ROUTED, ids=name_of)
def test_every_cell_is_as_declared(method: Method, world: World) -> None:
    row = row_of(method)
    relations = _RELATIONS[row.about]
    shared = {name: world.things()[name] for name in relations}
    # What is of the whole site changes no thing.
    changes = row.about != "site" and (method.mutates or row.about == "version")
    fresh = world.fresh_things(parts_of(method, row), relations) if changes else shared
    # Who may not call is refused before the thing is looked for: two of them show it.
    in_vain = {name: shared[name] for name in (OWN, ABSENT) if name in shared}
    cells = Cells(world, method, row, in_vain, fresh)
    wrong = [*cells.without_right(), *cells.with_right()]
    assert not wrong, "\n".join([name_of(method), *wrong])


@pytest.mark.deep
@pytest.mark.parametrize("method", ROUTED, ids=name_of)
def test_who_may_not_call_learns_the_same_of_everything(method: Method, world: World) -> None:
    row = row_of(method)
    things = {name: world.things()[name] for name in _RELATIONS[row.about]}
    wrong = list(Cells(world, method, row, things, fresh={}).without_right())
    assert not wrong, "\n".join([name_of(method), *wrong])


@pytest.mark.parametrize(
    "role", ["STOREFRONT", "CLAIMS_OFFICER", "PRIVACY_OFFICER", "AUDITOR", "PARTNER"]
)
def test_every_role_that_calls_has_a_holder_on_either_site(role: str, world: World) -> None:
    holders = [caller.site for caller in world.callers.values() if caller.role == role]
    assert {"demo", "other"} <= set(holders)

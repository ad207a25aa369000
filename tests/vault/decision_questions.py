# SPDX-License-Identifier: Apache-2.0
"""Every question that can be put to the gate, with what docs/decisions.md finds in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count, product

from services.vault.decide import Decision, Kinship, Life, Operation, Question, decide
from services.vault.fields import Field
from services.vault.policy_schedule import PolicySchedule
from services.vault.standing import ClaimsStanding, RecipientKind, Standing
from tests.vault import decision_world as world
from tests.vault.decision_document import Answer, Document, Findings, answer, data_of

DOCUMENT = Document.read()
READ = DOCUMENT.table("Reading for a purpose")
VERIFICATION = DOCUMENT.table("Reading for verification")
RELEASE = DOCUMENT.table("Releasing to a recipient")
CASE = DOCUMENT.table("Finding for a case")
ACTS = DOCUMENT.table("Storing data, giving a consent, placing an order")
LINKING = DOCUMENT.table("Linking a visitor to an account")
ENDS = DOCUMENT.table("Destroying and depersonalising")
ACCEPTANCE = DOCUMENT.table("Accepting the policy")
TABLES = {
    "read": READ,
    "verify": VERIFICATION,
    "release": RELEASE,
    "authority": DOCUMENT.table("Giving to a state body"),
    "find": CASE,
    "audit": DOCUMENT.table("Auditing versions"),
    "view": DOCUMENT.table("Showing the person their own data"),
    "act": ACTS,
    "accept": ACCEPTANCE,
    "link": LINKING,
    "end": ENDS,
}
LISTED = {row["purpose"]: row for row in DOCUMENT.table("Purposes")}
NO_PURPOSES = ("", "AUTOMATED_DECISION", "CODE_UNSPECIFIED", "DIRECT_MARKETING")
LIVES = {
    "unknown": Life.UNKNOWN,
    "present": Life.PRESENT,
    "kept by statute": Life.RESTRICTED,
    "destroyed": Life.DESTROYED,
}
REFERENCES = {"none": "", "an open order": world.OPEN, "a closed order": world.CLOSED}
REFERENCES["anything else"] = world.STRANGE
TEMPLATES = {"service": "SERVICE", "marketing": "MARKETING", "not registered": ""}
CONSENTS = ("never given", "given", "ended", "outgrown")
_NEW, _NO_NEWS = frozenset({"taking something new"}), "counting visits"
_turn = count()


@dataclass(frozen=True)
class Asked:
    """One question with what the page finds in it."""

    table: str
    findings: Findings
    kinds: frozenset[str]
    question: Question
    life: Life
    standing: Standing
    schedule: PolicySchedule = field(default_factory=PolicySchedule)

    def expected(self) -> Answer:
        """What the page answers."""
        listed = LISTED.get(self.question.purpose)
        clause = listed["clause"] if listed else "4.1.8"
        table = TABLES[self.table]
        return answer(table, self.findings, self.kinds.__contains__, clause)

    def given(self) -> Decision:
        """What the function answers."""
        return decide(self.question, self.life, self.standing, self.schedule, world.NOW)


def _pick(ways: tuple[world.V, ...]) -> world.V:
    """Another way every time, so that no finding is always true in the same way."""
    return ways[next(_turn) % len(ways)]


def kinds_of_read(purpose: str, reference: str, automated: bool) -> frozenset[str]:
    listed = LISTED.get(purpose, {"reference": "no", "express consent": "no"})
    kinds = {"every read", f"reference: {listed['reference']}"}
    if not (purpose in ("ORDER_STATUS", "PAYMENT") and reference == "an open order"):
        kinds.add("not for an open order")
    if listed["express consent"] == "yes" or (
        listed["express consent"] == "for an automated decision" and automated
    ):
        kinds.add("consent needed")
    return frozenset(kinds)


@cache
def _ways_to_ask(purpose: str) -> dict[str, tuple[frozenset[Field] | None, ...]]:
    reached = data_of(LISTED[purpose]["data"]) if purpose in LISTED else frozenset()
    one = frozenset(sorted(reached)[:1])
    beyond = tuple(one | {each} for each in sorted(set(Field) - reached))
    return {"within": (None, reached, one, frozenset()), "beyond": beyond}


def reads(purpose: str) -> Iterator[Asked]:
    needed = "AUTOMATED_DECISION" if purpose not in LISTED or purpose == "PAYMENT" else purpose
    named = "none of the twelve" if purpose not in LISTED else "any other"
    templates = tuple(TEMPLATES) if purpose == "FEEDBACK" else (_pick(tuple(TEMPLATES)),)
    for (
        credential,
        life,
        held,
        agreement,
        consent,
        reference,
        orders,
        fields,
        automated,
        template,
    ) in product(
        ("with this purpose", "without this purpose"),
        LIVES,
        world.CLAIMS,
        world.AGREEMENTS,
        CONSENTS,
        REFERENCES,
        world.ORDERS,
        ("within", "beyond"),
        (False, True),
        templates,
    ):
        if reference == "an open order" and orders == "none":
            continue
        with_it = (None, frozenset({purpose}), frozenset({purpose, "NEWS"}))
        without = (frozenset({"SOMETHING"}), frozenset(set(LISTED) - {purpose}))
        found = _pick(world.consents(needed, consent))
        yield Asked(
            "read",
            {
                "purpose": "VERIFY_DATA" if purpose == "VERIFY_DATA" else named,
                "credential": credential,
                "life": life,
                "restriction": held[0],
                "block": held[1],
                "agreement": agreement,
                "consent": consent,
                "reference": reference,
                "template": template,
                "open orders": orders,
                "fields": fields,
            },
            kinds_of_read(purpose, reference, automated),
            Question(
                Operation.READ,
                purpose,
                _pick(with_it) if credential == "with this purpose" else _pick(without),
                _pick(_ways_to_ask(purpose)[fields]),
                REFERENCES[reference],
                TEMPLATES[template],
                automated,
            ),
            LIVES[life],
            Standing(
                world.consent_slice(_pick(world.AGREEMENTS[agreement]), found),
                _pick(world.CLAIMS[held]),
                _pick(world.ORDERS[orders]),
            ),
            found.schedule,
        )


def _standings() -> Iterator[tuple[dict[str, str], Life, Standing]]:
    """Every life, block and agreement in every way; orders of every kind by turns."""
    orders = [*world.ORDERS["none"], *world.ORDERS["some"], None]
    for life, held, agreement in product(LIVES, world.CLAIMS, world.AGREEMENTS):
        findings = {
            "life": life,
            "restriction": held[0],
            "block": held[1],
            "agreement": agreement,
        }
        for claims, agreed in product(world.CLAIMS[held], world.AGREEMENTS[agreement]):
            consent = world.consent_slice(agreed, world.Consents(()))
            yield findings, LIVES[life], Standing(consent, claims, _pick(tuple(orders)))


def acts() -> Iterator[Asked]:
    operations = {
        "storing data": (Operation.STORE, ""),
        "giving a consent": (Operation.GRANT, "NEWS"),
        "placing an order": (Operation.PLACE_ORDER, ""),
        "recording a visit": (Operation.RECORD_VISIT, ""),
        "storing a purchase": (Operation.STORE_PURCHASE, ""),
        "counting visits": (Operation.SUMMARIZE_VISITS, ""),
    }
    for (found, life, own), link in product(_standings(), ("none", "linked")):
        findings = {**found, "link": link}
        standing = replace(own, linked=link == "linked")
        for kind, (operation, purpose) in operations.items():
            kinds = frozenset({"every act", kind} | (_NEW if kind != _NO_NEWS else set()))
            yield Asked("act", findings, kinds, Question(operation, purpose), life, standing)
        for purpose in ("ACCOUNT", "ADVERTISING", "PARTNER_SITES", "AUTOMATED_DECISION"):
            question = Question(Operation.GRANT, purpose)
            kinds = frozenset({"every act", "giving a consent"} | _NEW)
            yield Asked("act", findings, kinds, question, life, standing)
        for explicit, kind in ((True, "explicit"), (False, "by use")):
            question = Question(Operation.ACCEPT, explicit=explicit)
            kinds = frozenset({"every acceptance", kind})
            accepted = {**findings, "acceptance": kind}
            yield Asked("accept", accepted, kinds, question, life, standing)


def links() -> Iterator[Asked]:
    for (found, life, own), (link, (account, ways)) in product(
        _standings(), product(("none", "linked", "has visitors"), _accounts().items())
    ):
        way = _pick(ways)
        kinship = way and replace(way, has_visitors=link == "has visitors")
        question = Question(Operation.LINK, kinship=kinship)
        standing = replace(own, linked=link == "linked")
        findings = {**found, "link": link, "account": account}
        yield Asked("link", findings, frozenset({"every link"}), question, life, standing)


@cache
def _accounts() -> dict[str, tuple[Kinship | None, ...]]:
    """Every way in which an account can be as found."""
    accepted = world.consent_slice(world.Agreement(1, world.PAST), world.Consents(()))
    disagreed = world.consent_slice(
        world.Agreement(1, world.EARLIER, world.PAST), world.Consents(())
    )

    def held(restriction: str, block: str) -> tuple[Kinship, ...]:
        claims = world.CLAIMS[(restriction, block)]
        return tuple(
            Kinship(Life.PRESENT, Standing(consent, each, None))
            for each, consent in product(claims, (accepted, disagreed, None))
        )

    free = held("none", "none")
    return {
        "unknown": (None, *(replace(each, life=Life.UNKNOWN) for each in free)),
        "destroyed": tuple(replace(each, life=Life.DESTROYED) for each in free),
        "kept by statute": tuple(replace(each, life=Life.RESTRICTED) for each in free),
        "restricted": held("restricted", "none") + held("restricted", "blocked"),
        "blocked": held("none", "blocked"),
        "itself a visitor": tuple(replace(each, is_visitor=True, full=True) for each in free),
        "full": tuple(replace(each, full=True) for each in free),
        "an account": free,
    }


def verifications() -> Iterator[Asked]:
    for findings, life, standing in _standings():
        blocks = standing.claims.blocks if standing.claims else ()
        for claim in (world.CLAIM, world.OTHER_CLAIM, "claim-9", ""):
            open_block = any(b.claim_id == claim and b.outcome is None for b in blocks)
            found = {**findings, "claim": "open block" if open_block else "no open block"}
            question = Question(Operation.READ_FOR_VERIFICATION, "VERIFY_DATA", reference=claim)
            yield Asked("verify", found, frozenset({"every read"}), question, life, standing)


def releases() -> Iterator[Asked]:
    question = Question(
        Operation.READ_FOR_RELEASE,
        reference=world.OPEN,
        delivery_id=world.DELIVERY,
        recipient_id=world.RECIPIENT,
    )
    for findings, life, standing in _standings():
        ways = [("not open", "not live", orders) for orders in world.NOT_OPEN]
        for finding, kind in product(("live", "not live"), RecipientKind):
            ways += [("open", finding, orders) for orders in world.assigned(finding, kind)]
        for order, assigned, orders in ways:
            found = {**findings, "order": order, "assignment": assigned}
            whole = Standing(standing.consent, standing.claims, orders)
            yield Asked("release", found, frozenset({"every release"}), question, life, whole)


def authorities() -> Iterator[Asked]:
    wanted = (frozenset({Field.PHONE}), frozenset(Field), frozenset[Field](), None)
    for findings, life, standing in _standings():
        blocks = standing.claims.blocks if standing.claims else ()
        for compelled, claim in product(
            (False, True), ("", world.CLAIM, world.OTHER_CLAIM, "claim-9")
        ):
            blocking = any(b.claim_id == claim and b.outcome is None for b in blocks)
            opens = compelled and (not claim or blocking)
            question = Question(
                Operation.READ_FOR_AUTHORITY,
                fields=_pick(wanted),
                reference=claim,
                compelled=compelled,
            )
            kinds = frozenset({"every request"} | (set() if opens else {"not compelled"}))
            yield Asked("authority", findings, kinds, question, life, standing)


def finds() -> Iterator[Asked]:
    for findings, life, standing in _standings():
        for reference, named in REFERENCES.items():
            found = {**findings, "reference": reference}
            question = Question(Operation.FIND_FOR_CASE, reference=named)
            yield Asked("find", found, frozenset({"every find"}), question, life, standing)


def audits() -> Iterator[Asked]:
    for findings, life, standing in _standings():
        for reference, named in REFERENCES.items():
            found = {**findings, "reference": reference}
            question = Question(Operation.AUDIT_VERSIONS, reference=named)
            yield Asked("audit", found, frozenset({"every audit"}), question, life, standing)


def ends() -> Iterator[Asked]:
    operations = {"destroying": Operation.DESTROY, "depersonalising": Operation.DEPERSONALISE}
    for findings, life, standing in _standings():
        for (kind, operation), (hold, held), (orders, some), retained in product(
            operations.items(), world.HOLDS, world.ORDERS.items(), (False, True)
        ):
            found = {
                **findings,
                "legal hold": hold,
                "open orders": orders,
                "statutory term": "running" if retained else "none",
            }
            claims = standing.claims
            if claims is not None or hold == "some":
                blocks = claims.blocks if claims else ()
                claims = ClaimsStanding(blocks, tuple(held(blocks)))
            whole = Standing(standing.consent, claims, _pick(some))
            question = Question(operation, retained=retained)
            yield Asked("end", found, frozenset({"every end", kind}), question, life, whole)


def own_views() -> Iterator[Asked]:
    for findings, life, standing in _standings():
        yield Asked(
            "view",
            findings,
            frozenset({"every view"}),
            Question(Operation.OWN_VIEW),
            life,
            standing,
        )

# SPDX-License-Identifier: Apache-2.0
"""A subject's book as a function of facts and time, against a naive replay (2.1, 2.2, 4.1, 9.1)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.consent.agreement import Mode
from services.consent.book import Book, Event, Kind
from services.consent.consent import State
from services.consent.schedule import TICK, Schedule, Term
from services.consent.use import Use, UseKind

START = datetime(2026, 11, 23, tzinfo=UTC)
PURPOSES = ("NEWS", "ADVERTISING")
ACTS = ("USE", "ACCEPT", "REJECT", "GRANT", "WITHDRAW", "DECLINE", "APPLY", "REFUSE")
WORDS = {"GRANT": Kind.GRANTED, "WITHDRAW": Kind.WITHDRAWN, "DECLINE": Kind.DECLINED}
NOES = (Kind.WITHDRAWN, Kind.DECLINED)
SCHEDULE = Schedule(
    (
        Term(1, START, START, frozenset()),
        Term(2, START, START + timedelta(hours=12), frozenset({"NEWS"})),
        Term(3, START, START + timedelta(hours=24), frozenset({"ADVERTISING"})),
    )
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACTS),
        st.sampled_from(PURPOSES),
        st.integers(-1, 5),
        st.one_of(st.none(), st.integers(1, 20)),
    ),
    max_size=30,
)


class Story:
    """Events as the service would record them, and the book they fold into."""

    def __init__(self) -> None:
        self.book, self.events = Book(), list[Event]()
        self.now = START
        self.superseded: list[str] = []

    def tell(self, act: str, purpose: str, hours: int, term: int | None) -> None:
        self.now = max(START, self.now + timedelta(hours=hours))
        time = self.book.moment(self.now)
        name = f"act-{len(self.events):03}"
        version = SCHEDULE.in_force(time)
        if act in ("APPLY", "REFUSE"):
            self._answer(Kind.APPLIED if act == "APPLY" else Kind.REFUSED)
        elif act == "USE":
            latest = self.book.agreement.latest
            changes = self.book.agreement.changes_by_use(version)
            assert changes == naive_proposes(self.events, version)
            act_id = name if latest is None or changes else latest.act_id
            use = Use(UseKind.ORDER, "", True, None)
            self._add(Event(name, Kind.USED, time, "key/a", act_id, version, use=use))
        elif act in ("ACCEPT", "REJECT"):
            kind = Kind.ACCEPTED if act == "ACCEPT" else Kind.REJECTED
            self._add(Event(name, kind, time, "key/a", name, version))
        else:
            kind = WORDS[act]
            expire = time + timedelta(hours=term) if kind is Kind.GRANTED and term else None
            self._add(
                Event(name, kind, time, "key/a", name, version, purpose=purpose, expire_time=expire)
            )

    def _answer(self, kind: Kind) -> None:
        for act_id in on_their_way(self.book):
            time = self.book.moment(self.now)
            self._add(Event(f"answer-{act_id}", kind, time, "process/vault", act_id))

    def _add(self, event: Event) -> None:
        self.events.append(event)
        change = self.book.apply(event)
        self.book = change.book
        self.superseded += change.superseded


def on_their_way(book: Book) -> list[str]:
    proposals = [book.agreement.proposed, *(c.proposed for c in book.consents.values())]
    return [p.act_id for p in proposals if p is not None]


def proposing(events: list[Event], index: int) -> bool:
    """Whether an event of agreement made a proposal of its own."""
    event = events[index]
    return event.kind is Kind.ACCEPTED or (
        event.kind is Kind.USED and event.act_id == event.event_id
    )


def naive_accepted(events: list[Event]) -> list[int]:
    """The places of the acceptances that the vault applied."""
    applied = {e.act_id for e in events if e.kind is Kind.APPLIED}
    return [i for i, e in enumerate(events) if proposing(events, i) and e.act_id in applied]


def naive_disagreed(events: list[Event]) -> bool:
    rejected = [i for i, e in enumerate(events) if e.kind is Kind.REJECTED]
    return bool(rejected) and max(naive_accepted(events), default=-1) < rejected[-1]


def naive_proposes(events: list[Event], version: int) -> bool:
    if naive_disagreed(events):
        return False
    known = [events[i].policy_version for i in naive_accepted(events)[-1:]]
    proposals = [i for i in range(len(events)) if proposing(events, i)]
    if proposals and naive_fate(events, proposals[-1], {Kind.REJECTED}) is None:
        known.append(events[proposals[-1]].policy_version)
    return version > max(known, default=0)


def naive_fate(events: list[Event], index: int, ends: set[Kind]) -> Kind | None:
    """What first happened to a proposal: the vault's answer or an act that took its place."""
    act = events[index]
    for event in events[index + 1 :]:
        if event.kind in (Kind.APPLIED, Kind.REFUSED) and event.act_id == act.act_id:
            return event.kind
        if event.kind in ends and event.purpose in ("", act.purpose):
            return event.kind
    return None


def naive_state(events: list[Event], purpose: str, at: datetime) -> State | None:
    """The state of a consent, by searching the whole history."""
    ends = {Kind.GRANTED, *NOES, Kind.REJECTED}
    grants = [i for i, e in enumerate(events) if e.kind is Kind.GRANTED and e.purpose == purpose]
    noes = [i for i, e in enumerate(events) if e.kind in NOES and e.purpose == purpose]
    noes = sorted(noes + naive_ended(events, purpose))
    last_no = noes[-1] if noes else -1
    fates = {i: naive_fate(events, i, ends) for i in grants}
    applied = [i for i in grants if fates[i] is Kind.APPLIED]
    standing = events[applied[-1]] if applied and applied[-1] > last_no else None
    ended = naive_end(standing, purpose, at) if standing else None
    if standing and ended is None:
        return State.GIVEN
    if grants and fates[grants[-1]] is None:
        return State.PENDING
    if grants and fates[grants[-1]] is Kind.REFUSED and grants[-1] > last_no:
        return State.REFUSED
    if ended:
        return ended
    return naive_no(events, purpose)


def naive_ended(events: list[Event], purpose: str) -> list[int]:
    """The places of the disagreements that ended a consent, or a grant on its way."""
    pending: Event | None = None
    given: Event | None = None
    found = []
    for index, event in enumerate(events):
        if event.kind in (Kind.APPLIED, Kind.REFUSED) and pending:
            if event.act_id == pending.act_id:
                given = pending if event.kind is Kind.APPLIED else given
                pending = None
        elif event.kind is Kind.REJECTED and naive_ends(pending, given, event.time):
            found.append(index)
            pending = given = None
        elif event.purpose == purpose and event.kind is Kind.GRANTED:
            pending = event
        elif event.purpose == purpose:
            pending = given = None
    return found


def naive_ends(pending: Event | None, given: Event | None, at: datetime) -> bool:
    """Whether a disagreement has anything to end."""
    return pending is not None or (given is not None and not naive_expired(given, at))


def naive_expired(grant: Event, at: datetime) -> bool:
    return grant.expire_time is not None and grant.expire_time <= at


def naive_no(events: list[Event], purpose: str) -> State | None:
    """Whether the last "no" ended something that was given or asked for, or only said no."""
    pending: Event | None = None
    given: Event | None = None
    state: State | None = None
    for event in events:
        if event.kind in (Kind.APPLIED, Kind.REFUSED) and pending:
            if event.act_id == pending.act_id:
                applied = event.kind is Kind.APPLIED
                given, state = (pending, None) if applied else (given, state)
                pending = None
        elif event.kind is Kind.REJECTED and naive_ends(pending, given, event.time):
            state = State.WITHDRAWN
            pending = given = None
        elif event.purpose == purpose and event.kind is Kind.GRANTED:
            pending = event
        elif event.purpose == purpose:
            last = pending or given
            if event.kind is Kind.DECLINED and last and naive_expired(last, event.time):
                last = None
            if last is not None:
                state = State.WITHDRAWN
            elif state is None or event.kind is Kind.DECLINED:
                state = State.REFUSED_BY_PERSON
            pending = given = None
    return state


def naive_end(grant: Event, purpose: str, at: datetime) -> State | None:
    ends = [(grant.expire_time, State.EXPIRED)] if grant.expire_time else []
    ends += [
        (t.effective_time, State.OUTDATED)
        for t in SCHEDULE.terms
        if t.version > grant.policy_version and purpose in t.material_purposes
    ]
    passed = [(time, order, state) for order, (time, state) in enumerate(ends) if time <= at]
    return min(passed)[2] if passed else None


@settings(max_examples=400, deadline=None)
@given(STEPS, st.integers(0, 40))
def test_what_stands_is_what_a_replay_of_everything_gives(
    steps: list[tuple[str, str, int, int | None]], later: int
) -> None:
    story = Story()
    for step in steps:
        story.tell(*step)
    at = story.book.moment(story.now) + timedelta(hours=later)
    for purpose in PURPOSES:
        consent = story.book.consents.get(purpose)
        found = consent.state(purpose, SCHEDULE, at) if consent else None
        assert (found[0] if found else None) == naive_state(story.events, purpose, at)
    agreement = story.book.agreement
    assert agreement.disagreed == naive_disagreed(story.events)
    accepted = naive_accepted(story.events)
    if accepted:
        assert agreement.accepted is not None
        assert agreement.accepted.act_id == story.events[accepted[-1]].act_id
    else:
        assert agreement.accepted is None


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_every_proposal_is_answered_superseded_or_on_its_way(
    steps: list[tuple[str, str, int, int | None]],
) -> None:
    story = Story()
    for step in steps:
        story.tell(*step)
    proposals = [
        e.act_id
        for i, e in enumerate(story.events)
        if e.kind is Kind.GRANTED or proposing(story.events, i)
    ]
    answered = [e.act_id for e in story.events if e.kind in (Kind.APPLIED, Kind.REFUSED)]
    assert sorted(answered + story.superseded + on_their_way(story.book)) == sorted(proposals)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_times_grow_strictly_whatever_the_clock_does(
    steps: list[tuple[str, str, int, int | None]],
) -> None:
    story = Story()
    for step in steps:
        story.tell(*step)
    times = [e.time for e in story.events]
    assert times == sorted(set(times))
    assert story.book.events == len(story.events)


def told(*steps: tuple[str, str]) -> Story:
    story = Story()
    for act, purpose in steps:
        story.tell(act, purpose, 0, None)
    return story


def test_use_after_disagreement_is_no_acceptance() -> None:
    story = told(("USE", ""), ("APPLY", ""), ("REJECT", ""), ("USE", ""), ("APPLY", ""))
    assert story.book.agreement.disagreed
    standing = story.book.agreement.standing
    assert standing is not None
    assert standing.mode is Mode.DISAGREED


def test_only_an_applied_express_acceptance_returns() -> None:
    story = told(("USE", ""), ("APPLY", ""), ("REJECT", ""), ("ACCEPT", ""))
    assert story.book.agreement.disagreed
    assert story.book.agreement.returning
    story.tell("APPLY", "", 0, None)
    assert not story.book.agreement.disagreed


def test_an_acceptance_never_has_the_time_of_the_disagreement_it_answers() -> None:
    story = told(("USE", ""), ("REJECT", ""), ("ACCEPT", ""))
    agreement = story.book.agreement
    assert agreement.proposed is not None
    assert agreement.disagreement is not None
    assert agreement.proposed.time == agreement.disagreement.time + TICK


def test_a_consent_that_stands_goes_on_where_its_renewal_is_refused() -> None:
    story = told(("GRANT", "NEWS"), ("APPLY", ""), ("GRANT", "NEWS"))
    consent = story.book.consents["NEWS"]
    found = consent.state("NEWS", SCHEDULE, START)
    assert found is not None
    assert found[0] is State.GIVEN
    story.tell("REFUSE", "", 0, None)
    found = story.book.consents["NEWS"].state("NEWS", SCHEDULE, START)
    assert found is not None
    assert found == (State.GIVEN, consent.standing)


def test_disagreement_ends_what_was_given_and_what_is_on_its_way() -> None:
    story = told(("GRANT", "NEWS"), ("APPLY", ""), ("GRANT", "ADVERTISING"), ("REJECT", ""))
    news, advertising = story.book.consents["NEWS"], story.book.consents["ADVERTISING"]
    assert story.superseded == ["act-002"]
    assert news.standing is not None
    assert news.standing.withdraw_time == story.events[-1].time
    assert advertising.proposed is None
    assert advertising.standing is not None
    assert advertising.standing.withdraw_time is not None


def test_a_later_stronger_use_strengthens_the_acceptance() -> None:
    weak = Event("e1", Kind.USED, START, "k", "a1", 1, use=Use(UseKind.VIEW, "", True, None))
    strong = Event(
        "e2", Kind.USED, START + TICK, "k", "a1", 1, use=Use(UseKind.ORDER, "", True, None)
    )
    book = Book().apply(weak).book
    assert book.agreement.proposed is not None
    assert book.agreement.proposed.strength == "WEAK"
    again = book.apply(strong).book.agreement.proposed
    assert again is not None
    assert (again.strength, again.time) == ("STRONG", START)

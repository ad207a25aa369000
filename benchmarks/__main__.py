# SPDX-License-Identifier: Apache-2.0
"""`make bench`: the vault and the consent book, beside a bare mTLS echo of the same minutes.

Rounds of echo and of the thing measured alternate, so that the machine's changing speed touches
both; medians, their ratio to the echo and the CPU of vault and PostgreSQL per item are printed
(a Python client can be what bounds a rate). `make bench-deep` does it with a million subjects and
a million events.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import psutil
from rich.progress import Progress

from benchmarks import bulk, claims, echo
from benchmarks.blocks import READERS, block_seconds, middle_and_worst
from benchmarks.consent_state import state_seconds
from benchmarks.measure import Round, load_round, within, work_round
from benchmarks.report import Figure, against, middle, show
from benchmarks.rewrap import rewrap_rate
from benchmarks.suite import RunningSuite, running_suite
from benchmarks.vault_calls import FIND, READ, Batches, finds, order, reads

_SAMPLE = 2_000
# So many claims stand when the planner counts its tables, as it does within a minute.
_FILED_FIRST = 64


@dataclass(frozen=True)
class Bench:
    """What every measurement needs. `servers` are the vault and PostgreSQL."""

    options: argparse.Namespace
    suite: RunningSuite
    servers: tuple[psutil.Process, psutil.Process]
    echo_target: str
    echo_server: psutil.Process
    progress: Progress

    def load(self, path: str, payloads: list[bytes], seconds: float) -> Round:
        """A round of calls to the vault."""
        told = order(
            self.suite, path, payloads, concurrency=self.options.concurrency, seconds=seconds
        )
        return load_round(told, self.servers)

    def echo(self, payloads: list[bytes]) -> Round:
        """A round of the same bytes to the echo."""
        told = order(
            self.suite,
            echo.PATH,
            payloads,
            concurrency=self.options.concurrency,
            seconds=self.options.seconds,
        )
        return load_round(told | {"target": self.echo_target}, [self.echo_server])


def main() -> int:
    """Measure and print; returns 1 where calls failed."""
    options = _options()
    with running_suite() as suite, Progress() as progress:
        vault = psutil.Process(suite.run["processes"]["vault"]["pid"])
        postgres = psutil.Process(suite.run["postgres"]["pid"])
        suite.post("privacyOfficer", "/v1/policies", {"texts": [bulk.POLICY]})
        stores = bulk.Stores.of(suite)
        with _echo_server(suite) as (target, server):
            bench = Bench(options, suite, (vault, postgres), target, server, progress)
            figures = _measure(bench, stores)
        conditions = (
            f"{options.concurrency} concurrent; fsync {bulk.fsync_of(stores)}; "
            f"{psutil.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        )
        stores.close()
    show(figures, conditions)
    return 1 if any(figure.failures for figure in figures) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--few", type=int, default=2_000, help="subjects at first")
    parser.add_argument("--subjects", type=int, default=20_000, help="subjects in the end")
    parser.add_argument("--events", type=int, default=100_000, help="events of one subject")
    parser.add_argument("--blocks", type=int, default=100)
    parser.add_argument("--filed", type=int, default=3_000, help="claims filed, in all rounds")
    parser.add_argument("--claims", type=int, default=1_000_000, help="claims of the due list")
    return parser.parse_args()


def _measure(bench: Bench, stores: bulk.Stores) -> list[Figure]:
    options = bench.options
    subjects = _loaded(bench, stores, 0, options.few)
    small = _flatness(bench, subjects)
    subjects += _loaded(bench, stores, options.few, options.subjects)
    large = _flatness(bench, subjects)
    figures = [_single_reads(bench, subjects), *_batches(bench, subjects)]
    grown = f"from {options.few:,} to {options.subjects:,} subjects"
    for name in ("find", "read"):
        ratio = large[name].rate / small[name].rate * small["echo"].rate / large["echo"].rate
        figures.append(
            Figure(
                f"{name}, {grown}",
                f"{small[name].p50:.1f} → {large[name].p50:.1f} ms, rate × {ratio:.2f}",
                "× 0.8 to 1.25, to the echo",
                ratio >= 0.8,
                cpu=large[name].cpu,
                failures=small[name].failures + large[name].failures,
            )
        )
    figures += [*_claims(bench, subjects)]
    figures += [_states(bench), *_blocks(bench, subjects), _rewrap(bench, stores, len(subjects))]
    rss = bench.servers[0].memory_info().rss / 1e6
    figures.append(
        Figure(
            f"vault's memory, {options.subjects:,} subjects stored",
            f"{rss:.0f} MB RSS",
            "below 150 MB",
            rss < 150,
        )
    )
    return figures


def _loaded(bench: Bench, stores: bulk.Stores, first: int, last: int) -> list[str]:
    task = bench.progress.add_task(f"storing {last:,} subjects", total=last - first)
    loaded = bulk.load(stores, first, last, lambda n: bench.progress.advance(task, n))
    bulk.analyze(bench.suite)
    return loaded


def _rounds(bench: Bench, name: str) -> Iterator[int]:
    task = bench.progress.add_task(name, total=bench.options.rounds)
    for number in range(bench.options.rounds):
        yield number
        bench.progress.advance(task)


def _sample(subjects: list[str]) -> list[str]:
    return random.sample(subjects, min(_SAMPLE, len(subjects)))


def _flatness(bench: Bench, subjects: list[str]) -> dict[str, Round]:
    """Echo, find and read with as many subjects as there are."""
    found: dict[str, list[Round]] = {"echo": [], "find": [], "read": []}
    for _ in _rounds(bench, f"find and read among {len(subjects):,}"):
        some = random.sample(range(len(subjects)), min(_SAMPLE, len(subjects)))
        asked = reads([subjects[number] for number in some])
        found["echo"].append(bench.echo(asked))
        found["find"].append(bench.load(FIND, finds(some), bench.options.seconds / 2))
        found["read"].append(bench.load(READ, asked, bench.options.seconds / 2))
    return {name: middle(rounds) for name, rounds in found.items()}


def _single_reads(bench: Bench, subjects: list[str]) -> Figure:
    echoes, measured = [], []
    for _ in _rounds(bench, "single reads"):
        payloads = reads(_sample(subjects))
        echoes.append(bench.echo(payloads))
        measured.append(bench.load(READ, payloads, bench.options.seconds))
    ratio, least, greatest = against(measured, echoes)
    read, bare = middle(measured), middle(echoes)
    return Figure(
        "purpose-bound read, one by one",
        f"{read.rate:,.0f} /s",
        "0.30 of the echo",
        ratio >= 0.3,
        ratio,
        read.cpu,
        f"p50 {read.p50:.1f} ms, p99 {read.p99:.1f} ms; ratio {least:.2f} to {greatest:.2f}; "
        f"echo {bare.rate:,.0f} /s, p99 {bare.p99:.1f} ms, {bare.cpu[0]:.3f} ms of CPU; every read "
        "leaves a durable evidence entry",
        read.failures,
    )


def _batches(bench: Bench, subjects: list[str]) -> list[Figure]:
    chosen = random.sample(subjects, min(5_000, len(subjects)))
    payloads, echoes = reads(_sample(subjects)), []
    stored, read = [], []
    batches = Batches(bench.suite)
    batches.read(chosen)
    for turn in _rounds(bench, "batches of 1,000"):
        echoes.append(bench.echo(payloads))
        count = len(chosen)
        stored.append(work_round(partial(batches.store, chosen, turn), count, bench.servers))
        read.append(work_round(partial(batches.read, chosen), count, bench.servers))
    batches.close()
    return [
        _batch_figure("BatchStoreData, data changed", stored, echoes, 3_000, "subjects"),
        _batch_figure("BatchReadData", read, echoes, 10_000, "records"),
    ]


def _batch_figure(
    name: str, rounds: list[Round], echoes: list[Round], aim: int, what: str
) -> Figure:
    found = middle(rounds)
    return Figure(
        name,
        f"{found.rate:,.0f} {what}/s",
        f"{aim:,} {what}/s",
        found.rate >= aim,
        against(rounds, echoes)[0],
        found.cpu,
    )


def _claims(bench: Bench, subjects: list[str]) -> Iterator[Figure]:
    options = bench.options
    task = bench.progress.add_task("claims", total=options.rounds + 1)
    claimant = psutil.Process(bench.suite.run["processes"]["claims"]["pid"])
    chosen = random.sample(subjects, options.filed)
    first, chosen = chosen[:_FILED_FIRST], chosen[_FILED_FIRST:]
    echoes, rounds = [], []
    claims.intake(bench.suite, first, options.concurrency, ())
    bulk.analyze(bench.suite)
    for turn in range(options.rounds):
        some = chosen[turn :: options.rounds]
        echoes.append(bench.echo(reads(some)))
        servers = (claimant, *bench.servers)
        rounds.append(claims.intake(bench.suite, some, options.concurrency, servers))
        bench.progress.advance(task)
    filed = middle(rounds)
    yield Figure(
        "claims filed, each with its block in force",
        f"{filed.rate:.0f} /s",
        "150 /s",
        filed.rate >= 150 and not filed.failures,
        against(rounds, echoes)[0],
        filed.cpu[1:],
        f"p50 {filed.p50:.0f} ms, p99 {filed.p99:.0f} ms; {filed.cpu[0]:.2f} ms of CPU in the "
        "claims service; three sealed texts each, which the vault has with the answer",
        filed.failures,
    )
    few, many = claims.list_times((options.claims // 100, options.claims))
    bench.progress.advance(task)
    yield Figure(
        f"first page of the due list, {options.claims:,} claims",
        f"{few.page:.1f} → {many.page:.1f} ms",
        "below 20 ms",
        many.page < 20,
    )
    yield Figure(
        f"scan for what is due, {options.claims // 100:,} → {options.claims:,} claims",
        f"{few.scan:.2f} → {many.scan:.2f} ms",
        "× at most 1.5",
        many.scan <= 1.5 * few.scan,
        note=f"{claims.DUE} are due in both",
    )


def _states(bench: Bench) -> Figure:
    events = bench.options.events
    task = bench.progress.add_task("state at a time", total=None)
    one, many = state_seconds(events)
    bench.progress.update(task, total=1, completed=1)
    return Figure(
        f"state at a time, from 1 to {events:,} events",
        f"{1000 * one:.2f} → {1000 * many:.2f} ms, × {many / one:.2f}",
        "× 0.8 to 1.2",
        0.8 <= many / one <= 1.2,
    )


def _blocks(bench: Bench, subjects: list[str]) -> Iterator[Figure]:
    count = bench.options.blocks
    blocked = random.sample(subjects, 2 * count)
    task = bench.progress.add_task("blocks", total=2)
    metrics = bench.suite.run["processes"]["vault"]["metrics"]
    for readers, of in ((0, blocked[:count]), (READERS, blocked[count:])):
        before = within(metrics, "ApplyClaimsSlice", 0.1)
        middle_, worst = middle_and_worst(block_seconds(bench.suite, of, readers))
        every, quick = (
            now - then
            for now, then in zip(within(metrics, "ApplyClaimsSlice", 0.1), before, strict=True)
        )
        bench.progress.advance(task)
        yield Figure(
            f"a block, {readers or 'no'} readers of its subject",
            f"{100 * quick / max(1, every):.0f} % within 100 ms",
            "99 % within 100 ms" if readers else "",
            quick >= 0.99 * every if readers else None,
            note=f"in the vault; the whole claim, from HTTP until the block is in force: "
            f"p50 {middle_:.0f} ms, p99 {worst:.0f} ms",
        )


def _rewrap(bench: Bench, stores: bulk.Stores, count: int) -> Figure:
    task = bench.progress.add_task("rewrapping", total=count)
    rate = rewrap_rate(stores, lambda done: bench.progress.update(task, completed=done))
    return Figure(
        f"rewrap of {count:,} data keys", f"{rate:,.0f} keys/s", "5,000 keys/s", rate >= 5_000
    )


@contextmanager
def _echo_server(suite: RunningSuite) -> Iterator[tuple[str, psutil.Process]]:
    with tempfile.TemporaryDirectory(prefix="qb-") as folder:
        target = f"unix:{folder}/echo.sock"
        command = [sys.executable, "-m", "benchmarks.echo", target, suite.run["certificates"]]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield target, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    raise SystemExit(main())

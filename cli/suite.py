# SPDX-License-Identifier: Apache-2.0
"""The supervisor: starts the processes, starts again what ends, and ends all in order."""

import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from cli.child import Child
from cli.progress import Progress
from services.chassis.start_error import StartError

_START_SECONDS = 30.0
_MOST_DEATHS, _DEATHS_WITHIN_SECONDS = 5, 60.0
_TICK_SECONDS = 1.0
# The gateway first, that nothing new comes in; the vault last, that the others can push to it.
# Each layer has until so many seconds after the begin of the stop.
_STOP_ORDER = ((("gateway",), 5.0), (("disclosure", "claims", "consent"), 7.0), (("vault",), 8.0))
_SIGNAL_SECONDS, _KILL_SECONDS = 0.5, 5.0


class DatabaseEnded(Exception):
    """Our own PostgreSQL ended."""


class GaveUp(Exception):
    """A part ends again and again; the text says which, and quotes its log."""


class Deaths:
    """Counts how often a part ended of late."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MOST_DEATHS)

    def add(self) -> bool:
        """Notes one more; says whether that is too many."""
        self._times.append(time.monotonic())
        newest, oldest = self._times[-1], self._times[0]
        return len(self._times) == _MOST_DEATHS and newest - oldest <= _DEATHS_WITHIN_SECONDS


@dataclass
class Suite:
    """The processes of a suite in the order of their start.

    `restart_seconds` is the pause before a process that ended is started again, or "never".
    `database_lives` is asked often. `changed` is called whenever a process has another id.
    """

    children: Sequence[Child]
    progress: Progress
    restart_seconds: Literal["never"] | float
    database_lives: Callable[[], bool]
    changed: Callable[[], None]
    _wakeup: int = -1
    _due: dict[str, float] = field(default_factory=dict)
    _deaths: dict[str, Deaths] = field(default_factory=dict)

    def start(self) -> None:
        """Starts all and waits until they serve. Raises StartError with the log of one that ends.

        Call it, as all that waits, within `awake`.
        """
        for child in self.children:
            child.start()
        deadline = time.monotonic() + _START_SECONDS
        while waiting := [c for c in self.children if not c.serving]:
            if time.monotonic() > deadline:
                names = ", ".join(c.name for c in waiting)
                raise StartError(f"not serving after {_START_SECONDS:.0f} s: {names}")
            self._wait(0.2)
            for child in self.children:
                if ended := child.reap():
                    raise StartError(_with_log(f"{child.name} {ended} at its start", child))

    def watch(self) -> None:
        """Starts again what ends, for ever. Raises GaveUp and DatabaseEnded."""
        while True:
            self.tick(_TICK_SECONDS)

    def tick(self, seconds: float) -> None:
        """Waits so long at most, then sees to what ended and to what is due. Raises as `watch`."""
        self._wait(min([seconds, *(due - time.monotonic() for due in self._due.values())]))
        if not self.database_lives():
            raise DatabaseEnded
        for child in self.children:
            if ended := child.reap():
                self._ended(child, ended)
        for child in self.children:
            if self._due.get(child.name, float("inf")) <= time.monotonic():
                del self._due[child.name]
                child.start()

    def stop(self) -> None:
        """Ends all processes, the patient way first. Returns when none is left."""
        self._due.clear()
        began = time.monotonic()
        by_name = {child.name: child for child in self.children}
        for names, seconds in _STOP_ORDER:
            layer = [by_name[name] for name in names if name in by_name]
            _end(layer, signal.SIGTERM, began + seconds)
        for child in self.children:
            if child.pid is not None:
                self.progress.warn(f"{child.name} did not end in time and was killed")
        _end(self.children, signal.SIGKILL, time.monotonic() + _KILL_SECONDS)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Within, the end of a child ends a wait."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self._wakeup = read
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            self._wakeup = -1
            os.close(read)
            os.close(write)

    def _wait(self, seconds: float) -> None:
        starting = {c.ready_fd: c for c in self.children if c.ready_fd is not None}
        readable, _, _ = select.select([self._wakeup, *starting], [], [], max(0.0, seconds))
        for descriptor in readable:
            if descriptor == self._wakeup:
                os.read(self._wakeup, 512)
                continue
            child = starting[descriptor]
            child.read_ready()
            if child.serving and child.name in self._deaths:
                self.progress.say(f"{child.name} serves again (process {child.pid})", "green")
                self.changed()

    def _ended(self, child: Child, ended: str) -> None:
        deaths = self._deaths.setdefault(child.name, Deaths())
        if deaths.add():
            raise GaveUp(
                _with_log(
                    f"{child.name} {ended}, for the {_MOST_DEATHS}th time within "
                    f"{_DEATHS_WITHIN_SECONDS:.0f} s: the suite stops",
                    child,
                )
            )
        self.changed()
        if self.restart_seconds == "never":
            self.progress.warn(f"{child.name} {ended}")
            return
        self.progress.warn(f"{child.name} {ended}; it starts again in {self.restart_seconds:g} s")
        self._due[child.name] = time.monotonic() + self.restart_seconds


def _end(children: Sequence[Child], number: signal.Signals, deadline: float) -> None:
    """Sends a signal until all have ended, for one may come before a process heeds it."""
    sent = 0.0
    while any(child.pid is not None for child in children):
        now = time.monotonic()
        if now > deadline:
            return
        if now - sent > _SIGNAL_SECONDS:
            sent = now
            for child in children:
                child.send(number)
                child.send(signal.SIGCONT)
        time.sleep(0.01)
        for child in children:
            child.reap()


def _with_log(text: str, child: Child) -> str:
    lines = "".join(f"\n    {line}" for line in child.last_lines())
    return f"{text}\n  the end of {child.log}:{lines}" if lines else f"{text} (see {child.log})"

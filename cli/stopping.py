# SPDX-License-Identifier: Apache-2.0
"""How the suite is asked to stop: SIGTERM, Ctrl-C, or a terminal that closes."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(BaseException):
    """A signal asked the suite to stop. Like KeyboardInterrupt it is no error of any code."""


@contextmanager
def stopping_signals() -> Iterator[None]:
    """Within, the first stopping signal raises StopRequested; further ones do nothing."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in STOPPING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise StopRequested

    # What nohup ignores stays ignored. A shell's `&` ignores SIGINT, but whoever sends it to this
    # process by name means it.
    under_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heeded = [n for n in STOPPING_SIGNALS if not (n is signal.SIGHUP and under_nohup)]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def in_peace() -> Iterator[set[signal.Signals]]:
    """Within, stopping signals wait; yields the signal mask of before."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)
    try:
        yield {signal.Signals(number) for number in mask}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

# SPDX-License-Identifier: Apache-2.0
"""Whether every part of the suite serves; asked without a credential, answered in short time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from gateway.answer import JSON_TYPE, Answer, encode
from gateway.backend import PROCESSES, Backend

_SECONDS = 1.0
_FRESH_SECONDS = 0.5


class Health:
    """Answers /healthz. An answer stands for half a second, so that asking costs the suite little.

    `database` says, possibly blocking, whether the gateway's database answers.
    """

    def __init__(self, backend: Backend, database: Callable[[], bool], executor: Executor) -> None:
        self._backend = backend
        self._database = database
        self._executor = executor
        self._lock = asyncio.Lock()
        self._answer: tuple[float, Answer] | None = None

    async def answer(self) -> Answer:
        """200 when every part serves, 503 otherwise; the body names the parts."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            if self._answer is None or loop.time() - self._answer[0] > _FRESH_SECONDS:
                self._answer = (loop.time(), await self._ask())
            return self._answer[1]

    async def _ask(self) -> Answer:
        served = await asyncio.gather(
            *(self._backend.is_serving(process, _SECONDS) for process in PROCESSES),
            self._database_answers(),
        )
        parts = dict(zip((*PROCESSES, "gateway"), map(_word, served), strict=True))
        status = 200 if all(served) else 503
        document = {"status": _word(all(served)), "parts": parts}
        return Answer(status, {"content-type": JSON_TYPE}, encode(document))

    async def _database_answers(self) -> bool:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_SECONDS):
                return await loop.run_in_executor(self._executor, self._database)
        except TimeoutError:
            return False


def _word(serving: bool) -> str:
    return "SERVING" if serving else "NOT_SERVING"

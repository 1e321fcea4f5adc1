"""A sender that dies between sending and recording: `python -m tests.integration.webhook_child DATABASE_URL`."""

import asyncio
import os
import signal
import sys
import threading

from pydantic import SecretStr

from tests.integration.webhook_world import AT_ONCE, KEYS
from worker.moderation.settings import Settings
from worker.store.session import connect
from worker.store.webhook_queue import Leased
from worker.webhooks.post import Answer, Poster
from worker.webhooks.sender import Sender


class Mortal(Sender):
    """Sends, and is no more."""

    async def _record(self, leased: Leased, answer: Answer) -> None:
        assert answer.accepted, answer
        os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    engine = connect(Settings(database_url=SecretStr(sys.argv[1])), application="zoomin-webhooks-mortal")
    await Mortal(engine, KEYS, Poster(private_targets=True), AT_ONCE).run(threading.Event())


asyncio.run(main())

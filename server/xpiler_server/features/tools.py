"""Short questions to the engine, each asked in a process of its own: some tools and endpoints are slow to
answer."""

from __future__ import annotations

from typing import Any

from xpiler_server import protocol
from xpiler_server.engine.worker import Broken, Crashed, Worker


async def short_work(work: str, given: dict[str, Any]) -> dict[str, Any]:
    """The answer of a worker; whoever cancels the waiting ends the process. Raises Failed."""
    worker = Worker()
    try:
        answer: dict[str, Any] = await worker.ask(work, given)
        return answer
    except (Broken, Crashed) as error:
        raise protocol.Failed(str(error)) from None
    finally:
        await worker.kill()


async def compilers() -> list[str]:
    """A line for each tool, as `xpiler doctor` has it."""
    try:
        return str((await short_work("doctor", {}))["text"]).splitlines()
    except protocol.Failed as error:
        return [f"the tools could not be looked for: {error.message}"]

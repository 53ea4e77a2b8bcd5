"""Which compilers and tools there are, asked in a process of its own: some are slow to answer."""

from __future__ import annotations

from xpiler_server.engine.worker import Broken, Crashed, Worker


async def compilers() -> list[str]:
    """A line for each tool, as `xpiler doctor` has it."""
    worker = Worker()
    try:
        told: str = (await worker.ask("doctor", {}))["text"]
        return told.splitlines()
    except (Broken, Crashed) as error:
        return [f"the tools could not be looked for: {error}"]
    finally:
        await worker.kill()

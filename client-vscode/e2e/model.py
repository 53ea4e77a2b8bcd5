"""A stand-in for a language model: it refuses first, and then has the kernel as HIP. Prints its address."""

from __future__ import annotations

import re
import sys

from xpiler.bench.stand_in import Answer, Messages, StandIn


def answer(messages: Messages) -> Answer:
    """The program of the prompt with the header of HIP."""
    if not any(message["role"] == "assistant" for message in messages):
        return Answer("I would rather not.")
    asked = " ".join(message["content"] for message in messages)
    found = re.search(r"__global__ void scale\(.*?\n}\n", asked, re.S)
    program = found[0] if found else ""
    return Answer(f"```cpp\n#include <hip/hip_runtime.h>\n// as sketched\n{program}```\n")


with StandIn(answer, models=("another", "stand-in")) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()

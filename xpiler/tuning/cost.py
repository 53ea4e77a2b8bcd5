"""An analytic model of time: how long a program takes, estimated from its IR as its text is read back.

    trip counts  +  operations, vector or scalar  +  loads and stores by the level that they come from
      +  registers that are too few  +  sums that wait for themselves   -->  seconds, estimated

It orders candidates before they are measured, and stands in for a device that nobody has. It is right about
which of two programs is faster more often than not, and never a measurement: whoever shows its seconds says
`estimated`.
"""

from __future__ import annotations

from collections.abc import Callable

from xpiler.errors import Refusal
from xpiler.gate.procedure import Step
from xpiler.gate.timing import Program
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.tuning.calls import program_calls
from xpiler.tuning.cost_gpu import on_gpu
from xpiler.tuning.cost_processor import on_processor
from xpiler.tuning.cost_tasks import on_accelerator
from xpiler.tuning.machines import ACCELERATOR, GPUS, PROCESSOR

Model = Callable[[Step], float]


def estimated(program: Program) -> float:
    """Seconds of one round of all calls. Raises Refusal for what has no IR to be estimated from."""
    model = _model(platform_of(program.file, program.text))
    steps = [step for call in program_calls(program) for step in call.steps if isinstance(step, Step)]
    if not steps:
        raise Refusal("estimate", "the program is not seen to do anything")
    return sum(model(step) for step in steps)


def machine_of(platform: str) -> str:
    """What the model stands for."""
    match PLATFORMS[platform].model:
        case "serial":
            return PROCESSOR.name
        case "simt":
            return GPUS[platform].name
    return ACCELERATOR.name


def _model(platform: str) -> Model:
    match PLATFORMS[platform].model:
        case "serial":
            return lambda step: on_processor(step, PROCESSOR)
        case "simt":
            return lambda step: on_gpu(step, GPUS[platform])
    return lambda step: on_accelerator(step, ACCELERATOR)

"""One translation with a model's sketches under one strategy: did it compile, does it compute the same?

Run in a process of its own, `python -m xpiler.bench.ablation_case`: question on standard input, answer
on standard output.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

from xpiler.bench.operators import load_operators, snippet
from xpiler.bench.sketches import Sketcher, rate_of_a_sketch
from xpiler.bench.stand_in import StandIn
from xpiler.bench.targets import stated
from xpiler.errors import Refusal
from xpiler.files import read_source
from xpiler.neural.loop import Strategy, translate_with_model
from xpiler.neural.settings import Budget, Model, api_key
from xpiler.neural.steps import steps_between

STRATEGIES = {
    "one-shot": Strategy(by_passes=False, shown=0, rounds=0, repairs=False, net=False),
    "few-shot": Strategy(by_passes=False, rounds=0, repairs=False, net=False),
    "passes": Strategy(rounds=0, repairs=False, net=False),
    "passes + self-debugging": Strategy(rounds=2, repairs=False, net=False),
    "passes + solver": Strategy(rounds=2, net=False),
    "passes + solver + net": Strategy(rounds=2),
}
"""The rows of the published table, and ours: what a model is helped by."""

_PATIENCE = 3600.0
"""Seconds that the stand-in may take: it translates and injects faults, which is no time of a model's. A case
ends with its process."""
_BUDGET = Budget(tokens=2_000_000, requests=200, seconds=240.0)


@dataclass(frozen=True)
class AblationOutcome:
    """What became of a case: `compiled` by the target's compiler or emulator, `computed` the same."""

    operator: str
    source: str
    target: str
    strategy: str
    compiled: bool = False
    computed: bool = False
    sketched: bool = False
    requests: int = 0
    seconds: float = 0.0
    why: str = ""

    @property
    def direction(self) -> str:
        return f"{self.source}->{self.target}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(asked: dict[str, Any]) -> AblationOutcome:
    """Asks the stand-in, or the endpoint that is given."""
    place = (asked["operator"], asked["source"], asked["target"], asked["strategy"])
    strategy = STRATEGIES[asked["strategy"]]
    if asked.get("model"):
        model = Model(asked["model"], asked["base_url"], api_key(), budget=_BUDGET)
        return _outcome(place, model, strategy)
    wrong = asked["wrong"]
    steps = len(steps_between(asked["source"], asked["target"])) if strategy.by_passes else 1
    operator = load_operators()[asked["operator"]]
    rate = rate_of_a_sketch(wrong, steps)
    with StandIn(Sketcher(operator, asked["source"], asked["target"], rate, asked["seed"])) as server:
        # The name keeps replies apart in the cache: other rates and seeds have other sketches.
        name = f"stand-in {asked['strategy']} {wrong} {asked['seed']}"
        patient = replace(_BUDGET, seconds=_PATIENCE)
        return _outcome(place, Model(name, server.base_url, timeout=_PATIENCE, budget=patient), strategy)


def _outcome(place: tuple[str, str, str, str], model: Model, strategy: Strategy) -> AblationOutcome:
    operator = load_operators()[place[0]]
    path = snippet(operator.name, place[1])
    try:
        done = translate_with_model(
            read_source(path), str(path), place[2], model, stated(operator), strategy=strategy
        )
    except Refusal as refusal:
        return AblationOutcome(*place, why=str(refusal.diagnostic))
    rungs = done.result.evidence
    built = [rung for rung in rungs if rung.rung == "compiled"]
    failed = next((f"{rung.rung}: {rung.detail}" for rung in rungs if not rung.ok), "")
    return AblationOutcome(
        *place,
        compiled=bool(built) and all(rung.ok for rung in built),
        computed=done.result.status == "verified",
        sketched=done.sketched,
        requests=done.requests,
        seconds=done.result.seconds,
        why=failed[:300],
    )


def main() -> None:
    json.dump(measure(json.load(sys.stdin)).to_json(), sys.stdout)


if __name__ == "__main__":
    main()

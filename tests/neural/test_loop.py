"""The loop, with a real client, a real socket and a stand-in that answers as told."""

import re
import threading
import time
from pathlib import Path

import pytest

from tests.hardware import timed_with_avx512
from xpiler.bench.stand_in import Answer, Messages, StandIn
from xpiler.gate.evidence import Evidence
from xpiler.neural.client import Cancelled
from xpiler.neural.loop import Event, Strategy, Translation, translate_with_model
from xpiler.neural.settings import Budget, Model
from xpiler.repair.result import REPAIRED, Repair
from xpiler.translate import Result, Trusted

SOURCE = """#include <cuda_runtime.h>

// y = a * x + y
__global__ void axpy_kernel(float a, const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}

extern "C" void axpy(float a, const float *x, float *y, int n) {
    float *dx, *dy;
    cudaMalloc(&dx, n * sizeof(float));
    cudaMalloc(&dy, n * sizeof(float));
    cudaMemcpy(dx, x, n * sizeof(float), cudaMemcpyHostToDevice);
    cudaMemcpy(dy, y, n * sizeof(float), cudaMemcpyHostToDevice);
    axpy_kernel<<<(n + 255) / 256, 256>>>(a, dx, dy, n);
    cudaMemcpy(y, dy, n * sizeof(float), cudaMemcpyDeviceToHost);
    cudaFree(dx);
    cudaFree(dy);
}
"""
SERIAL = """extern "C" void axpy(float a, const float *x, float *y, int n) {
    for (int i = 0; i < n; ++i) y[i] = a * x[i] + y[i];
}
"""
VECTORS = """#include <immintrin.h>
extern "C" void axpy(float a, const float *x, float *y, int n) {
    const __m512 factor = _mm512_set1_ps(a);
    for (int i = 0; i < n; i += 16) {
        const __mmask16 tail = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        const __m512 sum = _mm512_fmadd_ps(factor, _mm512_maskz_loadu_ps(tail, x + i),
        _mm512_maskz_loadu_ps(tail, y + i)); _mm512_mask_storeu_ps(y + i, tail, sum);
    }
}
"""
WRONG = VECTORS.replace("(1u << (n - i)) - 1", "(1u << (n - i))")
BARE = Strategy(net=False, rounds=0, repairs=False)


@pytest.fixture(autouse=True)
def fresh_replies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies of another test are no replies; compiled runners may be shared."""
    monkeypatch.setattr("xpiler.neural.client._kept", lambda name: None)
    monkeypatch.setattr("xpiler.neural.client._keep", lambda name, reply: None)


def fenced(program: str) -> Answer:
    return Answer(f"Of course:\n```cpp\n{program}```\n")


def by_title(**programs: str | list[str]):
    """Answers by the prompt's pass; a list gives one program a round."""

    def answer(messages: Messages) -> Answer:
        title = re.search(r"^# (.+)$", messages[1]["content"], re.M)
        assert title
        found = programs[title[1].lower().replace(" ", "_")]
        rounds = sum(m["role"] == "assistant" for m in messages)
        program = found if isinstance(found, str) else found[min(rounds, len(found) - 1)]
        return fenced(program)

    return answer


def translate(answer, strategy: Strategy | None = None, **options: object) -> tuple[Translation, StandIn]:
    with StandIn(answer) as server:
        model = Model("stand-in", server.base_url, timeout=30.0, retries=0, **options.pop("model", {}))  # type: ignore[arg-type]
        done = translate_with_model(SOURCE, "axpy.cu", "vnni", model, strategy=strategy, **options)  # type: ignore[arg-type]
    return done, server


def story(translation: Translation) -> list[tuple[str, str]]:
    return [(event.step, event.what) for event in translation.events]


def test_right_sketches_become_the_translation_and_the_evidence_says_so() -> None:
    done, _ = translate(by_title(loop_recovery=SERIAL, tensorize=VECTORS), Strategy(net=False))
    assert done.result.status == "verified"
    assert done.sketched and done.result.text == VECTORS.rstrip("\n") + "\n"
    assert story(done) == [
        ("loop_recovery", "sketched"),
        ("loop_recovery", "accepted"),
        ("tensorize", "sketched"),
        ("tensorize", "accepted"),
    ]
    (told,) = [rung for rung in done.result.evidence if rung.tool == "model"]
    assert told.detail == "sketched by stand-in: loop_recovery, tensorize"


def test_a_wrong_sketch_goes_back_with_the_values_that_show_it() -> None:
    done, server = translate(
        by_title(loop_recovery=SERIAL, tensorize=[WRONG, VECTORS]), Strategy(net=False, repairs=False)
    )
    assert done.result.status == "verified"
    assert ("tensorize", "failed") in story(done)
    *_, back = server.asked[-1]
    assert "The program is not right yet." in back["content"]
    assert re.search(r"y\[\d+\]|outside", back["content"])


def test_a_repaired_sketch_is_accepted_without_another_question() -> None:
    def repairer(trusted: Trusted, source: str, target: str, file: str, wrong: Result) -> Repair:
        return Repair(REPAIRED, VECTORS)

    done, server = translate(
        by_title(loop_recovery=SERIAL, tensorize=WRONG), Strategy(net=False), repairer=repairer
    )
    assert done.result.status == "verified"
    assert ("tensorize", "repaired") in story(done)
    assert len(server.asked) == 2


def test_the_solver_mends_a_sketch() -> None:
    wrong = SERIAL.replace("i < n", "i < n - 1")
    done, server = translate(by_title(loop_recovery=wrong, tensorize=VECTORS), Strategy(net=False))
    assert done.result.status == "verified"
    assert ("loop_recovery", "repaired") in story(done)
    assert len(server.asked) == 2


def test_a_repair_that_does_not_hold_is_no_repair() -> None:
    done, _ = translate(
        by_title(loop_recovery=SERIAL, tensorize=WRONG),
        Strategy(net=False, rounds=0),
        repairer=lambda *given: Repair(REPAIRED, WRONG + "\n"),
    )
    assert story(done)[-1] == ("tensorize", "failed")


def test_where_no_sketch_holds_the_engine_is_the_net() -> None:
    done, _ = translate(
        by_title(loop_recovery="int axpy;", tensorize=WRONG), Strategy(rounds=0, repairs=False)
    )
    assert done.result.status == "verified"
    assert not done.sketched
    assert ("loop_recovery", "net") in story(done)
    assert story(done)[-1] == ("result", "net")


def test_without_the_net_a_wrong_sketch_stays_unverified() -> None:
    wrong = SERIAL.replace("i < n", "i < n - 1")
    done, _ = translate(by_title(loop_recovery=wrong), BARE)
    assert done.result.status == "unverified"
    assert done.result.text is not None


@timed_with_avx512
def test_the_faster_of_two_right_programs_wins() -> None:
    waits = "    for (volatile int k = 0; k < 40000000; ++k) {}\n"
    slow = SERIAL.replace("{\n", "{\n" + waits, 1)
    done, _ = translate(by_title(loop_recovery=SERIAL, tensorize=slow))
    assert done.result.status == "verified"
    assert not done.sketched
    assert any(e.what == "chosen" and "times as fast" in e.detail for e in done.events)


def test_a_used_up_budget_leaves_the_rest_to_the_engine() -> None:
    done, server = translate(
        by_title(loop_recovery=SERIAL, tensorize=VECTORS), model={"budget": Budget(requests=1)}
    )
    assert done.result.status == "verified"
    assert len(server.asked) == 1
    assert ("tensorize", "skipped") in story(done)


def test_an_endpoint_that_fails_costs_the_sketch_not_the_translation() -> None:
    done, _ = translate(lambda messages: Answer(status=500))
    assert done.result.status == "verified"
    assert ("loop_recovery", "skipped") in story(done)


def test_without_the_net_it_is_told_why_there_is_no_sketch() -> None:
    done, _ = translate(lambda messages: Answer(status=500), BARE)
    assert done.result.status == "unverified" and done.result.text is None
    why = Evidence(done.result.evidence).why_unverified()
    assert "no sketch could be used: loop recovery: " in why and "500" in why


def test_who_cancels_a_translation_does_not_wait_for_the_answer() -> None:
    stop = threading.Event()
    asked: list[float] = []

    def answer(messages: Messages) -> Answer:
        asked.append(time.monotonic())
        stop.set()
        return Answer("late", pause=60)

    with pytest.raises(Cancelled):
        translate(answer, cancelled=stop.is_set)
    assert time.monotonic() - asked[0] < 20


def test_events_are_told_as_they_happen() -> None:
    told: list[Event] = []
    done, _ = translate(by_title(loop_recovery=SERIAL, tensorize=VECTORS), on_event=told.append)
    assert tuple(told) == done.events

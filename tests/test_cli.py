"""The command line as a user meets it: exit codes, messages, files; hostile and broken input above all."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xpiler.cli import main

ADD = """\
__global__ void add(const float *a, const float *b, float *c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}
"""
LAUNCH = 'extern "C" void run(const float *a, float *c, int n) { k<<<(n + 63) / 64, 64>>>(a, c, n); }\n'


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def translate(
    capsys: pytest.CaptureFixture[str], folder: Path, text: str, to: str = "hip"
) -> tuple[int, dict[str, object]]:
    source = folder / "k.cu"
    source.write_text(text)
    code, out, _ = run(capsys, "translate", source, "--to", to, "-o", folder / f"k.{to}", "--json")
    document = json.loads(out)
    assert isinstance(document, dict)
    return code, document


def messages(document: dict[str, object]) -> str:
    return json.dumps([document["diagnostics"], document["evidence"]])


# ------------------------------------------------------------------------------------------- what goes well


@pytest.mark.parametrize("to", ["hip", "vnni"])
def test_a_verified_translation_is_written_and_reported_as_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, to: str
) -> None:
    code, document = translate(capsys, tmp_path, ADD, to)
    assert (code, document["status"]) == (0, "verified")
    assert document["output"] == str(tmp_path / f"k.{to}")
    assert (tmp_path / f"k.{to}").read_text()
    assert set(document) == {"status", "output", "entries", "evidence", "diagnostics", "seconds"}
    rungs = document["evidence"]
    assert isinstance(rungs, list)
    assert all(set(rung) == {"rung", "ok", "tool", "detail", "seconds"} for rung in rungs)


def test_a_folder_is_translated_with_a_summary(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "add.cu").write_text(ADD)
    (tmp_path / "in" / "deep" / "bad.cu").write_text(
        "__global__ void k(float *x) { goto out; out: x[0] = 1; }\n"
    )
    code, out, err = run(capsys, "translate", tmp_path / "in", "--to", "hip", "-o", tmp_path / "out")
    assert code == 2
    assert "2 files: 1 verified, 0 unverified, 1 refused" in out
    assert "bad.cu:1:" in err
    assert [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()] == ["add.hip"]


def test_host_code_beside_device_code_is_left_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "add.cu").write_text(ADD)
    (tmp_path / "main.cpp").write_text("int main() { return 0; }\n")
    code, out, err = run(capsys, "translate", tmp_path, "--to", "hip", "-o", tmp_path / "out")
    assert code == 0 and "1 files: 1 verified" in out
    assert "main.cpp: host code in C or C++, left as it is" in err.replace("\n", "")
    (tmp_path / "add.cu").unlink()  # alone it is what is asked about
    assert run(capsys, "translate", tmp_path, "--to", "hip", "-o", tmp_path / "out")[0] == 2


def test_a_file_is_read_as_its_build_reads_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers" / "norm.cuh").write_text(
        "template <int N> __global__ void unused(float *x) { x[threadIdx.x] = N; }\n"
        "__device__ float scaled(float x) { return SCALE * x; }\n"
    )
    (tmp_path / "k.cu").write_text(
        "#include <norm.cuh>\n__global__ void k(float *y, const float *x, int n) {\n"
        "  int i = blockIdx.x * 64 + threadIdx.x;\n  if (i < n) y[i] = scaled(x[i]);\n}\n"
        "void run(float *y, const float *x, int n) { k<<<(n + 63) / 64, 64>>>(y, x, n); }\n"
    )
    build = ("-I", tmp_path / "headers", "-DSCALE=2.5f")
    code, _, err = run(capsys, "translate", tmp_path / "k.cu", "--to", "hip", *build)
    assert code == 0, err
    assert "#define SCALE 2.5f" in (tmp_path / "k.hip").read_text()
    assert run(capsys, "check", tmp_path / "k.cu", *build)[0] == 0
    assert run(capsys, "check", tmp_path / "k.cu")[0] == 2  # nothing is kept from one command to the next
    code, _, err = run(capsys, "check", tmp_path / "k.cu", "-I", tmp_path / "absent")
    assert code == 2 and "there is no such folder" in err
    code, _, err = run(capsys, "check", tmp_path / "k.cu", "-D", "3=4")
    assert code == 2 and "a macro needs a name" in err


def test_doctor_names_the_tools(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    assert "g++" in out


def test_show_prints_the_ir(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "k.cu").write_text(ADD)
    for form in ("--ir", "--canonical"):
        code, out, _ = run(capsys, "show", form, tmp_path / "k.cu")
        assert code == 0
        assert "add" in out


# ------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "this file is empty"),
        ("// nothing here\n", "no __global__ kernel"),
        (ADD.replace("if (i < n)", "if (i < n"), "k.cu"),
        ('__global__ void k(float *x) { asm volatile("mov.u32 %0, %laneid;" : : ); x[0] = 1; }\n', "PTX"),
        (
            "__device__ int f(int n) { return n ? f(n - 1) : 0; }\n"
            "__global__ void k(int *x) { x[0] = f(3); }\n",
            "recurs",
        ),
    ],
    ids=["empty", "comment", "unbalanced", "ptx", "recursion"],
)
def test_what_cannot_be_handled_is_refused_with_a_reason_and_nothing_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, expected: str
) -> None:
    code, document = translate(capsys, tmp_path, text)
    assert (code, document["status"], document["output"]) == (2, "refused", None)
    assert expected in messages(document)
    assert [p.name for p in tmp_path.iterdir()] == ["k.cu"]


def test_a_binary_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "k.cu").write_bytes(bytes(range(256)))
    code, _, err = run(capsys, "translate", tmp_path / "k.cu", "--to", "hip")
    assert code == 2
    assert "binary file" in err


def test_a_statement_about_no_parameter_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "k.cu").write_text(ADD)
    code, _, err = run(capsys, "translate", tmp_path / "k.cu", "--to", "hip", "--arg", "q=3")
    assert code == 2
    assert "'q'" in err and "parameters: a, b, c, n" in err


def test_each_overload_of_an_entry_is_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    body = "{ add<<<1, 64>>>(a, a, c, (int)n); }\n"
    hosts = "".join(f"void f(const float *a, float *c, {n} n) {body}" for n in ("int", "long"))
    code, document = translate(capsys, tmp_path, ADD + hosts)
    assert code == 0
    assert [(e["name"], e["status"]) for e in document["entries"]] == [("f", "verified"), ("f", "verified")]


def test_a_missing_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "translate", tmp_path / "absent.cu", "--to", "hip")
    assert code == 2
    assert "absent.cu" in err


def test_a_launch_that_nothing_tells_is_asked_for_where_it_becomes_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = "__global__ void k(float *x) { x[blockIdx.x * 64 + threadIdx.x] += 1.0f; }\n"
    code, document = translate(capsys, tmp_path, text, "vnni")
    assert code == 2
    assert "--grid" in messages(document)
    assert translate(capsys, tmp_path, text, "hip")[0] == 0


def test_a_stated_grid_makes_a_kernel_without_launch_translatable(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "k.cu").write_text(
        "__global__ void k(float *x) { x[blockIdx.x * 64 + threadIdx.x] += 1.0f; }\n"
    )
    words = ["translate", tmp_path / "k.cu", "--to", "vnni", "--grid", "5", "--block", "64"]
    code, out, err = run(capsys, *words)
    assert code == 0, out + err


@pytest.mark.parametrize("to", ["hip", "vnni"])
def test_one_bad_kernel_does_not_spoil_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, to: str
) -> None:
    text = (
        ADD
        + '__global__ void bad(float *c) { asm volatile("bar.sync 0;"); c[0] = 1; }\n'
        + 'extern "C" void good(const float *a, const float *b, float *c, int n) '
        + "{ add<<<(n + 63) / 64, 64>>>(a, b, c, n); }\n"
        + 'extern "C" void spoilt(float *c) { bad<<<1, 1>>>(c); }\n'
    )
    code, document = translate(capsys, tmp_path, text, to)
    assert code == 1
    entries = document["entries"]
    assert isinstance(entries, list)
    assert {entry["name"]: entry["status"] for entry in entries} == {"good": "verified", "spoilt": "refused"}
    assert "bar.sync" not in (tmp_path / f"k.{to}.unverified").read_text()


# ---------------------------------------------------------------------------------- programs that misbehave


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("while (n >= 0) c[i] = a[i];", "never ends"),
        ("int *wild = (int *)0; if (i < n) { c[i] = a[i]; *wild = 1; }", "null"),
        ("if (i <= n) c[i + 1000000000] = a[i];", "c["),
        (
            "__shared__ float s[64]; s[threadIdx.x] = a[i < n ? i : 0]; "
            "if (i < n) c[i] = s[63 - threadIdx.x];",
            "race",
        ),
        ("if (i < n) c[i / 2] = i;", "race"),
        ("__shared__ float s[64]; if (i < n) c[i] = s[threadIdx.x];", "before anything was written"),
        ("if (threadIdx.x < 16) __syncthreads(); if (i < n) c[i] = a[i]; __syncthreads();", "barrier"),
    ],
    ids=["hang", "null", "out-of-bounds", "shared-race", "global-race", "uninitialised", "divergence"],
)
def test_a_wrong_source_is_never_called_verified(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, body: str, expected: str
) -> None:
    kernel = (
        "__global__ void k(const float *a, float *c, int n) {\n"
        f"  int i = blockIdx.x * blockDim.x + threadIdx.x;\n  {body}\n}}\n"
    )
    code, document = translate(capsys, tmp_path, kernel + LAUNCH)
    assert code in (1, 2)
    assert document["status"] != "verified"
    assert expected in messages(document)
    assert not (tmp_path / "k.hip").exists()


def test_an_unverified_result_is_kept_beside_its_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kernel = "__global__ void k(const float *a, float *c, int n) {\n  c[threadIdx.x / 2] = threadIdx.x;\n}\n"
    code, document = translate(capsys, tmp_path, kernel + LAUNCH)
    assert code == 1
    assert document["output"] == str(tmp_path / "k.hip.unverified")
    assert (tmp_path / "k.hip.unverified").exists()


def test_a_translation_never_takes_the_place_of_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "scale.cpp"
    text = "#include <hip/hip_runtime.h>\n__global__ void k(float *x) { x[threadIdx.x] = 1; }\n"
    source.write_text(text)
    assert main(["translate", str(source), "--to", "vnni"]) == 2
    assert "is the source itself" in capsys.readouterr().err
    assert source.read_text() == text


# ------------------------------------------------------------------------------------------------ cancelling


def test_a_benchmark_that_is_told_to_end_ends_its_case_first(tmp_path: Path) -> None:
    """The case's process is the leader of a session of its own, which no signal to its parent reaches."""
    words = ["bench", "accuracy", "--ops", "gemm", "--from", "cuda", "--to", "vnni", "--json"]
    bench = subprocess.Popen(
        [sys.executable, "-m", "xpiler.cli", *words, str(tmp_path / "out.json")], stderr=subprocess.PIPE
    )
    case = started_by(bench)
    bench.terminate()
    _, said = bench.communicate(timeout=30)
    assert (bench.returncode, b"cancelled" in said) == (130, True)
    assert not Path(f"/proc/{case}").exists()
    assert not (tmp_path / "out.json").exists()


def started_by(process: subprocess.Popen[bytes]) -> int:
    """The first process that it starts, once it is there."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for children in Path(f"/proc/{process.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for child in children.read_text().split():
                    if b"xpiler.bench.case" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return int(child)
        time.sleep(0.02)
    raise AssertionError("no process was started")


def test_a_reader_that_has_seen_enough_gets_no_traceback(tmp_path: Path) -> None:
    source = tmp_path / "k.cu"
    source.write_text(ADD)
    command = [sys.executable, "-m", "xpiler", "show", "--canonical", str(source)]
    shown = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert shown.stdout is not None and shown.stderr is not None
    shown.stdout.close()
    assert shown.stderr.read() == b""
    assert shown.wait() == 141


def test_a_fault_of_xpiler_itself_is_a_message_and_spoils_no_other_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> object:
        raise OverflowError("too large for a float")

    monkeypatch.setattr("xpiler.passes.canonical.canonicalise", fails)
    monkeypatch.setattr("xpiler.routes.validated.canonicalise", fails)
    (tmp_path / "a.cu").write_text(ADD)
    (tmp_path / "empty.cu").write_text("")
    code, out, err = run(capsys, "translate", tmp_path / "a.cu", "--to", "vnni", "-o", tmp_path / "a.cpp")
    assert code == 2 and "Traceback" not in out + err
    told = " ".join(err.split())
    assert (
        "a.cu:1:1: error: xpiler itself failed: OverflowError: too large for a float; report it with" in told
    )
    kept = Path(told.split(" and ")[-1].split(" ")[0])
    assert "in fails" in kept.read_text()
    kept.unlink()
    assert not (tmp_path / "a.cpp").exists()
    code, out, _ = run(capsys, "translate", tmp_path, "--to", "vnni", "-o", tmp_path / "out", "--json")
    codes = [document["diagnostics"][0]["code"] for document in json.loads(out)]
    assert (code, codes) == (2, ["internal-error", "no-kernel"])


def test_the_package_can_be_run() -> None:
    ran = subprocess.run([sys.executable, "-m", "xpiler", "--version"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.split()[0]) == (0, "xpiler")

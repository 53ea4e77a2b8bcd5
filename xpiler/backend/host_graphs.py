"""CUDA graphs in host code that becomes C++: what is enqueued while a stream is captured is kept as calls.

    cudaStreamBeginCapture(stream, mode);
    k<<<grid, block, 0, stream>>>(x, n);   -->   enqueue_work([](auto... given) { k(given...); }, grid, ...);
    cudaStreamEndCapture(stream, &graph);

Arguments are taken when the work is enqueued, as a graph does. Only the work of captured streams may be
enqueued in the meantime, so there is no need to tell streams apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from xpiler.backend.hip_source import SourceText

_ENQUEUED = ("cudaMemcpyAsync", "cudaMemsetAsync", "cudaMemcpy2DAsync", "cudaMemset2DAsync")

GRAPH_SHIMS: tuple[tuple[str, str], ...] = (
    (
        "enqueue_work captured_work cudaStreamBeginCapture cudaStreamEndCapture cudaStreamIsCapturing "
        "cudaStreamCaptureMode cudaStreamCaptureModeGlobal cudaStreamCaptureModeThreadLocal "
        "cudaStreamCaptureModeRelaxed cudaStreamCaptureStatus cudaStreamCaptureStatusNone "
        "cudaStreamCaptureStatusActive cudaGraph_t cudaGraphExec_t cudaGraphNode_t cudaGraphInstantiate "
        "cudaGraphInstantiateWithFlags cudaGraphLaunch cudaGraphUpload cudaGraphDestroy cudaGraphExecDestroy",
        """\
// A graph is the work that was enqueued while a stream was captured.
typedef std::vector<std::function<void()>> *cudaGraph_t, *cudaGraphExec_t;
typedef std::function<void()> *cudaGraphNode_t;
enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal,
    cudaStreamCaptureModeThreadLocal,
    cudaStreamCaptureModeRelaxed
};
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive };
static cudaGraph_t captured_work;
template <class Work, class... Given>
static inline cudaError_t enqueue_work(Work work, Given... given) {
    if (captured_work) captured_work->push_back([=] { work(given...); });
    else work(given...);
    return cudaSuccess;
}
template <class Stream>
static inline cudaError_t cudaStreamBeginCapture(Stream, cudaStreamCaptureMode) {
    if (captured_work) return cudaErrorInvalidValue;
    captured_work = new std::vector<std::function<void()>>;
    return cudaSuccess;
}
template <class Stream>
static inline cudaError_t cudaStreamEndCapture(Stream, cudaGraph_t *graph) {
    if (!captured_work) return cudaErrorInvalidValue;
    *graph = captured_work;
    captured_work = nullptr;
    return cudaSuccess;
}
template <class Stream>
static inline cudaError_t cudaStreamIsCapturing(Stream, cudaStreamCaptureStatus *status) {
    *status = captured_work ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
template <class... Options>
static inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, Options...) {
    *executable = new std::vector<std::function<void()>>(*graph);
    return cudaSuccess;
}
static inline cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *executable, cudaGraph_t graph,
                                                        unsigned long long) {
    return cudaGraphInstantiate(executable, graph);
}
template <class Stream>
static inline cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, Stream) {
    if (captured_work) captured_work->insert(captured_work->end(), executable->begin(), executable->end());
    else for (auto &work : *executable) work();
    return cudaSuccess;
}
template <class Stream>
static inline cudaError_t cudaGraphUpload(cudaGraphExec_t, Stream) { return cudaSuccess; }
static inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
static inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return cudaGraphDestroy(graph); }""",
    ),
)


def captures(text: str) -> bool:
    return re.search(r"\bcudaStreamBeginCapture\b", text) is not None


def enqueued(callee: str, arguments: Iterable[str]) -> str:
    """A call that waits in a graph while one is captured."""
    return f"enqueue_work({', '.join([_calls(callee), *arguments])})"


def copy_edits(source: SourceText) -> Iterable[tuple[int, int, str]]:
    """Copies that are enqueued, in a text that captures graphs."""
    if not captures(source.text):
        return
    for i, token in source.names():
        if token.text in _ENQUEUED and source.tokens[i + 1].text == "(":
            yield token.start, source.tokens[i + 1].end, f"enqueue_work({_calls(token.text)}, "


def _calls(callee: str) -> str:
    return f"[](auto... given) {{ {callee}(given...); }}"

"""Streams that are captured: what is enqueued runs when the graph is launched, as often as it is launched."""

from __future__ import annotations

from pathlib import Path

from tests.emulators.running import run_program

PROGRAM = r"""
#include <cuda_runtime.h>
#include <cstdio>
__global__ void add(int *x, int by) { x[threadIdx.x] += by; }
__global__ void twice(int *x) { x[threadIdx.x] *= 2; }
static void count(void *calls) { ++*(int *)calls; }
int main() {
    int *x, *y, h[4], calls = 0, by = 3;
    cudaMalloc(&x, 16);
    cudaMalloc(&y, 16);
    cudaMemset(x, 0, 16);
    cudaStream_t one, two;
    cudaStreamCreate(&one);
    cudaStreamCreate(&two);
    cudaEvent_t fork, join;
    cudaEventCreate(&fork);
    cudaEventCreate(&join);
    cudaGraph_t graph;
    cudaGraphExec_t run;
    cudaStreamBeginCapture(one, cudaStreamCaptureModeGlobal);
    add<<<1, 4, 0, one>>>(x, by);
    by = 100;  // the graph keeps what was given
    cudaEventRecord(fork, one);
    cudaStreamWaitEvent(two, fork, 0);
    twice<<<1, 4, 0, two>>>(x);
    cudaEventRecord(join, two);
    cudaStreamWaitEvent(one, join, 0);
    void *arguments[] = {&x};
    cudaLaunchKernel(twice, dim3(1), dim3(4), arguments, 0, one);
    cudaMemcpyAsync(y, x, 16, cudaMemcpyDeviceToDevice, one);
    cudaLaunchHostFunc(one, count, &calls);
    cudaStreamCaptureStatus status;
    cudaStreamIsCapturing(two, &status);
    printf("%d", status == cudaStreamCaptureStatusActive);
    cudaStreamEndCapture(one, &graph);
    size_t nodes = 0;
    cudaGraphGetNodes(graph, nullptr, &nodes);
    cudaMemcpy(h, x, 16, cudaMemcpyDeviceToHost);
    printf(" %d %d %zu", h[3], calls, nodes);
    cudaGraphInstantiate(&run, graph, NULL, NULL, 0);
    cudaGraphDestroy(graph);
    cudaGraphLaunch(run, one);
    cudaGraphLaunch(run, two);
    cudaMemcpy(h, y, 16, cudaMemcpyDeviceToHost);
    printf(" %d %d", h[3], calls);
    printf(" %d\n", cudaStreamEndCapture(one, &graph) == cudaErrorInvalidValue);
    cudaGraphExecDestroy(run);
}
"""


def test_a_graph_does_what_was_enqueued_each_time_it_is_launched(tmp_path: Path) -> None:
    """3 * 4 = 12 after the first launch, (12 + 3) * 4 = 60 after the second; nothing during the capture."""
    result = run_program(PROGRAM, tmp_path)
    assert result.output == "1 0 0 5 60 2 1\n", result

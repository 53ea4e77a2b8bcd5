// Graphs that are captured from streams.
#pragma once

#include "api.hpp"

enum XPEMU_P(StreamCaptureMode) {
    XPEMU_P(StreamCaptureModeGlobal) = 0,
    XPEMU_P(StreamCaptureModeThreadLocal) = 1,
    XPEMU_P(StreamCaptureModeRelaxed) = 2
};
enum XPEMU_P(StreamCaptureStatus) {
    XPEMU_P(StreamCaptureStatusNone) = 0,
    XPEMU_P(StreamCaptureStatusActive) = 1,
    XPEMU_P(StreamCaptureStatusInvalidated) = 2
};
typedef xpemu::Graph* XPEMU_P(Graph_t);
typedef xpemu::Graph* XPEMU_P(GraphExec_t);
typedef xpemu::GraphNode* XPEMU_P(GraphNode_t);

XPEMU_STATUS XPEMU_P(StreamBeginCapture)(XPEMU_P(Stream_t) stream, XPEMU_P(StreamCaptureMode)) {
    if (!stream || xpemu::graph_of(stream)) return xpemu::fail(XPEMU_P(ErrorInvalidValue));
    xpemu::begin_capture(stream, new xpemu::Graph);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(StreamEndCapture)(XPEMU_P(Stream_t) stream, XPEMU_P(Graph_t) * graph) {
    if (!graph || !xpemu::graph_of(stream)) return xpemu::fail(XPEMU_P(ErrorInvalidValue));
    *graph = xpemu::graph_of(stream);
    xpemu::end_captures(*graph);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(StreamIsCapturing)(XPEMU_P(Stream_t) stream, XPEMU_P(StreamCaptureStatus) * status) {
    *status = xpemu::graph_of(stream) ? XPEMU_P(StreamCaptureStatusActive) : XPEMU_P(StreamCaptureStatusNone);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(GraphInstantiateWithFlags)(XPEMU_P(GraphExec_t) * executable, XPEMU_P(Graph_t) graph, unsigned long long) {
    if (!executable || !graph) return xpemu::fail(XPEMU_P(ErrorInvalidValue));
    *executable = new xpemu::Graph(*graph);
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(GraphInstantiate)(XPEMU_P(GraphExec_t) * executable, XPEMU_P(Graph_t) graph, XPEMU_P(GraphNode_t) *, char*,
                                       std::size_t) {
    return XPEMU_P(GraphInstantiateWithFlags)(executable, graph, 0);
}
#if XPEMU_WARP != 64
XPEMU_STATUS cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags = 0) {
    return cudaGraphInstantiateWithFlags(executable, graph, flags);
}
#endif
XPEMU_STATUS XPEMU_P(GraphLaunch)(XPEMU_P(GraphExec_t) executable, XPEMU_P(Stream_t) stream) {
    if (!executable) return xpemu::fail(XPEMU_P(ErrorInvalidValue));
    if (!xpemu::keep(stream, [nodes = *executable] { nodes.run(); })) executable->run();
    return static_cast<XPEMU_P(Error_t)>(xpemu::last_error);
}
XPEMU_STATUS XPEMU_P(GraphUpload)(XPEMU_P(GraphExec_t), XPEMU_P(Stream_t)) { return xpemu::success; }
XPEMU_STATUS XPEMU_P(GraphGetNodes)(XPEMU_P(Graph_t) graph, XPEMU_P(GraphNode_t) * nodes, std::size_t* count) {
    const std::size_t room = nodes ? *count : 0;
    for (std::size_t i = 0; i < room && i < graph->nodes.size(); ++i) nodes[i] = &graph->nodes[i];
    *count = graph->nodes.size();
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(GraphDestroy)(XPEMU_P(Graph_t) graph) {
    delete graph;
    return xpemu::success;
}
XPEMU_STATUS XPEMU_P(GraphExecDestroy)(XPEMU_P(GraphExec_t) executable) {
    delete executable;
    return xpemu::success;
}

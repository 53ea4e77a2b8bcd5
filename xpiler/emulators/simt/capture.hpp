// Work of streams that is captured in a graph instead of being done.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

namespace xpemu {

struct GraphNode {
    std::function<void()> run;
};
struct Graph {
    std::vector<GraphNode> nodes;  // in the order in which they were enqueued, which is one that they may run in
    void run() const {
        for (const GraphNode& node : nodes) node.run();
    }
};

struct Capture {
    const void* stream;
    Graph* graph;
};
inline std::vector<Capture>& captures() {  // those going on
    static std::vector<Capture> all;
    return all;
}
inline Graph* graph_of(const void* stream) {
    for (const Capture& capture : captures())
        if (capture.stream == stream) return capture.graph;
    return nullptr;
}
inline void begin_capture(const void* stream, Graph* graph) {
    if (graph && !graph_of(stream)) captures().push_back({stream, graph});
}
inline void end_captures(const Graph* graph) {
    auto& all = captures();
    all.erase(std::remove_if(all.begin(), all.end(), [=](const Capture& c) { return c.graph == graph; }), all.end());
}

// What is enqueued on a stream: kept where the stream is being captured, else for the caller to do.
template <class Work>
bool keep(const void* stream, const Work& work) {
    Graph* graph = graph_of(stream);
    if (graph) graph->nodes.push_back(GraphNode{work});
    return graph != nullptr;
}

}  // namespace xpemu

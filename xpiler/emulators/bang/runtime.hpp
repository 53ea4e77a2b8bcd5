// What the BANG C headers need from the runtime, which is compiled once: tasks, memory spaces, checks and the
// intrinsics' work over untyped operands.
//
// One host thread runs everything. The tasks of a job (and the memory core of every cluster) are fibers that switch
// only at barriers. A scratchpad variable has one address for all cores, as on the device; its contents change with
// the core that runs.
#pragma once

#include "process.hpp"
#include "types.hpp"

extern XPEMU_LOCAL unsigned taskId, taskIdX, taskIdY, taskIdZ, taskDim, taskDimX, taskDimY, taskDimZ;
extern XPEMU_LOCAL unsigned clusterId, clusterDim, coreId, coreDim;

struct cnrtDim3_t {
    unsigned int x, y, z;
};

namespace xpemu {

// Where an intrinsic is called: a default argument of every intrinsic. A type of its own, so that no integer of
// the call is taken for it.
struct Line {
    int value;
};
#define XPEMU_AT ::xpemu::Line at = {__builtin_LINE()}

struct Call {
    const char* name;
    int line;
};

struct LaunchInfo {
    const char* kernel;  // as spelled
    int line;
    cnrtDim3_t tasks;
    int job;  // cores of one job: 1 for Block, 4 * N for UnionN
    const void* queue;
};
XPEMU_LOCAL void run_grid(const LaunchInfo&, Body, void* closure, const Argument* args, int count);
// The host waits for a queue (nullptr: for all); until then a copy of memory that its kernels were given is an error.
XPEMU_LOCAL void queue_waited(const void* queue);
XPEMU_LOCAL void check_host_copy(const Call&, const void* device);

// ------------------------------------------------------------------------------------------ memory spaces
enum class Space : std::uint8_t { gdram, ldram, sram, nram, wram, host };

// A variable in a scratchpad: registered by the prepared declaration.
struct Variable {
    const char* name;
    int line;
    Space space;
    std::size_t size = 0;
    bool at_file_scope = false;
    const void* initial = nullptr;  // contents of a fresh core, where the declaration gives them
    void* window = nullptr;
};
XPEMU_LOCAL void* declare(Variable&, std::size_t bytes);  // address for the running core
struct UsesMemoryCore {  // a program that mentions the memory core makes Union jobs run one in every cluster
    UsesMemoryCore();
};
XPEMU_LOCAL bool is_in(const void*, Space);
XPEMU_LOCAL bool on_memory_core();

// ------------------------------------------------------------------------------------------ streams, barriers
enum class Barrier { cluster, cluster_ipu, all, all_ipu, all_mpu };
XPEMU_LOCAL void barrier(const Call&, Barrier);
enum : unsigned { stream_io = 1, stream_move = 2, stream_compute = 4, all_streams = 7 };
// Later work of the consumers, and with all of them the scalar code, waits for earlier work of the producers.
XPEMU_LOCAL void synchronize(const Call&, unsigned producers, unsigned consumers = all_streams);
XPEMU_LOCAL void arrive(const Call&, bool whole_job, int id, int count);
XPEMU_LOCAL void await(const Call&, bool whole_job, int id, int count);

// A walk over segments of `size` bytes: base + i * stride[0] + j * stride[1], i fastest.
struct Walk {
    void* base;
    std::size_t size;
    long stride[2];
    unsigned long count[2];
};
XPEMU_LOCAL void transfer(const Call&, Walk dst, Walk src, mluMemcpyDirection_t, bool asynchronous, int cluster);
XPEMU_LOCAL void move_on_chip(const Call&, Walk dst, Walk src);
XPEMU_LOCAL void fill(const Call&, Walk dst, const void* value, std::size_t width, Space, bool asynchronous);

// ------------------------------------------------------------------------------------------------- vectors
enum class Op : std::uint8_t {
    add, sub, mul, adds, subs, mulh, div, rem, hypot, max, min, maximum, minimum, nan_maximum, nan_minimum,
    eq, ne, lt, le, gt, ge, logic_and, logic_or, logic_xor, band, bor, bxor, sll, srl, sra,
    logic_not, bnot, abs, neg, square, recip, sqrt, rsqrt, sin, cos, tan, pow2, log2, ln, exp, sigmoid, tanh, gelu, relu,
    sign, floor, ceil, trunc, round, nearbyint, softplus, copy,
};
enum class Second : std::uint8_t { none, vector, scalar, cyclic };
// dst[i] = a[i] op b[i]; cyclic: b[i mod period]; scalar: *b, which lies anywhere.
XPEMU_LOCAL void elementwise(const Call&, Op, Type, void* dst, const void* a, const void* b, Second, std::size_t n, std::size_t period);
XPEMU_LOCAL void bit_index(const Call&, Op, Type, void* dst, const void* a, const void* b, std::size_t n);
XPEMU_LOCAL void widening_square(const Call&, Type to, Type from, void* dst, const void* src, std::size_t n);
XPEMU_LOCAL void fuse(const Call&, mluFusionOpCode, Type, void* dst, const void* a, const void* b, bool b_scalar, const void* c, bool c_scalar,
                      std::size_t n, std::size_t period);
XPEMU_LOCAL void reduce_sum(const Call&, Type, void* dst, const void* src, std::size_t n);
XPEMU_LOCAL double total(const Call&, Type, const void* src, std::size_t n);
XPEMU_LOCAL void extreme(const Call&, Type, bool largest, void* dst, const void* src, std::size_t n);
XPEMU_LOCAL unsigned count_nonzero(const Call&, Type, const void* src, std::size_t n);
XPEMU_LOCAL unsigned find_nonzero(const Call&, Type, bool first, const void* src, std::size_t n);
XPEMU_LOCAL unsigned population(const Call&, const void* src, std::size_t bytes);
XPEMU_LOCAL void sequence(const Call&, Type, void* dst, std::size_t n);
XPEMU_LOCAL void mask_move(const Call&, void* dst, const void* src, const void* mask, std::size_t bytes);
XPEMU_LOCAL unsigned compress(const Call&, Type, void* dst, const void* src, const void* index, bool bits, std::size_t n, std::size_t head);
XPEMU_LOCAL void compare_filter(const Call&, CompareMode, Type, void* dst, const void* a, const void* b, bool scalar, std::size_t n);
XPEMU_LOCAL void look_up(const Call&, Type index, void* dst, const void* at, const void* table, std::size_t n, std::size_t table_length, std::size_t width);
XPEMU_LOCAL void histogram(const Call&, Type, void* dst, const void* src, std::size_t n, std::size_t bins);
enum class Rounding : std::uint8_t { tz, oz, up, dn, rd, rn, rm, sr };
// dst = round(src * 2^scale), saturating for integers; the walks count segments of elements.
XPEMU_LOCAL void convert(const Call&, Type to, Type from, Rounding, int scale, void* dst, const void* src, std::size_t n, long dst_stride,
                         long src_stride, unsigned long segments);
XPEMU_LOCAL double round_to(double, Rounding);

// -------------------------------------------------------------------------------------------------- shapes
enum class Pool : std::uint8_t { sum, max, min, average, max_index, max_value_index };
struct Window {  // an HWC tensor and the windows that slide over it
    long channel, height, width, kernel_h, kernel_w, stride_w, stride_h, in_dh, in_dw, out_dh, out_dw;
};
XPEMU_LOCAL void pool(const Call&, Pool, Type, void* dst, const void* src, const Window&, long index_stride);
XPEMU_LOCAL void pool_back(const Call&, bool sums, Type, void* dst, const void* src, const void* mask, const Window&, bool accumulate);
XPEMU_LOCAL void unpool(const Call&, Type, void* dst, const void* src, const Window&, const void* index);
enum class Turn : std::uint8_t { transpose, mirror, rotate90, rotate180, rotate270 };
XPEMU_LOCAL void turn(const Call&, Turn, std::size_t element, void* dst, const void* src, long height, long width);
XPEMU_LOCAL void pad(const Call&, std::size_t element, void* dst, const void* src, long channel, long height, long width, long top, long bottom,
                     long left, long right, const void* value);
XPEMU_LOCAL void permute_image(const Call&, bool to_channels_last, std::size_t element, void* dst, const void* src, long n, long h, long w, long c);
XPEMU_LOCAL void reshape_filter(const Call&, std::size_t element, void* dst, const void* src, long n, long h, long w, long c);
XPEMU_LOCAL void expand_multiply(const Call&, Type, void* dst, const void* weights, const void* src, const void* add, long rows, long channels);
XPEMU_LOCAL void gather(const Call&, bool scatters, void* dst, const void* src, const void* offset, std::size_t offset_width, const void* mask,
                        std::size_t size, mluMemcpyDirection_t, long stride, std::size_t num, bool asynchronous);

// ------------------------------------------------------------------------------------------------ matrices
struct Tensor {
    Type type;
    void* at;
};
// dst[M, N] = src[M, K] * weights[N, K] + add, times 2^scale for integers.
XPEMU_LOCAL bool weights_as_rows();  // $XPILER_BANG_WEIGHTS=rows: second operands of mlp and matmul lie as plain K x N
XPEMU_LOCAL void matmul(const Call&, Tensor dst, Tensor src, Tensor weights, const void* add, bool add_per_column, long m, long k, long n, int scale);
struct Convolution {
    long channel_in, height, width, kernel_h, kernel_w, stride_w, stride_h, channel_out, in_dw, in_dh, out_dw, out_dh;
};
XPEMU_LOCAL void convolve(const Call&, Tensor dst, Tensor src, Tensor kernel, const void* bias, const void* partial, const Convolution&, int scale);

// ------------------------------------------------------------------------------------------------- atomics
enum class Atomic : std::uint8_t { add, band, bor, bxor, max, min, nan_max, nan_min, number_max, number_min, exch, inc, dec, cas };
// at[i] = at[i] op value[i] for n elements in device memory; the old values go to dst where it is given.
XPEMU_LOCAL void atomic(const Call&, Atomic, Type, void* dst, void* at, const void* value, bool scalar, const void* compare, std::size_t n);

}  // namespace xpemu

// What extensions of PyTorch use of it: tensors, whole and in order, and what goes with launches. They are on the
// device where a platform is emulated, on the processor where nothing is.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#if !defined(XPEMU_P)
#include <cstdlib>
#include <cstring>
#include <functional>
#endif

namespace c10 {

enum class ScalarType : signed char { Byte, Char, Short, Int, Long, Half, Float, Double, Bool = 11, BFloat16 = 15 };
enum class DeviceType : signed char { CPU, CUDA };
enum class Layout { Strided };
enum class MemoryFormat { Contiguous };
#if defined(XPEMU_P)
using Half = ::__half;
using BFloat16 = ::__nv_bfloat16;
#else
struct Half {
    unsigned short x;
};
struct BFloat16 {
    unsigned short x;
};
#endif
constexpr ScalarType kByte = ScalarType::Byte, kUInt8 = kByte, kChar = ScalarType::Char, kInt8 = kChar;
constexpr ScalarType kShort = ScalarType::Short, kInt16 = kShort, kInt = ScalarType::Int, kInt32 = kInt;
constexpr ScalarType kLong = ScalarType::Long, kInt64 = kLong, kHalf = ScalarType::Half, kFloat16 = kHalf;
constexpr ScalarType kFloat = ScalarType::Float, kFloat32 = kFloat, kDouble = ScalarType::Double, kFloat64 = kDouble;
constexpr ScalarType kBool = ScalarType::Bool, kBFloat16 = ScalarType::BFloat16;
constexpr DeviceType kCPU = DeviceType::CPU, kCUDA = DeviceType::CUDA;
constexpr Layout kStrided = Layout::Strided;

template <class T> struct CppTypeToScalarType;
#define XPEMU_SCALAR(type, name) \
    template <> struct CppTypeToScalarType<type> { static constexpr ScalarType value = ScalarType::name; };
XPEMU_SCALAR(unsigned char, Byte)
XPEMU_SCALAR(signed char, Char)
XPEMU_SCALAR(short, Short)
XPEMU_SCALAR(int, Int)
XPEMU_SCALAR(long, Long)
XPEMU_SCALAR(long long, Long)
XPEMU_SCALAR(Half, Half)
XPEMU_SCALAR(BFloat16, BFloat16)
XPEMU_SCALAR(float, Float)
XPEMU_SCALAR(double, Double)
XPEMU_SCALAR(bool, Bool)
#undef XPEMU_SCALAR
inline std::size_t elementSize(ScalarType type) {
    switch (type) {
        case ScalarType::Byte: case ScalarType::Char: case ScalarType::Bool: return 1;
        case ScalarType::Short: case ScalarType::Half: case ScalarType::BFloat16: return 2;
        case ScalarType::Int: case ScalarType::Float: return 4;
        default: return 8;
    }
}

struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};
template <class... T>
std::string said(const T&... parts) {
    std::ostringstream all;
    ((all << parts), ...);
    return all.str();
}

struct Device {
    DeviceType kind = kCPU;
    Device(DeviceType type = kCPU, int = 0) : kind(type) {}
    DeviceType type() const { return kind; }
    int index() const { return 0; }
    bool is_cuda() const { return kind == kCUDA; }
    bool is_cpu() const { return kind == kCPU; }
    bool operator==(const Device& other) const { return kind == other.kind; }
    bool operator!=(const Device& other) const { return kind != other.kind; }
};

struct IntArrayRef {
    std::vector<long> all;
    IntArrayRef(std::initializer_list<long> list) : all(list) {}
    IntArrayRef(std::vector<long> list) : all(std::move(list)) {}
    std::size_t size() const { return all.size(); }
    bool empty() const { return all.empty(); }
    long operator[](std::size_t i) const { return all.at(i); }
    auto begin() const { return all.begin(); }
    auto end() const { return all.end(); }
    std::vector<long> vec() const { return all; }
    const long* data() const { return all.data(); }
    bool operator==(const IntArrayRef& other) const { return all == other.all; }
    bool operator!=(const IntArrayRef& other) const { return all != other.all; }
};

struct TensorOptions {
    ScalarType type = kFloat;
    Device where;
    TensorOptions() = default;
    TensorOptions(ScalarType t) : type(t) {}
    TensorOptions(Device d) : where(d) {}
    TensorOptions(DeviceType d) : where(d) {}
    TensorOptions dtype(ScalarType t) const { TensorOptions changed = *this; changed.type = t; return changed; }
    TensorOptions device(Device d, int = 0) const { TensorOptions changed = *this; changed.where = d; return changed; }
    TensorOptions layout(Layout) const { return *this; }
    TensorOptions requires_grad(bool = true) const { return *this; }
    TensorOptions memory_format(MemoryFormat) const { return *this; }
    Device device() const { return where; }
    ScalarType dtype() const { return type; }
};
inline TensorOptions dtype(ScalarType type) { return TensorOptions(type); }
inline TensorOptions device(Device where) { return TensorOptions(where); }

}  // namespace c10

namespace at {
using namespace c10;

// Where tensors can be.
#if defined(XPEMU_P)
constexpr DeviceType xpiler_place = kCUDA;
inline void* xpiler_allocate(std::size_t bytes) {
    void* at = nullptr;
    return XPEMU_P(Malloc)(&at, bytes) == 0 ? at : nullptr;
}
inline void xpiler_free(void* at) { XPEMU_P(Free)(at); }
inline void xpiler_fill(void* at, int byte, std::size_t bytes) { XPEMU_P(Memset)(at, byte, bytes); }
inline void xpiler_copy(void* to, const void* from, std::size_t bytes) {
    XPEMU_P(Memcpy)(to, from, bytes, XPEMU_P(MemcpyDeviceToDevice));
}
#else
constexpr DeviceType xpiler_place = kCPU;
inline void* xpiler_allocate(std::size_t bytes) { return std::memset(std::malloc(bytes), 0xcd, bytes); }
inline void xpiler_free(void* at) { std::free(at); }
inline void xpiler_fill(void* at, int byte, std::size_t bytes) { std::memset(at, byte, bytes); }
inline void xpiler_copy(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
#endif

template <class T> struct DefaultPtrTraits { using PtrType = T*; };
template <class T> struct RestrictPtrTraits { using PtrType = T* __restrict__; };

template <class T, std::size_t N, template <class> class Traits = DefaultPtrTraits, class I = long>
struct TensorAccessor {
    T* data_;
    const I *sizes_, *strides_;
    I size(I i) const { return sizes_[i]; }
    I stride(I i) const { return strides_[i]; }
    T* data() const { return data_; }
    decltype(auto) operator[](I i) const {
        if constexpr (N == 1) return (data_[strides_[0] * i]);
        else return TensorAccessor<T, N - 1, Traits, I>{data_ + strides_[0] * i, sizes_ + 1, strides_ + 1};
    }
};
template <class T, std::size_t N, template <class> class Traits = DefaultPtrTraits, class I = long>
struct GenericPackedTensorAccessor {
    T* data_;
    I sizes_[N], strides_[N];
    I size(I i) const { return sizes_[i]; }
    I stride(I i) const { return strides_[i]; }
    T* data() const { return data_; }
    decltype(auto) operator[](I i) const {
        return TensorAccessor<T, N, Traits, I>{data_, sizes_, strides_}[i];
    }
};
template <class T, std::size_t N, template <class> class Traits = DefaultPtrTraits>
using PackedTensorAccessor32 = GenericPackedTensorAccessor<T, N, Traits, int>;
template <class T, std::size_t N, template <class> class Traits = DefaultPtrTraits>
using PackedTensorAccessor64 = GenericPackedTensorAccessor<T, N, Traits, long>;
template <class T, std::size_t N, template <class> class Traits = DefaultPtrTraits, class I = long>
using PackedTensorAccessor = GenericPackedTensorAccessor<T, N, Traits, I>;

class Tensor {
    std::shared_ptr<void> memory;
    std::vector<long> extents;
    TensorOptions made;

    template <class T>
    T* as() const {
        using Element = std::remove_const_t<T>;
        if (CppTypeToScalarType<Element>::value != made.type) throw Error("a tensor has elements of another type");
        return static_cast<T*>(memory.get());
    }

public:
    Tensor() = default;
    Tensor(std::shared_ptr<void> m, std::vector<long> sizes, TensorOptions options)
        : memory(std::move(m)), extents(std::move(sizes)), made(options) {}
    long dim() const { return extents.size(); }
    long ndimension() const { return dim(); }
    long size(long i) const { return extents.at(i < 0 ? i + dim() : i); }
    IntArrayRef sizes() const { return extents; }
    long stride(long i) const { return strides()[i < 0 ? i + dim() : i]; }
    IntArrayRef strides() const {
        std::vector<long> apart(extents.size(), 1);
        for (long i = dim() - 2; i >= 0; i--) apart[i] = apart[i + 1] * extents[i + 1];
        return apart;
    }
    long numel() const { return std::accumulate(extents.begin(), extents.end(), 1L, std::multiplies<long>()); }
    std::size_t element_size() const { return elementSize(made.type); }
    std::size_t itemsize() const { return element_size(); }
    std::size_t nbytes() const { return numel() * element_size(); }
    void* data_ptr() const { return memory.get(); }
    void* mutable_data_ptr() const { return memory.get(); }
    const void* const_data_ptr() const { return memory.get(); }
    template <class T> T* data_ptr() const { return as<T>(); }
    template <class T> T* data() const { return as<T>(); }
    template <class T> T* mutable_data_ptr() const { return as<T>(); }
    template <class T> const T* const_data_ptr() const { return as<const T>(); }
    ScalarType scalar_type() const { return made.type; }
    ScalarType dtype() const { return made.type; }
    ScalarType type() const { return made.type; }
    TensorOptions options() const { return made; }
    Device device() const { return made.where; }
    long get_device() const { return 0; }
    bool is_cuda() const { return made.where.is_cuda(); }
    bool is_cpu() const { return made.where.is_cpu(); }
    bool is_contiguous(MemoryFormat = MemoryFormat::Contiguous) const { return true; }
    bool is_floating_point() const {
        return made.type == kFloat || made.type == kDouble || made.type == kHalf || made.type == kBFloat16;
    }
    bool defined() const { return memory != nullptr; }
    bool requires_grad() const { return false; }
    Tensor contiguous(MemoryFormat = MemoryFormat::Contiguous) const { return *this; }
    Tensor detach() const { return *this; }
    Tensor view(IntArrayRef sizes) const {
        const long count = std::accumulate(sizes.begin(), sizes.end(), 1L, std::multiplies<long>());
        for (long& extent : sizes.all)
            if (extent == -1) extent = count == 0 ? 0 : numel() / -count;
        Tensor other(memory, sizes.all, made);
        if (other.numel() != numel()) throw Error("a view has another number of elements");
        return other;
    }
    Tensor reshape(IntArrayRef sizes) const { return view(std::move(sizes)); }
    Tensor flatten() const { return view({numel()}); }
    Tensor unsqueeze(long at) const {
        std::vector<long> more = extents;
        more.insert(more.begin() + (at < 0 ? at + dim() + 1 : at), 1);
        return view(more);
    }
    const Tensor& zero_() const {
        xpiler_fill(memory.get(), 0, nbytes());
        return *this;
    }
    Tensor clone() const {
        Tensor other = fresh(extents, made);
        xpiler_copy(other.data_ptr(), data_ptr(), nbytes());
        return other;
    }
    template <class T, std::size_t N>
    TensorAccessor<T, N> accessor() const = delete;  // of the host
    template <class T, std::size_t N, template <class> class Traits = DefaultPtrTraits>
    PackedTensorAccessor32<T, N, Traits> packed_accessor32() const { return packed<T, N, Traits, int>(); }
    template <class T, std::size_t N, template <class> class Traits = DefaultPtrTraits>
    PackedTensorAccessor64<T, N, Traits> packed_accessor64() const { return packed<T, N, Traits, long>(); }
    template <class T, std::size_t N, template <class> class Traits = DefaultPtrTraits, class I = long>
    PackedTensorAccessor<T, N, Traits, I> packed_accessor() const { return packed<T, N, Traits, I>(); }

    static Tensor fresh(const std::vector<long>& sizes, const TensorOptions& options) {
        if (options.where != xpiler_place) throw Error("a tensor where no kernel is");
        for (long extent : sizes)
            if (extent < 0) throw Error("a tensor of a negative size");
        Tensor made(nullptr, sizes, options);
        void* at = xpiler_allocate(std::max<std::size_t>(made.nbytes(), 1));
        if (!at) throw Error("out of memory");
        made.memory = std::shared_ptr<void>(at, xpiler_free);
        return made;
    }

private:
    template <class T, std::size_t N, template <class> class Traits, class I>
    GenericPackedTensorAccessor<T, N, Traits, I> packed() const {
        if (dim() != long(N)) throw Error("an accessor of another number of dimensions");
        GenericPackedTensorAccessor<T, N, Traits, I> made{as<T>(), {}, {}};
        for (std::size_t i = 0; i < N; i++) made.sizes_[i] = size(i), made.strides_[i] = stride(i);
        return made;
    }
};

inline Tensor empty(const IntArrayRef& sizes, const TensorOptions& options = {}) { return Tensor::fresh(sizes.all, options); }
inline Tensor zeros(const IntArrayRef& sizes, const TensorOptions& options = {}) { return empty(sizes, options).zero_(); }
inline Tensor empty_like(const Tensor& t) { return empty(t.sizes(), t.options()); }
inline Tensor empty_like(const Tensor& t, const TensorOptions& options) { return empty(t.sizes(), options); }
inline Tensor zeros_like(const Tensor& t) { return zeros(t.sizes(), t.options()); }
inline Tensor zeros_like(const Tensor& t, const TensorOptions& options) { return zeros(t.sizes(), options); }
struct OptionalDevice {};
inline OptionalDevice device_of(const Tensor&) { return {}; }
inline ScalarType typeMetaToScalarType(ScalarType type) { return type; }

// A tensor made of what the caller of a function has, and one that it is given back.
template <class T>
Tensor xpiler_tensor(T* data, std::vector<long> sizes) {
    return Tensor(std::shared_ptr<void>(const_cast<std::remove_const_t<T>*>(data), [](void*) {}), std::move(sizes),
                  TensorOptions(CppTypeToScalarType<std::remove_const_t<T>>::value).device(xpiler_place));
}
template <class T>
void xpiler_give(T* result, const Tensor& tensor) {
    xpiler_copy(result, tensor.data_ptr<T>(), tensor.nbytes());
}

#if defined(XPEMU_P)
struct Stream {
    XPEMU_P(Stream_t) stream() const { return nullptr; }
    operator XPEMU_P(Stream_t)() const { return nullptr; }
    void synchronize() const {}
};
struct Guard {
    template <class T> explicit Guard(const T&) {}
};
namespace cuda {
inline Stream getCurrentCUDAStream(int = -1) { return {}; }
inline Stream getDefaultCUDAStream(int = -1) { return {}; }
using CUDAGuard = Guard;
using OptionalCUDAGuard = Guard;
using CUDAStream = Stream;
}  // namespace cuda
namespace hip {
inline Stream getCurrentHIPStreamMasqueradingAsCUDA(int = -1) { return {}; }
inline Stream getDefaultHIPStreamMasqueradingAsCUDA(int = -1) { return {}; }
using HIPGuardMasqueradingAsCUDA = Guard;
using OptionalHIPGuardMasqueradingAsCUDA = Guard;
using HIPStreamMasqueradingAsCUDA = Stream;
}  // namespace hip
#endif
}  // namespace at

namespace c10 {
#if defined(XPEMU_P)
namespace cuda = at::cuda;
namespace hip = at::hip;
#endif
template <class T>
using ArrayRef = std::conditional_t<std::is_same_v<T, long>, IntArrayRef, std::vector<T>>;
}  // namespace c10

namespace torch {
using namespace at;
}  // namespace torch

namespace pybind11 {  // what a module defines is called by nobody here
struct arg {
    explicit arg(const char*) {}
    template <class T> arg& operator=(const T&) { return *this; }
};
struct module_ {
    template <class... T> module_& def(T&&...) { return *this; }
    template <class... T> module_& impl(T&&...) { return *this; }
    const char* doc() const { return ""; }
};
using module = module_;
}  // namespace pybind11
namespace py = pybind11;

#define TORCH_CHECK(condition, ...) \
    do { if (!(condition)) throw ::c10::Error(::c10::said("" __VA_OPT__(,) __VA_ARGS__)); } while (0)
#define TORCH_INTERNAL_ASSERT TORCH_CHECK
#define AT_ASSERTM TORCH_CHECK
#define AT_ASSERT TORCH_CHECK
#define AT_ERROR(...) throw ::c10::Error(::c10::said(__VA_ARGS__))
#if defined(XPEMU_P)
#define C10_CUDA_CHECK(call) \
    do { if ((call) != 0) throw ::c10::Error("an error of the runtime"); } while (0)
#define C10_HIP_CHECK C10_CUDA_CHECK
#define AT_CUDA_CHECK C10_CUDA_CHECK
#define C10_CUDA_KERNEL_LAUNCH_CHECK() C10_CUDA_CHECK(XPEMU_P(GetLastError)())
#define C10_HIP_KERNEL_LAUNCH_CHECK() C10_HIP_CHECK(XPEMU_P(GetLastError)())
#endif

#define XPEMU_CASE(name, type, ...) \
    case ::c10::ScalarType::name: { using scalar_t [[maybe_unused]] = type; return __VA_ARGS__(); }
#define XPEMU_SWITCH(kind, cases) \
    [&] { switch (kind) { cases default: throw ::c10::Error("no such type of elements is dispatched to"); } }()
#define XPEMU_FLOATING(...) XPEMU_CASE(Float, float, __VA_ARGS__) XPEMU_CASE(Double, double, __VA_ARGS__)
#define XPEMU_INTEGRAL(...)                                                                       \
    XPEMU_CASE(Byte, unsigned char, __VA_ARGS__) XPEMU_CASE(Char, signed char, __VA_ARGS__)       \
    XPEMU_CASE(Short, short, __VA_ARGS__) XPEMU_CASE(Int, int, __VA_ARGS__) XPEMU_CASE(Long, long, __VA_ARGS__)
#define XPEMU_HALVES(...) XPEMU_CASE(Half, ::c10::Half, __VA_ARGS__)
#define AT_DISPATCH_FLOATING_TYPES(kind, name, ...) XPEMU_SWITCH(kind, XPEMU_FLOATING(__VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND_HALF(kind, name, ...) \
    XPEMU_SWITCH(kind, XPEMU_FLOATING(__VA_ARGS__) XPEMU_HALVES(__VA_ARGS__))
#define AT_DISPATCH_INTEGRAL_TYPES(kind, name, ...) XPEMU_SWITCH(kind, XPEMU_INTEGRAL(__VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES(kind, name, ...) \
    XPEMU_SWITCH(kind, XPEMU_FLOATING(__VA_ARGS__) XPEMU_INTEGRAL(__VA_ARGS__))

#define PYBIND11_MODULE(name, m) [[maybe_unused]] static void xpiler_module(::pybind11::module_& m)
#define TORCH_LIBRARY(name, m) [[maybe_unused]] static void xpiler_library(::pybind11::module_& m)
#define TORCH_LIBRARY_IMPL(name, key, m) [[maybe_unused]] static void xpiler_library_of_##key(::pybind11::module_& m)

// Pools, rearrangements, products and convolutions as kernels spell them. Width strides come before height strides.
#pragma once

#include "vectors.hpp"

// ----------------------------------------------------------------------------------------------------- pools
#define XPEMU_POOL(NAME, KIND)                                                                                                                        \
    template <class T>                                                                                                                                \
    inline void NAME(T* dst, const T* src, int channel, int height, int width, int kernel_h, int kernel_w, int stride_w, int stride_h, XPEMU_AT) {    \
        xpemu::pool(XPEMU_CALL(NAME), xpemu::Pool::KIND, xpemu::type_of<T>(), dst, src,                                                               \
                    xpemu::Window{channel, height, width, kernel_h, kernel_w, stride_w, stride_h, 1, 1, 1, 1}, 0);                                    \
    }                                                                                                                                                 \
    template <class T>                                                                                                                                \
    inline void NAME(T* dst, const T* src, int channel, int height, int width, int kernel_h, int kernel_w, int stride_w, int stride_h, int in_dh,     \
                     int in_dw, int out_dh, int out_dw, XPEMU_AT) {                                                                                   \
        xpemu::pool(XPEMU_CALL(NAME), xpemu::Pool::KIND, xpemu::type_of<T>(), dst, src,                                                               \
                    xpemu::Window{channel, height, width, kernel_h, kernel_w, stride_w, stride_h, in_dh, in_dw, out_dh, out_dw}, 0);                  \
    }                                                                                                                                                 \
    template <class T>                                                                                                                                \
    inline void NAME(T* dst, const T* src, int channel, int height, int width, int kernel_h, int kernel_w, XPEMU_AT) {                                \
        xpemu::pool(XPEMU_CALL(NAME), xpemu::Pool::KIND, xpemu::type_of<T>(), dst, src,                                                               \
                    xpemu::Window{channel, height, width, kernel_h, kernel_w, kernel_w, kernel_h, 1, 1, 1, 1}, 0);                                    \
    }
XPEMU_POOL(__bang_sumpool, sum)
XPEMU_POOL(__bang_maxpool, max)
XPEMU_POOL(__bang_minpool, min)
XPEMU_POOL(__bang_avgpool, average)
#undef XPEMU_POOL
template <class D, class T>
inline void __bang_maxpool_index(D* dst, const T* src, int channel, int height, int width, int kernel_h, int kernel_w, int stride_w, int stride_h, XPEMU_AT) {
    xpemu::pool(XPEMU_CALL(__bang_maxpool_index), xpemu::Pool::max_index, xpemu::type_of<T>(), dst, src,
                xpemu::Window{channel, height, width, kernel_h, kernel_w, stride_w, stride_h, 1, 1, 1, 1}, 0);
}
template <class T>
inline void __bang_maxpool_value_index(T* dst, const T* src, int channel, int height, int width, int kernel_h, int kernel_w, int stride_w, int stride_h,
                                       int value_index_stride, XPEMU_AT) {
    xpemu::pool(XPEMU_CALL(__bang_maxpool_value_index), xpemu::Pool::max_value_index, xpemu::type_of<T>(), dst, src,
                xpemu::Window{channel, height, width, kernel_h, kernel_w, stride_w, stride_h, 1, 1, 1, 1}, value_index_stride);
}
template <class T, class M>
inline void __bang_maxpool_bp(T* dst, const T* src, const M* mask, int channel, int height, int width, int kernel_h, int kernel_w, int stride_w, int stride_h,
                              mluPoolBPOverlap overlap = OVERLAP_ACC, XPEMU_AT) {
    xpemu::pool_back(XPEMU_CALL(__bang_maxpool_bp), false, xpemu::type_of<T>(), dst, src, mask,
                     xpemu::Window{channel, height, width, kernel_h, kernel_w, stride_w, stride_h, 1, 1, 1, 1}, overlap == OVERLAP_ACC);
}
template <class T>
inline void __bang_sumpool_bp(T* dst, const T* src, int channel, int height, int width, int kernel_h, int kernel_w, int stride_w, int stride_h,
                              mluPoolBPOverlap overlap = OVERLAP_ACC, XPEMU_AT) {
    xpemu::pool_back(XPEMU_CALL(__bang_sumpool_bp), true, xpemu::type_of<T>(), dst, src, nullptr,
                     xpemu::Window{channel, height, width, kernel_h, kernel_w, stride_w, stride_h, 1, 1, 1, 1}, overlap == OVERLAP_ACC);
}
template <class T, class M>
inline void __bang_unpool(T* dst, const T* src, int channel, int height, int width, int kernel_h, int kernel_w, int stride_w, int stride_h, const M* index, XPEMU_AT) {
    xpemu::unpool(XPEMU_CALL(__bang_unpool), xpemu::type_of<T>(), dst, src,
                  xpemu::Window{channel, height, width, kernel_h, kernel_w, stride_w, stride_h, 1, 1, 1, 1}, index);
}

// -------------------------------------------------------------------------------------------- rearrangements
#define XPEMU_TURN(NAME, KIND)                                                                              \
    template <class T>                                                                                      \
    inline void NAME(T* dst, const T* src, int height, int width, XPEMU_AT) {                               \
        xpemu::turn(XPEMU_CALL(NAME), xpemu::Turn::KIND, sizeof(T), dst, src, height, width);               \
    }
XPEMU_TURN(__bang_transpose, transpose)
XPEMU_TURN(__bang_mirror, mirror)
XPEMU_TURN(__bang_rotate90, rotate90)
XPEMU_TURN(__bang_rotate180, rotate180)
XPEMU_TURN(__bang_rotate270, rotate270)
#undef XPEMU_TURN
template <class T>
inline void __bang_pad(T* dst, const T* src, int channel, int height, int width, int top, int bottom, int left, int right, XPEMU_AT) {
    xpemu::pad(XPEMU_CALL(__bang_pad), sizeof(T), dst, src, channel, height, width, top, bottom, left, right, nullptr);
}
template <class T>
inline void __bang_pad(T* dst, const T* src, int channel, int height, int width, int top, int bottom, int left, int right, xpemu::Same<T> value, XPEMU_AT) {
    xpemu::pad(XPEMU_CALL(__bang_pad), sizeof(T), dst, src, channel, height, width, top, bottom, left, right, &value);
}
template <class T>
inline void __bang_pad(T* dst, const T* src, int channel, int height, int width, int pad_height, int pad_width, XPEMU_AT) {
    xpemu::pad(XPEMU_CALL(__bang_pad), sizeof(T), dst, src, channel, height, width, pad_height, pad_height, pad_width, pad_width, nullptr);
}
template <class T>
inline void __bang_reshape_nchw2nhwc(T* dst, const T* src, int n, int h, int w, int c, XPEMU_AT) {
    xpemu::permute_image(XPEMU_CALL(__bang_reshape_nchw2nhwc), true, sizeof(T), dst, src, n, h, w, c);
}
template <class T>
inline void __bang_reshape_nhwc2nchw(T* dst, const T* src, int n, int h, int w, int c, XPEMU_AT) {
    xpemu::permute_image(XPEMU_CALL(__bang_reshape_nhwc2nchw), false, sizeof(T), dst, src, n, h, w, c);
}
template <class T>
inline void __bang_reshape_filter(T* dst, const T* src, int n, int h, int w, int c, XPEMU_AT) {
    xpemu::reshape_filter(XPEMU_CALL(__bang_reshape_filter), sizeof(T), dst, src, n, h, w, c);
}
template <class T>
inline void __bang_expand_channel_mul(T* dst, const T* weights, void* scratch, const T* src, int rows, int channels, XPEMU_AT) {
    (void)scratch;
    xpemu::expand_multiply(XPEMU_CALL(__bang_expand_channel_mul), xpemu::type_of<T>(), dst, weights, src, nullptr, rows, channels);
}
template <class T>
inline void __bang_expand_channel_mul_add(T* dst, const T* weights, void* scratch, const T* src, const T* add, int rows, int channels, XPEMU_AT) {
    (void)scratch;
    xpemu::expand_multiply(XPEMU_CALL(__bang_expand_channel_mul_add), xpemu::type_of<T>(), dst, weights, src, add, rows, channels);
}

// --------------------------------------------------------------------------------------------------- products
namespace xpemu {
template <class T>
inline Tensor tensor(const T* p) {
    return Tensor{type_of<T>(), const_cast<T*>(p)};
}
}  // namespace xpemu
template <class D, class A, class B>
inline void __bang_matmul(D* dst, const A* src0, const B* src1, int m, int k, int n, XPEMU_AT) {
    xpemu::matmul(XPEMU_CALL(__bang_matmul), xpemu::tensor(dst), xpemu::tensor(src0), xpemu::tensor(src1), nullptr, false, m, k, n, 0);
}
template <class D, class A, class B>
inline void __bang_matmul(D* dst, const A* src0, const B* src1, int m, int k, int n, int fix_position, XPEMU_AT) {
    xpemu::matmul(XPEMU_CALL(__bang_matmul), xpemu::tensor(dst), xpemu::tensor(src0), xpemu::tensor(src1), nullptr, false, m, k, n, fix_position);
}
template <class D, class A, class B>
inline void __bang_matmul(D* dst, const A* src0, const B* src1, const D* src2, int m, int k, int n, int fix_position = 0, XPEMU_AT) {
    xpemu::matmul(XPEMU_CALL(__bang_matmul), xpemu::tensor(dst), xpemu::tensor(src0), xpemu::tensor(src1), src2, false, m, k, n, fix_position);
}
namespace xpemu {
// height outputs, width inputs; with weights as plain rows the older reading holds: inputs, then outputs.
inline void mlp(const Call& call, Tensor dst, Tensor src, Tensor filter, const void* bias, long height, long width, int scale) {
    if (weights_as_rows()) matmul(call, dst, src, filter, bias, true, 1, height, width, scale);
    else matmul(call, dst, src, filter, bias, true, 1, width, height, scale);
}
}  // namespace xpemu
template <class D, class A, class B>
inline void __bang_mlp(D* dst, const A* src, const B* filter, int height, int width, XPEMU_AT) {
    xpemu::mlp(XPEMU_CALL(__bang_mlp), xpemu::tensor(dst), xpemu::tensor(src), xpemu::tensor(filter), nullptr, height, width, 0);
}
template <class D, class A, class B>
inline void __bang_mlp(D* dst, const A* src, const B* filter, int height, int width, int fix_position, XPEMU_AT) {
    xpemu::mlp(XPEMU_CALL(__bang_mlp), xpemu::tensor(dst), xpemu::tensor(src), xpemu::tensor(filter), nullptr, height, width, fix_position);
}
template <class D, class A, class B>
inline void __bang_mlp(D* dst, const A* src, const D* bias, const B* filter, int height, int width, int fix_position = 0, XPEMU_AT) {
    xpemu::mlp(XPEMU_CALL(__bang_mlp), xpemu::tensor(dst), xpemu::tensor(src), xpemu::tensor(filter), bias, height, width, fix_position);
}

// ----------------------------------------------------------------------------------------------- convolutions
namespace xpemu {
// After channel_output: [fix_position] [in dilation w, h] [out dilation w, h]. Integers have a fix_position, floats none.
template <class D, class A, class B, class... Rest>
inline void convolution(const Call& call, D* dst, const A* src, const B* kernel, const void* bias, const void* partial, Convolution c, Rest... rest) {
    const int more[] = {static_cast<int>(rest)..., 0};
    constexpr int count = sizeof...(Rest);
    constexpr int scaled = count % 2;  // dilations come in pairs
    static_assert(count <= 5, "too many arguments");
    if (count - scaled >= 2) c.in_dw = more[scaled], c.in_dh = more[scaled + 1];
    if (count - scaled >= 4) c.out_dw = more[scaled + 2], c.out_dh = more[scaled + 3];
    convolve(call, tensor(dst), tensor(src), tensor(kernel), bias, partial, c, scaled ? more[0] : 0);
}
}  // namespace xpemu
#define XPEMU_CONV_SHAPE \
    int channel_input, int height, int width, int kernel_h, int kernel_w, int stride_w, int stride_h, int channel_output
#define XPEMU_CONV_VALUES \
    xpemu::Convolution { channel_input, height, width, kernel_h, kernel_w, stride_w, stride_h, channel_output, 1, 1, 1, 1 }
#define XPEMU_CONV(PARAMETERS, ...)                                                                                                          \
    template <class D, class A, class B>                                                                                                     \
    inline void __bang_conv(D* dst, const A* src, const B* kernel, XPEMU_CONV_SHAPE PARAMETERS, XPEMU_AT) {                                  \
        xpemu::convolution(XPEMU_CALL(__bang_conv), dst, src, kernel, nullptr, nullptr, XPEMU_CONV_VALUES, ##__VA_ARGS__);                   \
    }                                                                                                                                        \
    template <class D, class A, class B>                                                                                                     \
    inline void __bang_conv(D* dst, const A* src, const B* kernel, const D* bias, XPEMU_CONV_SHAPE PARAMETERS, XPEMU_AT) {                   \
        xpemu::convolution(XPEMU_CALL(__bang_conv), dst, src, kernel, bias, nullptr, XPEMU_CONV_VALUES, ##__VA_ARGS__);                      \
    }                                                                                                                                        \
    template <class D, class A, class B>                                                                                                     \
    inline void __bang_conv_partial(D* dst, const A* src, const B* kernel, const D* partial, XPEMU_CONV_SHAPE PARAMETERS, XPEMU_AT) {        \
        xpemu::convolution(XPEMU_CALL(__bang_conv_partial), dst, src, kernel, nullptr, partial, XPEMU_CONV_VALUES, ##__VA_ARGS__);           \
    }
#define XPEMU_COMMA ,
XPEMU_CONV()
XPEMU_CONV(XPEMU_COMMA int a, a)
XPEMU_CONV(XPEMU_COMMA int a XPEMU_COMMA int b, a, b)
XPEMU_CONV(XPEMU_COMMA int a XPEMU_COMMA int b XPEMU_COMMA int c, a, b, c)
XPEMU_CONV(XPEMU_COMMA int a XPEMU_COMMA int b XPEMU_COMMA int c XPEMU_COMMA int d, a, b, c, d)
XPEMU_CONV(XPEMU_COMMA int a XPEMU_COMMA int b XPEMU_COMMA int c XPEMU_COMMA int d XPEMU_COMMA int e, a, b, c, d, e)
#undef XPEMU_COMMA
#undef XPEMU_CONV
#undef XPEMU_CONV_SHAPE
#undef XPEMU_CONV_VALUES

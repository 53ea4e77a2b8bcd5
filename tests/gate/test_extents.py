"""The sizes of a plain function's arrays as formulas, held against the sizes at which it was run."""

from xpiler.frontend import parse
from xpiler.gate.extents import extent_formula, extent_value, is_in_doubt
from xpiler.ir.nodes import Expr
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

POOL = """
extern "C" void pool(const float *in, float *out, int rows, int length, int window, int stride) {
    const int places = (length - window) / stride + 1;
    for (int r = 0; r < rows; ++r)
        for (int p = 0; p < places; ++p) {
            float sum = 0;
            for (int k = 0; k < window; ++k) sum += in[r * length + p * stride + k];
            out[r * places + p] = sum;
        }
}
"""


def formula(array: str, observed: list[tuple[dict[str, int], int]]) -> Expr | None:
    (kernel,) = parse(POOL, "pool.c", platform="vnni").program.kernels
    return extent_formula(canonicalise(kernel).function, array, observed)


def sizes(rows: int, length: int, window: int, stride: int) -> dict[str, int]:
    return {"rows": rows, "length": length, "window": window, "stride": stride}


def test_the_end_of_a_strided_window_is_that_of_its_last_place() -> None:
    observed = [
        (sizes(3, 20, 4, 3), 2 * 20 + 15 + 4),
        (sizes(2, 11, 5, 2), 11 + 6 + 5),
        (sizes(4, 9, 2, 7), 36),
    ]
    found = formula("in", observed)
    assert found is not None
    assert extent_value(found, sizes(5, 30, 4, 5)) == 4 * 30 + 25 + 4


def test_places_and_rows_make_the_output() -> None:
    observed = [(sizes(3, 20, 4, 3), 18), (sizes(2, 11, 5, 2), 8), (sizes(4, 9, 2, 7), 8)]
    found = formula("out", observed)
    assert found is not None
    assert extent_value(found, sizes(5, 30, 4, 5)) == 5 * 6


def test_a_product_that_is_never_exceeded_stands_for_what_is_not_always_reached() -> None:
    observed = [(sizes(3, 20, 4, 1), 60), (sizes(2, 11, 5, 1), 22), (sizes(4, 9, 2, 7), 30)]
    found = formula("in", observed)
    assert found is not None
    assert extent_value(found, sizes(5, 30, 4, 5)) == 150


def test_square_images_leave_in_doubt_which_side_is_meant() -> None:
    text = """
    extern "C" void scale(const float *x, float *y, int height, int width, int step) {
        const int rows = height / step, columns = width / step;
        for (int i = 0; i < rows; ++i)
            for (int j = 0; j < columns; ++j) y[i * columns + j] = x[j * rows + i];
    }"""
    (kernel,) = parse(text, "scale.c", platform="vnni").program.kernels
    canonical = canonicalise(kernel).function
    at = {"height": 30, "width": 20, "step": 2}
    square = [({"height": n, "width": n, "step": 2}, n * n // 4) for n in (4, 8, 12)]
    assert is_in_doubt(canonical, "y", square, [at])
    assert not is_in_doubt(canonical, "y", [*square, ({"height": 8, "width": 6, "step": 2}, 12)], [at])


def test_what_a_loop_walks_over_from_end_to_end_leaves_no_doubt() -> None:
    text = """
    extern "C" void copy(const float *x, float *y, int height, int width) {
        for (int i = 0; i < height * width; ++i) y[i] = x[i];
    }"""
    (kernel,) = parse(text, "copy.c", platform="vnni").program.kernels
    square = [({"height": n, "width": n}, n * n) for n in (4, 8, 12)]
    assert not is_in_doubt(canonicalise(kernel).function, "y", square, [{"height": 30, "width": 20}])


def test_extents_that_nothing_explains_have_no_formula() -> None:
    assert formula("in", [(sizes(3, 20, 4, 3), 1001), (sizes(2, 11, 5, 2), 997)]) is None


BLOCKED = """
extern "C" void pool(const float *in, float *out, int rows, int length, int window, int stride) {
    const int places = (length - window) / stride + 1;
    for (int r = 0; r < rows; ++r)
        for (int p = 0; p < places; p += 4) {
            const int count = places - p < 4 ? places - p : 4;
            for (int j = 0; j < count; ++j) out[r * places + p + j] = in[r * length + (p + j) * stride];
        }
}
"""


def test_the_rest_of_a_block_ends_where_the_whole_does() -> None:
    (kernel,) = parse(BLOCKED, "pool.c", platform="vnni").program.kernels
    observed = [(sizes(3, 20, 4, 3), 18), (sizes(2, 11, 5, 2), 8), (sizes(4, 9, 2, 7), 8)]
    found = extent_formula(canonicalise(kernel).function, "out", observed)
    assert found is not None
    assert extent_value(found, sizes(5, 30, 4, 5)) == 5 * 6


def test_nothing_observed_is_no_formula() -> None:
    assert formula("in", []) is None


COPIED = """
#include <string.h>
extern "C" void copied(const float *in, float *out, int rows, int length, int window) {
    const int places = (length - window) / 2 + 1;
    const size_t bytes = sizeof(float) * rows * places;
    memcpy(out, in, bytes);
}
"""


def test_an_array_copied_whole_is_as_long_as_the_copy_says_at_sizes_not_seen() -> None:
    (kernel,) = parse(COPIED, "copied.cpp", platform="vnni").program.kernels
    one_place = [({"rows": rows, "length": rows + 5, "window": rows + 4}, rows) for rows in (3, 7, 4)]
    found = extent_formula(kernel, "out", one_place)
    assert found is not None
    assert extent_value(found, {"rows": 3, "length": 20, "window": 4}) == 3 * 9
    assert show(found) == "(i64)rows * (((i64)length - (i64)window) / 2l + 1l)"


VOLUME = """
extern "C" void volume(const float *in, float *out, int N, int D, int H, int W) {
    const int d = D - 2, h = H - 2, w = W - 2;
    for (int n = 0; n < N; ++n)
        for (int z = 0; z < d; ++z)
            for (int y = 0; y < h; ++y)
                for (int x = 0; x < w; ++x)
                    out[((n * d + z) * h + y) * w + x] = in[((n * D + z) * H + y) * W + x];
}
"""


def test_sizes_that_loops_end_at_are_factors_of_extents() -> None:
    (kernel,) = parse(VOLUME, "volume.cpp", platform="vnni").program.kernels
    seen = [({"N": n, "D": d, "H": h, "W": w}, n * (d - 2) * (h - 2) * (w - 2)) for n, d, h, w in SHAPES]
    found = extent_formula(canonicalise(kernel).function, "out", seen)
    assert found is not None
    assert extent_value(found, {"N": 2, "D": 5, "H": 6, "W": 7}) == 2 * 3 * 4 * 5


SHAPES = [(3, 4, 6, 9), (2, 9, 4, 5), (5, 3, 11, 8)]


def test_a_size_that_indices_are_multiplied_by_keeps_its_name_and_its_loops_stay_independent() -> None:
    text = VOLUME.replace("float *out", "float *__restrict__ out")
    (kernel,) = parse(text, "volume.cpp", platform="vnni").program.kernels
    shown = show(canonicalise(kernel).function)
    assert [line.split(" for ")[0].strip() for line in shown.splitlines() if " for " in line] == [
        "parallel"
    ] * 4


def test_rows_of_a_fixed_length_count_as_a_whole() -> None:
    text = """
    extern "C" void scale(double a[][72], int m, int n) {
        for (int i = 0; i < m; ++i) for (int j = 0; j < n; ++j) a[i][j] *= 2;
    }
    """
    (kernel,) = parse(text, "scale.c", platform="vnni").program.kernels
    observed = [({"m": 5, "n": 30}, 360), ({"m": 9, "n": 11}, 648)]
    found = extent_formula(canonicalise(kernel).function, "a", observed)
    assert found is not None
    assert extent_value(found, {"m": 20, "n": 3}) == 20 * 72


PACKED = """
#include <stdint.h>
#include <string.h>
extern "C" void pack(const int8_t *w, int8_t *to, const uint8_t *a, int *out, int n, int k4, int zero) {
    for (int n0 = 0; n0 < n; n0 += 16)
        for (int k = 0; k < k4; ++k)
            for (int l = 0; l < 16; ++l) to[(n0 * k4 + k * 16 + l)] = n0 + l < n ? w[(n0 + l) * k4 + k] : 0;
    for (int m = 0; m < n; ++m) {
        int word;
        memcpy(&word, a + 4 * m, 4);
        out[m] = word - zero;
    }
}
"""


def packed(array: str, observed: list[tuple[dict[str, int], int]]) -> Expr | None:
    (kernel,) = parse(PACKED, "pack.cpp", platform="vnni").program.kernels
    return extent_formula(canonicalise(kernel).function, array, observed, in_steps=True)


def test_loops_in_steps_end_at_their_last_step() -> None:
    observed = [
        ({"n": 37, "k4": 5, "zero": 2}, 48 * 5),
        ({"n": 16, "k4": 3, "zero": 2}, 16 * 3),
        ({"n": 29, "k4": 7, "zero": 2}, 32 * 7),
    ]
    found = packed("to", observed)
    assert found is not None
    assert extent_value(found, {"n": 50, "k4": 9, "zero": 4}) == 64 * 9


def test_what_only_values_are_computed_from_is_no_size() -> None:
    observed = [({"n": 37, "k4": 5, "zero": 2}, 148), ({"n": 16, "k4": 3, "zero": 2}, 64)]
    found = packed("a", observed)
    assert found is not None
    assert extent_value(found, {"n": 50, "k4": 9, "zero": 7}) == 200


ROWS = """
extern "C" void inner(const float (*x)[12], float (*y)[12], int rows) {
    for (int i = 1; i < rows - 1; ++i)
        for (int j = 1; j < 11; ++j) y[i][j] = x[i - 1][j] + x[i + 1][j];
}
"""


def test_rows_of_a_fixed_length_are_whole() -> None:
    (kernel,) = parse(ROWS, "rows.cpp", platform="vnni").program.kernels
    found = extent_formula(canonicalise(kernel).function, "y", [({"rows": 9}, 96), ({"rows": 5}, 48)])
    assert found is not None
    assert extent_value(found, {"rows": 30}) == 29 * 12


CHOSEN = """
#include <stdint.h>
extern "C" void loss(const float *x, const int64_t *label, float *out, int64_t rows, int64_t classes) {
    for (int64_t r = 0; r < rows; ++r) {
        float s = 0;
        for (int64_t c = 0; c < classes; ++c) s += x[r * classes + c];
        out[r] = s - x[r * classes + label[r]];
    }
}
"""


def test_data_that_lead_beyond_a_row_need_not_lead_to_the_end() -> None:
    (kernel,) = parse(CHOSEN, "loss.cpp", platform="vnni").program.kernels
    observed = [
        ({"rows": 37, "classes": 53, "label.largest": 7}, 37 * 53),
        ({"rows": 53, "classes": 29, "label.largest": 7}, 53 * 29),
        ({"rows": 23, "classes": 2, "label.largest": 7}, 51),  # the last row's is 6
    ]
    found = extent_formula(canonicalise(kernel).function, "x", observed)
    assert found is not None
    assert extent_value(found, {"rows": 5, "classes": 11, "label.largest": 3}) == 55


PREFETCHED = """
#include <immintrin.h>
extern "C" void bags(const float *table, const int *rows, const int *starts, float *out, int n, int total) {
    for (int b = 0; b < n; ++b) {
        float sum = 0;
        for (int i = starts[b]; i < starts[b + 1]; ++i) {
            if (i + 4 < total) _mm_prefetch((const char *)(table + rows[i + 4]), _MM_HINT_T0);
            sum += table[rows[i]];
        }
        out[b] = sum;
    }
}
"""


def test_indices_that_say_what_to_prefetch_are_read_as_far_as_their_guard_lets_them() -> None:
    (kernel,) = parse(PREFETCHED, "bags.cpp", platform="vnni").program.kernels
    observed = [
        ({"n": 5, "total": 16, "starts.largest": 24, "rows.largest": 7}, 24),
        ({"n": 3, "total": 37, "starts.largest": 24, "rows.largest": 7}, 28),
        ({"n": 7, "total": 29, "starts.largest": 24, "rows.largest": 7}, 24),  # no bag ends there
        ({"n": 7, "total": 25, "starts.largest": 24, "rows.largest": 7}, 25),
    ]
    found = extent_formula(kernel, "rows", observed)
    assert found is not None
    assert extent_value(found, {"n": 2, "total": 50, "starts.largest": 40}) == 44
    assert extent_value(found, {"n": 2, "total": 30, "starts.largest": 40}) == 40

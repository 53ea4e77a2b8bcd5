"""How a target differs from what the engine itself would have written."""

import pytest

from xpiler.repair import repair
from xpiler.repair.changes import apply
from xpiler.repair.comparison import by_comparison
from xpiler.repair.differences import differences, is_same_code
from xpiler.repair.result import COMPARISON, SEARCH

RIGHT = """void scale(const float *x, float *y, int rows, int cols) {
  for (int r = 0; r < rows; ++r) {
    float s = 0.0f;
    for (int c = 0; c < cols; ++c) s += x[r * cols + c];
    if (s > 0.0f) {
      y[r] = s * 0.5f;
    }
  }
}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "title"),
    [
        ("r * cols + c", "r * rows + c", "`rows` should be `cols`"),
        ("s * 0.5f", "0", "`0` should be `s * 0.5f`"),
        ("float s = 0.0f", "float s", "`= 0.0f` is missing"),
        ("y[r] = s * 0.5f;", ";", "`y[r] = s * 0.5f` is missing"),
        ("    float s = 0.0f;\n", "", "`float s = 0.0f;` is missing"),
        (
            "    if (s > 0.0f) {\n      y[r] = s * 0.5f;\n    }\n",
            "    y[r] = s * 0.5f;\n",
            "`if (s > 0.0f) {` is missing, `}` is missing",
        ),
        ("float s = 0.0f;", "float s = 0.0f; s = 1.0f;", "`s = 1.0f;` should not be there"),
    ],
)
def test_one_fault_is_one_difference(right: str, wrong: str, title: str) -> None:
    text = RIGHT.replace(right, wrong)
    (found,), stays = differences(text, RIGHT)
    assert found.title == title
    assert "".join(apply(text, found.edits).split()) == "".join(RIGHT.split())
    assert stays > 0.7


def test_names_and_layout_are_no_differences() -> None:
    text = RIGHT.replace("cols", "width").replace("s ", "total ").replace(" {\n", "  // a row\n  {\n")
    assert differences(text, RIGHT)[0] == []


def test_a_wrong_name_is_a_difference_although_others_are_named_otherwise() -> None:
    text = RIGHT.replace("cols", "width").replace("r * width + c", "r * rows + c")
    (found,), _ = differences(text, RIGHT)
    assert found.title == "`rows` should be `width`"


def test_a_function_that_nobody_declares_is_no_other_name() -> None:
    other = RIGHT.replace("s * 0.5f", "sqrtf(s)")
    assert differences(other.replace("sqrtf", "root"), other)[0][0].title == "`root` should be `sqrtf`"


def test_what_is_a_matter_of_style_stays() -> None:
    text = RIGHT.replace("++r", "r++").replace("0.5f", "0.25f").replace("c < cols", "c < rows")

    def right(tried: str) -> bool:
        return "0.5f" in tried and "c < cols" in tried

    found = by_comparison(text, RIGHT, right, right)
    assert found is not None and found.titles == ("`rows` should be `cols`", "`0.25f` should be `0.5f`")


def test_the_gate_is_asked_once_about_what_runs_right() -> None:
    text = RIGHT.replace("++r", "r++").replace("0.5f", "0.25f").replace("c < cols", "c < rows")
    asked: list[str] = []

    def accept(tried: str) -> bool:
        asked.append(tried)
        return True

    found = by_comparison(text, RIGHT, lambda tried: "0.5f" in tried and "c < cols" in tried, accept)
    assert found is not None and asked == [apply(text, found.edits)]


def test_where_the_gate_says_no_to_the_fewest_it_is_asked_about_more() -> None:
    text = RIGHT.replace("++r", "r++").replace("0.5f", "0.25f").replace("c < cols", "c < rows")
    found = by_comparison(text, RIGHT, lambda tried: "0.5f" in tried, lambda tried: "c < cols" in tried)
    assert found is not None and found.titles == ("`rows` should be `cols`", "`0.25f` should be `0.5f`")


def test_a_wider_integer_stays_though_no_size_that_is_run_needs_it() -> None:
    text = RIGHT.replace("int c = 0", "short c = 0").replace("0.5f", "0.25f")
    found = by_comparison(text, RIGHT, lambda tried: "0.5f" in tried, lambda tried: "0.5f" in tried)
    assert found is not None and found.titles == ("`short` should be `int`", "`0.25f` should be `0.5f`")


def test_a_text_of_another_build_is_not_replaced() -> None:
    other = "void scale(const float *x, float *y, int rows, int cols) { y[0] = x[0] + rows * cols; }"
    assert by_comparison(other, RIGHT, lambda text: True, lambda text: True) is None


SOURCE = """__global__ void scale_kernel(const float *x, float *y, float a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + 1.5f;
}
extern "C" void scale(const float *x, float *y, float a, int n) {
  float *d_x, *d_y;
  cudaMalloc(&d_x, n * sizeof(float));
  cudaMalloc(&d_y, n * sizeof(float));
  cudaMemcpy(d_x, x, n * sizeof(float), cudaMemcpyHostToDevice);
  scale_kernel<<<(n + 127) / 128, 128>>>(d_x, d_y, a, n);
  cudaMemcpy(y, d_y, n * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
"""


def test_four_faults_at_once_of_which_one_does_not_compile() -> None:
    right = "#include <hip/hip_runtime.h>\n" + SOURCE.replace("cuda", "hip")
    wrong = right.replace("1.5f", "2.5f").replace("i < n", "i <= n").replace("(n + 127)", "n")
    wrong = wrong.replace("hipMemcpy(y, d_y", "hipCopy(y, d_y")
    found = repair(SOURCE, "scale.cu", wrong, "scale.hip", seconds=120)
    assert (found.status, found.by, found.text) == ("repaired", COMPARISON, right)
    assert [place.range.line for place in found.localized] == [4, 4, 11, 12]


def test_without_a_comparison_a_repair_comes_of_the_search() -> None:
    wrong = "#include <hip/hip_runtime.h>\n" + SOURCE.replace("cuda", "hip").replace("i < n", "i <= n")
    found = repair(SOURCE, "scale.cu", wrong, "scale.hip", seconds=120, compares=False)
    assert (found.status, found.by) == ("repaired", SEARCH)


def test_comments_and_spaces_are_no_code() -> None:
    assert is_same_code(RIGHT, RIGHT.replace("  ", "\t").replace("{", "{ // rows\n", 1))
    assert not is_same_code(RIGHT, RIGHT.replace("r < rows", "r <= rows"))

"""The portable AVX-512 intrinsics against the instructions themselves: same bits on random operands.

On a CPU without AVX-512 the portable header is only compiled and run.
"""

import subprocess
from pathlib import Path

from xpiler import emulators

HEADERS = Path(emulators.__file__).parent / "avx512"
FEATURES = ("f", "bw", "dq", "vl", "cd", "vnni", "bf16", "vbmi", "bitalg", "vpopcntdq")
NATIVE = [f"-mavx512{feature}" for feature in FEATURES] + ["-mavx2", "-mfma", "-mf16c"]

PROGRAM = """
#include <immintrin.h>
#include <cstdio>
#include <cstdint>
#include <cstring>
#include <cmath>
static uint64_t state = 88172645463325252ull;
static uint64_t draw() { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state; }
template <class V> V integers() { unsigned char b[sizeof(V)];
    for (auto& x : b) { x = (unsigned char)(draw() >> 20);
        if (draw() % 5 == 0) x = (unsigned char)(draw() & 1 ? 0x80 : 0xff); }
    V v; memcpy(&v, b, sizeof v); return v; }
template <class V, class T> V floats() { T b[sizeof(V) / sizeof(T)];
    static const T edge[] = {0, -T(0), T(0.5), T(-1.5), T(2.5), INFINITY, -INFINITY, NAN,
                             T(3e9), T(-3e9), T(1e-3), 1, -1};
    for (auto& x : b) {
        double d = (double)(int64_t)draw() / 9.3e18 * std::pow(2.0, (int)(draw() % 40) - 8);
        x = draw() % 4 ? (T)d : edge[draw() % 13];
    }
    V v; memcpy(&v, b, sizeof v); return v; }
static unsigned long long sum;
static void add(const unsigned char* p, size_t n) {
    for (size_t i = 0; i < n; ++i) sum = (sum ^ p[i]) * 1099511628211ull; }
template <class T> void note(T v) { add((unsigned char*)&v, sizeof v); }
template <class V, class T> void note_floats(V v) { T b[sizeof(V) / sizeof(T)]; memcpy(b, &v, sizeof v);
    for (T x : b) { if (x != x) x = 12345; note(x); } }
inline void note(__m512 v) { note_floats<__m512, float>(v); }
inline void note(__m256 v) { note_floats<__m256, float>(v); }
inline void note(__m128 v) { note_floats<__m128, float>(v); }
inline void note(__m512d v) { note_floats<__m512d, double>(v); }
inline void note(__m256d v) { note_floats<__m256d, double>(v); }
inline void note(__m128d v) { note_floats<__m128d, double>(v); }
alignas(64) static char memory[4096], target[512];
FUNCTIONS
int main() {
    for (auto& c : memory) c = (char)(draw() >> 11);
CALLS
}
"""

WIDTHS = {"_mm512": ("__m512", 512), "_mm256": ("__m256", 256), "_mm": ("__m128", 128)}


def expressions() -> list[tuple[str, str]]:
    """(name, C++ expression) for every intrinsic that is checked; operands fa, da, ia, k... are in scope."""
    found: list[tuple[str, str]] = []

    def add(name: str, *operands: str) -> None:
        found.append((name, f"{name}({', '.join(operands)})"))

    def masked(prefix: str, name: str, kept: str, mask: str, *operands: str) -> None:
        add(f"{prefix}_{name}", *operands)
        add(f"{prefix}_mask_{name}", kept, mask, *operands)
        add(f"{prefix}_maskz_{name}", mask, *operands)

    for p, (_, width) in WIDTHS.items():
        for s, v in (("ps", "f"), ("pd", "d")):
            a, b, c = (f"{v}{x}{width}" for x in "abc")
            k = mask_of(width, 32 if s == "ps" else 64)
            for name in (
                "add",
                "sub",
                "mul",
                "div",
                "min",
                "max",
                "and",
                "or",
                "xor",
                "andnot",
                "unpacklo",
                "unpackhi",
            ):
                masked(p, f"{name}_{s}", c, k, a, b)
            masked(p, f"scalef_{s}", c, k, a, f"_{p[1:]}_min_{s}({b}, {p}_set1_{s}(50))")
            for name in ("sqrt", "getexp"):
                masked(p, f"{name}_{s}", c, k, a)
            for name in ("fmadd", "fmsub", "fnmadd", "fnmsub"):
                add(f"{p}_{name}_{s}", a, b, c)
                add(f"{p}_mask_{name}_{s}", a, k, b, c)
                add(f"{p}_mask3_{name}_{s}", a, b, c, k)
                add(f"{p}_maskz_{name}_{s}", k, a, b, c)
            for name in ("fmaddsub", "fmsubadd"):
                add(f"{p}_{name}_{s}", a, b, c)
            if width < 512:
                add(f"{p}_addsub_{s}", a, b)
            else:
                for name in ("lt", "le", "nlt", "nle", "ord", "unord", "neq"):
                    add(f"{p}_cmp{name}_{s}_mask", a, b)
            for imm in (0, 8, 9, 10, 11, 0x28):
                masked(p, f"roundscale_{s}", c, k, a, str(imm))
            for imm in (4, 5):
                masked(p, f"range_{s}", c, k, a, b, str(imm))
            add(f"{p}_reduce_{s}", a, "0x18")
            for interval in ("1_2", "p5_2", "p5_1", "p75_1p5"):
                add(f"{p}_getmant_{s}", a, f"_MM_MANT_NORM_{interval}", "_MM_MANT_SIGN_src")
            add(f"{p}_getmant_{s}", a, "_MM_MANT_NORM_1_2", "_MM_MANT_SIGN_zero")
            for predicate in range(32):
                add(f"{p}_cmp_{s}_mask", a, b, str(predicate))
            for classes in (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80):
                add(f"{p}_fpclass_{s}_mask", a, f"{classes:#x}")
            add(f"{p}_mask_fpclass_{s}_mask", k, a, "0x99")
            add(f"{p}_mask_cmp_{s}_mask", k, a, b, "_CMP_LT_OQ")
            add(f"{p}_mask_blend_{s}", k, a, b)
            add(f"{p}_mask_mov_{s}", a, k, b)
            add(f"{p}_maskz_compress_{s}", k, a)
            add(f"{p}_mask_expand_{s}", b, k, a)
            add(f"{p}_loadu_{s}", f"({'float' if s == 'ps' else 'double'}*)(memory + 12)")
            add(f"{p}_maskz_loadu_{s}", k, "memory + 20")
            masked(p, f"permute_{s}", c, k, a, "0x6c" if s == "ps" else "0x2")
            add(f"{p}_shuffle_{s}", a, b, "0x9c" if s == "ps" else "0x2")
        f, i = f"fa{width}", f"ia{width}"
        for name in ("cvtps_epi32", "cvttps_epi32", "cvtps_epu32", "cvttps_epu32"):
            masked(p, name, i, mask_of(width, 32), f)
        for name in ("cvtepi32_ps", "cvtepu32_ps"):
            masked(p, name, f, mask_of(width, 32), i)
        for name in ("cvtepi64_pd", "cvtepu64_pd"):
            masked(p, name, f"da{width}", mask_of(width, 64), i)
        for name in ("cvtpd_epi64", "cvttpd_epi64", "cvttpd_epu64"):
            masked(p, name, i, mask_of(width, 64), f"da{width}")
        for imm in range(4):
            add(f"{p}_cvtps_ph", f, str(imm))
        half = max(width // 2, 128)
        add(f"{p}_cvtph_ps", f"ia{half}")
        masked(p, "cvtps_pd", f"da{width}", mask_of(width, 64), f"fa{half}")
        masked(p, "cvtpd_ps", f"fa{half}", mask_of(width, 64), f"da{width}")
        for name in ("cvtpd_epi32", "cvttpd_epi32", "cvtpd_epu32", "cvttpd_epu32"):
            masked(p, name, f"ia{half}", mask_of(width, 64), f"da{width}")
        for name in ("cvtepi32_pd", "cvtepu32_pd"):
            masked(p, name, f"da{width}", mask_of(width, 64), f"ia{half}")
        if width > 128:
            add(f"(__m{half}i){p}_cvtneps_pbh", f)
        add(f"(__m{width}i){p}_cvtne2ps_pbh", f, f"fb{width}")
        bf = (
            f"(__m{width}bh){p}_cvtne2ps_pbh({f}, fb{width})",
            f"(__m{width}bh){p}_cvtne2ps_pbh(fb{width}, fc{width})",
        )
        add(f"{p}_dpbf16_ps", f"fc{width}", *bf)

        a, b, c = (f"i{x}{width}" for x in "abc")
        for bits in (8, 16, 32, 64):
            k = mask_of(width, bits)
            for name in ("add_epi", "sub_epi", "min_epi", "max_epi", "min_epu", "max_epu"):
                masked(p, f"{name}{bits}", c, k, a, b)
            masked(p, f"abs_epi{bits}", c, k, a)
            masked(p, f"popcnt_epi{bits}", c, k, a)
            masked(p, f"unpacklo_epi{bits}", c, k, a, b)
            masked(p, f"unpackhi_epi{bits}", c, k, a, b)
            masked(p, f"set1_epi{bits}", c, k, "-77") if width == 512 else None
            for sign in ("epi", "epu"):
                for name in ("eq", "lt", "le", "neq", "ge", "gt"):
                    add(f"{p}_cmp{name}_{sign}{bits}_mask", a, b)
                    add(f"{p}_mask_cmp{name}_{sign}{bits}_mask", k, a, b)
            add(f"{p}_test_epi{bits}_mask", a, b)
            add(f"{p}_testn_epi{bits}_mask", a, b)
            add(f"{p}_movepi{bits}_mask", a)
            add(f"{p}_movm_epi{bits}", k)
            add(f"{p}_mask_blend_epi{bits}", k, a, b)
            add(f"{p}_maskz_loadu_epi{bits}", k, "memory + 3")
            if bits > 8:
                set1 = f"{p}_set1_epi{bits}{'x' if bits == 64 and width < 512 else ''}"
                small = f"{p}_and_si{width}({b}, {set1}({bits + 7}))"
                for name in ("sllv", "srlv", "srav"):
                    masked(p, f"{name}_epi{bits}", c, k, a, small)
                for imm in (0, 5, bits - 1, bits, 200):
                    for name in ("slli", "srli", "srai"):
                        add(f"{p}_{name}_epi{bits}", a, str(imm))
                for name in ("sll", "srl", "sra"):
                    add(f"{p}_{name}_epi{bits}", a, "_mm_cvtsi32_si128(9)")
            if bits >= 32:
                for name in ("rolv", "rorv", "and", "or", "xor", "andnot"):
                    masked(p, f"{name}_epi{bits}", c, k, a, b)
                    if width < 512 and name in ("and", "andnot"):  # compilers lack the plain form
                        found[:] = [case for case in found if case[0] != f"{p}_{name}_epi{bits}"]
                add(f"{p}_rol_epi{bits}", a, "11")
                add(f"{p}_ternarylogic_epi{bits}", a, b, c, "0x96")
                add(f"{p}_mask_ternarylogic_epi{bits}", a, k, b, c, "0xca")
                add(f"{p}_conflict_epi{bits}", f"{p}_and_si{width}({a}, {p}_set1_epi32(1))")
                masked(p, f"lzcnt_epi{bits}", c, k, a)
                add(f"{p}_maskz_compress_epi{bits}", k, a)
                add(f"{p}_maskz_expand_epi{bits}", k, a)
                add(f"{p}_alignr_epi{bits}", a, b, "1")
            if width > 128:
                masked(p, f"permutexvar_epi{bits}", c, k, b, a) if (bits, width) != (8, 256) else None
                add(f"{p}_permutex2var_epi{bits}", a, c, b) if (bits, width) != (8, 256) else None
            if bits < 32:
                for name in ("adds_epi", "subs_epi", "adds_epu", "subs_epu", "avg_epu"):
                    masked(p, f"{name}{bits}", c, k, a, b)
        for name in ("mullo_epi16", "mulhi_epi16", "mulhi_epu16", "mulhrs_epi16"):
            masked(p, name, c, mask_of(width, 16), a, b)
        masked(p, "mullo_epi32", c, mask_of(width, 32), a, b)
        for name in ("mullo_epi64", "mul_epi32", "mul_epu32"):
            masked(p, name, c, mask_of(width, 64), a, b)
        if width < 512:
            for bits in (8, 16, 32):
                add(f"{p}_sign_epi{bits}", a, b)
            add(f"{p}_testz_si{width}", a, f"{p}_and_si{width}({b}, {p}_set1_epi32(1))")
            add(f"{p}_testc_si{width}", a, f"{p}_and_si{width}({b}, {p}_set1_epi32(1))")
        for name in ("packs_epi32", "packus_epi32"):
            masked(p, name, c, mask_of(width, 16), a, b)
        for name in ("packs_epi16", "packus_epi16", "shuffle_epi8"):
            masked(p, name, c, mask_of(width, 8), a, b)
        masked(p, "shuffle_epi32", c, mask_of(width, 32), a, "(_MM_PERM_ENUM)0x1b")
        for name in ("madd_epi16", "maddubs_epi16", "sad_epu8"):
            add(f"{p}_{name}", a, b)
        add(f"{p}_alignr_epi8", a, b, "5")
        for name in ("dpbusd", "dpbusds", "dpwssd", "dpwssds"):
            k = mask_of(width, 32)
            add(f"{p}_{name}_epi32", c, a, b)
            add(f"{p}_mask_{name}_epi32", c, k, a, b)
            add(f"{p}_maskz_{name}_epi32", k, c, a, b)
        for wide, narrow in ((16, 8), (32, 8), (32, 16), (64, 8), (64, 16), (64, 32)):
            part = max(width * narrow // wide, 128)
            k = mask_of(width, wide)
            for sign in ("epi", "epu"):
                masked(p, f"cvt{sign}{narrow}_epi{wide}", c, k, f"ia{part}")
            for form in ("cvtepi", "cvtsepi", "cvtusepi"):
                masked(p, f"{form}{wide}_epi{narrow}", f"ib{part}", k, a)

    for s, v in (("ps", "fa512"), ("pd", "da512"), ("epi32", "ia512"), ("epi64", "ia512")):
        k = mask_of(512, 32 if s in ("ps", "epi32") else 64)
        finite = (
            v
            if v[0] == "i"
            else f"_mm512_maskz_mov_{s}("
            f"_mm512_cmp_{s}_mask(_mm512_abs_{s}({v}), _mm512_set1_{s}(1e30), 17), {v})"
        )
        for name in ("add", "mul", "min", "max"):
            add(f"_mm512_reduce_{name}_{s}", finite)
            add(f"_mm512_mask_reduce_{name}_{s}", k, finite)
    for name, v in (("f32x4", "f"), ("f64x2", "d"), ("i32x4", "i"), ("i64x2", "i")):
        add(f"_mm512_shuffle_{name}", f"{v}a512", f"{v}b512", "0x2d")
    for name, v, part in (
        ("f32x4_ps", "f", 128),
        ("f32x8_ps", "f", 256),
        ("f64x4_pd", "d", 256),
        ("i32x4_epi32", "i", 128),
        ("i64x4_epi64", "i", 256),
    ):
        add(f"_mm512_extract{name}", f"{v}a512", "1")
        add(f"_mm512_insert{name.split('_')[0]}", f"{v}a512", f"{v}b{part}", "1")
        add(f"_mm512_broadcast_{name.split('_')[0]}", f"{v}b{part}")
    add("_mm512_permutex_epi64", "ia512", "0x39")
    add("_mm512_permutexvar_ps", "ib512", "fa512")
    add("_mm512_permutex2var_ps", "fa512", "ib512", "fb512")
    indices = "_mm512_and_si512(ia512, _mm512_set1_epi32(127))"
    add("_mm512_i32gather_epi32", indices, "memory", "4")
    add("_mm512_mask_i32gather_epi32", "ib512", "k16", indices, "memory + 1", "8")
    add("_mm512_i32gather_epi64", "_mm512_castsi512_si256(" + indices + ")", "(long long*)memory", "8")
    add("_mm512_i64gather_epi32", "_mm512_and_si512(ia512, _mm512_set1_epi64(127))", "memory", "4")
    add("_kunpackb_mask16", "k8", "k8")
    add("_kunpackd_mask64", "k32", "k32")
    for bits in (8, 16, 32, 64):
        add(f"_kadd_mask{bits}", f"k{bits}", f"k{bits}")
        add(f"_kshiftli_mask{bits}", f"k{bits}", "3")
        add(f"_kshiftri_mask{bits}", f"k{bits}", "5")
        add(f"_kortestz_mask{bits}_u8", f"k{bits}", f"k{bits}")
        add(f"_kortestc_mask{bits}_u8", f"k{bits}", f"_knot_mask{bits}(k{bits})")
    for name, operands in {
        "hadd_ps": "fa256, fb256",
        "hadd_pd": "da256, db256",
        "hsub_pd": "da256, db256",
        "hadd_epi32": "ia256, ib256",
        "hsub_epi16": "ia256, ib256",
        "permute2f128_ps": "fa256, fb256, 0x21",
        "permute2x128_si256": "ia256, ib256, 0x83",
        "permutevar8x32_ps": "fa256, ia256",
        "blendv_ps": "fa256, fb256, fc256",
        "blendv_epi8": "ia256, ib256, ic256",
        "movemask_epi8": "ia256",
        "movemask_ps": "fa256",
        "permute4x64_epi64": "ia256, 0x1e",
        "slli_si256": "ia256, 3",
        "srli_si256": "ia256, 5",
        "cmpeq_epi16": "ia256, ib256",
        "cmpgt_epi32": "ia256, ib256",
        "cmp_ps": "fa256, fb256, 17",
        "moveldup_ps": "fa256",
        "movehdup_ps": "fa256",
        "extracti128_si256": "ia256, 1",
        "insertf128_ps": "fa256, fb128, 1",
        "blend_ps": "fa256, fb256, 0x5a",
        "floor_ps": "fa256",
        "round_ps": "fa256, 8",
        "set_m128": "fa128, fb128",
        "broadcastss_ps": "fa128",
        "maskload_ps": "(float*)memory, ia256",
    }.items():
        found.append((f"_mm256_{name}", f"_mm256_{name}({operands})"))
    return found


def mask_of(width: int, bits: int) -> str:
    return f"k{max(width // bits, 8)}"


def program(cases: list[tuple[str, str]]) -> str:
    setup = "".join(
        f"    __m{w}{kind} {v}a{w} = {make}, {v}b{w} = {make}, {v}c{w} = {make};\n"
        for w in (512, 256, 128)
        for kind, v, make in (
            ("", "f", f"floats<__m{w}, float>()"),
            ("d", "d", f"floats<__m{w}d, double>()"),
            ("i", "i", f"integers<__m{w}i>()"),
        )
    )
    masks = "".join(f"    __mmask{n} k{n} = (__mmask{n})draw();\n" for n in (8, 16, 32, 64))
    functions, calls = [], []
    for group in range(0, len(cases), 150):
        name = f"group{group}"
        body = "".join(
            f"    sum = results[{i}]; note({expression}); results[{i}] = sum;\n"
            for i, (_, expression) in enumerate(cases[group : group + 150], group)
        )
        functions.append(f"static void {name}(unsigned long long* results) {{\n{setup}{masks}{body}}}\n")
        calls.append(f"    for (int r = 0; r < 12; ++r) {name}(results);\n")
    report = f'    for (int i = 0; i < {len(cases)}; ++i) printf("%llx\\n", results[i]);\n'
    start = f"    static unsigned long long results[{len(cases)}];\n"
    return PROGRAM.replace("FUNCTIONS", "".join(functions)).replace("CALLS", start + "".join(calls) + report)


def run(text: str, folder: Path, name: str, flags: list[str]) -> list[str]:
    source = folder / f"{name}.cpp"
    source.write_text(text)
    done = subprocess.run(
        ["g++", "-std=c++17", "-O0", "-w", "-ffp-contract=off", *flags, source, "-o", folder / name],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[:3000]
    return subprocess.run(
        [folder / name], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()


def cpu_has_all() -> bool:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    words = set(text.split())
    names = ["avx512" + f if f in ("f", "bw", "dq", "vl", "cd", "vbmi") else "avx512_" + f for f in FEATURES]
    return set(names) <= words


def test_portable_intrinsics_equal_the_instructions(tmp_path: Path) -> None:
    cases = expressions()
    text = program(cases)
    portable = run(text, tmp_path, "portable", ["-I", str(HEADERS)])
    assert len(portable) == len(cases)
    if not cpu_has_all():
        return
    native = run(text, tmp_path, "native", NATIVE)
    wrong = sorted(
        {name for (name, _), mine, real in zip(cases, portable, native, strict=True) if mine != real}
    )
    assert not wrong, " ".join(wrong)

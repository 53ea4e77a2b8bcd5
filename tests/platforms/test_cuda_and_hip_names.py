"""The name tables of CUDA and HIP against HIP's own headers."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from xpiler.backend.hip_host import twin_of
from xpiler.platforms import cuda_names, hip

HEADERS = Path("/usr/include/hip")


@cache
def declared() -> frozenset[str]:
    """Every identifier in the headers of the installed HIP."""
    texts = (p.read_text(errors="replace") for p in HEADERS.rglob("*.h"))
    return frozenset(name for text in texts for name in re.findall(r"\b\w+\b", text))


def test_hip_declares_the_twin_of_every_runtime_name() -> None:
    runtime = {n for n in hip.NAMES if n.startswith("cuda")} | cuda_names.WITH_REGULAR_TWIN
    twins = {twin_of(name) for name in runtime}
    missing = {twin for twin in twins if twin and twin.startswith("hip") and twin not in declared()}
    assert not missing


def test_a_name_has_a_twin_or_none_but_not_both() -> None:
    assert not cuda_names.WITH_REGULAR_TWIN & cuda_names.WITHOUT_TWIN
    assert not {n for n in cuda_names.WITHOUT_TWIN if n in hip.NAMES}
    assert twin_of("cudaLaunchKernelExC") is None
    assert twin_of("myFunction") is None


@pytest.mark.parametrize("header", sorted({h for h in hip.HEADERS.values() if h.startswith("hip/")}))
def test_the_headers_of_the_runtime_exist(header: str) -> None:
    assert (HEADERS.parent / header).is_file()


def test_every_device_attribute_follows_the_rule_or_is_listed() -> None:
    assert twin_of("cudaDevAttrWarpSize") == "hipDeviceAttributeWarpSize"
    assert twin_of("cudaDevAttrMultiProcessorCount") == "hipDeviceAttributeMultiprocessorCount"
    assert twin_of("cudaDevAttrClusterLaunch") is None

"""Xpiler: verified transcompilation of tensor kernels between CUDA C, HIP, BANG C and C with AVX-512/VNNI."""

__version__ = "0.1.0"

"""`bench speed`: translated kernels against the vendor's library, in turn, in one run."""

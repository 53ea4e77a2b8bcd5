"""Faults of the kinds that translations by language models have, put into right texts: see `inject.py`."""

"""The IR of tensor programs: see `nodes.py` for all of it on one page."""

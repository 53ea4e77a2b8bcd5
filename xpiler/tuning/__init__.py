"""Tuning: right programs become fast ones. Spaces of knobs, searches, measuring, and the record of all
trials."""

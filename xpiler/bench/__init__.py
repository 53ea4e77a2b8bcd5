"""The benchmark: operators in every language, their shapes, and how many translations of them hold."""

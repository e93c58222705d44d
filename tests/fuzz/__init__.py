"""Thousands of broken files for the real product, and what must hold for each of them: see docs/hostile-input.md."""

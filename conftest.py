"""For every test and every notebook that pytest runs, wherever it is started."""

import os

# Lessons take their small budgets (pufferbench.budget); PUFFERBENCH_FAST=0 runs them as a reader does.
os.environ.setdefault("PUFFERBENCH_FAST", "1")

"""Benchmarks: the gateway beside nginx and its peers, in one interleaved run.

`python -m benchmarks` (or `make bench`) measures; docs/performance.md says what and how.
Beside it, `import_time.py` times the package's import. Linux only: it reads /proc and epolls.
"""

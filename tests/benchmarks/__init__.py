"""Benchmarks: `python -m tests.benchmarks NAME [--json]`; they print figures and never decide a test run."""

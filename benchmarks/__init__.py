"""Measurements of Nextword that anyone can make again: ``python -m benchmarks --help``."""

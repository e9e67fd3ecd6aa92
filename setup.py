"""Shim for tools that still call setup.py: Beam's `--setup_file` and image builds.

Everything is declared in pyproject.toml.
"""

from setuptools import setup

setup()

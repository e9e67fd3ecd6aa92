"""Tests of the pipeline; support holds their helpers."""

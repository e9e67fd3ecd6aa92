"""Ranking metrics for TFMA, computed from the ranks of the `rank` signature.

One metric a file; `ranks` gathers a slice's rows once for all of them,
`bootstrap` gives their intervals. The Evaluator loads them by module and class
name, so this package must be importable on its workers.
"""

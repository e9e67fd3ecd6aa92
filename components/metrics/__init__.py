"""Ranking metrics for TFMA, computed from the outputs of the `rank` signature.

One metric a file, a subclass of one in `base`, which holds its formula alone;
those of HR and NDCG, which validation needs too, stand in
trainer.ops.rank_metrics. `gather` packs a slice's rows once for all metrics into
a `table`, trainer.ops.tie_groups applies the tie rule, `intervals` and
`bootstrap` give every figure and every difference its interval. The Evaluator
loads the metrics by module and class name, so this package must be importable
on its workers.
"""

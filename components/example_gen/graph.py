"""The interactions generator's graph up to the splits: read, ordered, pruned."""

from __future__ import annotations

import apache_beam as beam

from components.example_gen import dofns
from components.example_gen.config import IngestConfig
from components.example_gen.io import reading
from components.formats.base import Format


def sorted_partitions(
    pipeline: beam.Pipeline,
    ranges: list[reading.FileRange],
    layout: Format,
    partitions: int,
    config: IngestConfig,
) -> beam.pvalue.PCollection:
    """Read partitions of users with their interactions in order, without what is to be dropped.

    Args:
      pipeline: gets the graph.
      ranges: what to read.
      layout: the format.
      partitions: into how many parts users are cut.
      config: the rules.

    Returns:
      PCollection of (partition, parts), see `dofns`.
    """
    every = [(number, (dofns.NOTHING, b"")) for number in range(partitions)]
    parts = (
        pipeline
        | "Ranges" >> beam.Create(ranges)
        | "Read" >> beam.ParDo(dofns.ReadPartitions(layout, partitions)),
        pipeline | "EveryPartition" >> beam.Create(every),
    )
    whole = (
        parts
        | "Parts" >> beam.Flatten()
        | "ByPartition" >> beam.GroupByKey()
        | "Sort" >> beam.ParDo(dofns.SortPartition(config))
    )
    if max(config.min_user_interactions, config.min_item_interactions) == 1:
        return whole
    core = (
        whole
        | "Pairs" >> beam.FlatMap(dofns.pairs_of)
        | "AllPairs" >> beam.GroupByKey()
        | "Core" >> beam.Map(dofns.core_of, config)
    )
    return whole | "Prune" >> beam.Map(dofns.prune, beam.pvalue.AsSingleton(core, default_value=[]))

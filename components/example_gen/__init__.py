"""Example generators: raw ratings to one tf.Example a user, raw items to one an item.

`component` has the two TFX components that pipeline.pipeline wires; `executor`
their Beam graphs. Inside, `io` cuts files into ranges, parses them and
writes shards, `sort_and_dedupe` orders and filters a partition's interactions,
`kcore` prunes, `splits` holds out, `catalog` joins items.
"""

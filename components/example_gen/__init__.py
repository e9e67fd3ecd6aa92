"""Example generators: raw ratings to one tf.Example a user, raw items to one an item.

`component` has the two TFX components that pipeline.pipeline wires; `executor`
their Beam graphs. Inside, `reading` cuts files into ranges and parses them,
`history` orders and filters a partition's interactions, `kcore` prunes,
`splits` holds out, `catalog` joins items, `encoding` and `writing` make files.
"""

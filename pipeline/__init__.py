"""The pipeline: what runs (configuration, wiring) and how a run is told.

`config` says what; `pipeline` wires the components; `datasets` obtains published
data; `runners` run or compile; `metadata` and `reports` tell of a run; `cli` has
the commands.
"""

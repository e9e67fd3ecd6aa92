"""The pipeline: what runs (configuration, wiring) and how a run is told.

`config` and `presets` say what; `pipeline` wires the components; `datasets`
obtains published data; the rest reports a run.
"""

"""Models, training, ranking and export; runs inside the Trainer component.

`run_fn.run_fn` is the entry point. Nothing here imports the transform package:
the Trainer reads what Transform wrote.
"""

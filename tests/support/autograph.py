"""AutoGraph, without what takes most of a small training's time."""


def leave_keras_alone() -> None:
    """Leaves the code of Keras unconverted, which AutoGraph does under its other name only."""
    from tensorflow.python.autograph.core import config

    config.CONVERSION_RULES = (config.DoNotConvert("tf_keras"), *config.CONVERSION_RULES)

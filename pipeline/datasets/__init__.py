"""Published MovieLens data and generated data, obtained once and cached."""

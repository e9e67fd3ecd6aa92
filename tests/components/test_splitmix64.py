import numpy as np

from components import splitmix64


def test_the_generator_gives_the_numbers_of_its_published_code():
    counters = np.arange(1, 6, dtype=np.uint64)
    assert splitmix64.finalize(np.uint64(1234567) + counters * splitmix64.GAMMA).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]

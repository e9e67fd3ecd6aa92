import hashlib

import numpy as np
import pyarrow as pa

from components.example_gen import hashing


def test_a_hash_is_the_start_of_blake2b():
    expected = int.from_bytes(hashlib.blake2b("é7".encode(), digest_size=8).digest(), "little")
    assert hashing.hash_ids(pa.array(["é7"])).tolist() == [expected]


def test_seeds_give_unrelated_hashes():
    words = pa.array([str(n) for n in range(100)])
    assert not np.intersect1d(hashing.hash_ids(words, 1), hashing.hash_ids(words, 2)).size


def test_no_ids_give_no_hashes():
    assert hashing.hash_ids(pa.array([], pa.string())).shape == (0,)


def test_partitions_are_contiguous_ranges_of_hash_space():
    hashes = np.sort(hashing.hash_ids(pa.array([str(n) for n in range(10_000)])))
    parts = hashing.partition_of(hashes, 7)
    assert (np.diff(parts) >= 0).all()
    assert np.bincount(parts, minlength=7).min() > 1200
    assert hashing.partition_of(np.array([0, 2**64 - 1], np.uint64), 7).tolist() == [0, 6]


def test_mixing_never_maps_two_items_of_a_user_to_one_value():
    items = hashing.hash_ids(pa.array([str(n) for n in range(10_000)]))
    user = np.full(10_000, 123456789, np.uint64)
    assert len(np.unique(hashing.mix(user, items))) == 10_000

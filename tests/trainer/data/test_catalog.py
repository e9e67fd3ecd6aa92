"""The order of the catalog, and what models derive of it."""

import numpy as np
import pytest
import tensorflow as tf

from schema import features
from schema.errors import UserError
from tests.support import planted
from trainer.data.catalog import CatalogTensors, read_catalog, standardized_years, title_words

TITLES = np.asarray(
    ["Heat (1995)", "The Heat & the Cold", "2001: A Cold, cold Night (1968)", ""], object
)


def encoded(titles):
    return np.asarray([title.encode() for title in titles], object)


def test_titles_become_their_words_without_the_year():
    words, numbers = title_words(encoded(TITLES), 1)
    assert words == ("2001", "a", "cold", "heat", "night", "the")
    named = [[words[number - 1] for number in row if number] for row in numbers.tolist()]
    assert named == [["heat"], ["the", "heat", "cold"], ["2001", "a", "cold", "night"], []]
    assert numbers.shape == (4, 4)


def test_rare_words_are_left_out():
    words, numbers = title_words(encoded(TITLES), 2)
    assert words == ("cold", "heat")
    assert numbers.tolist() == [[2, 0], [2, 1], [1, 0], [0, 0]]


def test_titles_without_a_common_word_are_all_padding():
    words, numbers = title_words(encoded(TITLES), 9)
    assert words == ()
    assert numbers.tolist() == [[0]] * 4


def test_years_are_standardized_and_unknown_ones_zero():
    years = standardized_years(np.asarray([1990, -1, 2000, 2010], np.int32))
    spread = np.sqrt(200 / 3)
    np.testing.assert_allclose(years, [-10 / spread, 0, 0, 10 / spread], rtol=1e-6)
    assert standardized_years(np.asarray([-1, -1], np.int32)).tolist() == [0.0, 0.0]
    assert standardized_years(np.asarray([1999], np.int32)).tolist() == [0.0]


def write_catalog(path, items):
    """A catalog split of (id, genres) in the order given; titles and years tell the items apart."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for number, (item, genres) in enumerate(items):
            example = tf.train.Example()
            values = example.features.feature
            values[features.ITEM_ID].bytes_list.value.append(item)
            values[features.TITLE].bytes_list.value.append(b"title " + item)
            values[features.YEAR].int64_list.value.append(1990 + number)
            values[features.GENRES].bytes_list.value.extend(genres)
            writer.write(example.SerializeToString())
    return [str(path)]


ITEMS = [(b"a", [b"Drama"]), (b"b", []), (b"c", [b"Comedy", b"Drama"]), (b"d", [b"Action"])]


def test_positions_are_vocabulary_rows_and_the_other_items_follow_in_the_files_order(tmp_path):
    files = write_catalog(tmp_path / "catalog", ITEMS)
    catalog = read_catalog(files, [b"d", b"b"], 7)
    assert catalog.item_ids.tolist() == [b"d", b"b", b"a", b"c"]
    assert catalog.titles.tolist() == [b"title d", b"title b", b"title a", b"title c"]
    assert catalog.year.tolist() == [1993, 1991, 1990, 1992]
    assert catalog.genre_names == ("Action", "Comedy", "Drama")
    assert catalog.genres.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 1, 1]]
    assert (catalog.size, catalog.num_vocabulary, catalog.num_buckets) == (4, 2, 7)
    hashed = [int(tf.strings.to_hash_bucket_fast(item, 7)) for item in (b"a", b"c")]
    assert catalog.buckets.tolist() == hashed
    assert catalog.buckets.dtype == np.int32


def test_a_catalog_may_have_no_items_beside_the_vocabulary(tmp_path):
    files = write_catalog(tmp_path / "catalog", ITEMS)
    catalog = read_catalog(files, [b"c", b"d", b"a", b"b"], 1)
    assert catalog.item_ids.tolist() == [b"c", b"d", b"a", b"b"]
    assert (catalog.num_vocabulary, len(catalog.buckets)) == (4, 0)


def test_a_catalog_that_lacks_items_of_the_vocabulary_is_an_error(tmp_path):
    files = write_catalog(tmp_path / "catalog", ITEMS)
    with pytest.raises(UserError, match="2 items of the interactions are not in the catalog"):
        read_catalog(files, [b"a", b"x", b"y"], 1)


def test_a_catalog_without_items_is_an_error(tmp_path):
    files = write_catalog(tmp_path / "catalog", [])
    with pytest.raises(UserError, match="The catalog has no items"):
        read_catalog(files, [], 1)


def test_items_have_rows_of_their_own_or_share_those_of_their_buckets():
    catalog = planted.make_catalog(6, unknown=3)
    catalog.buckets[:] = [1, 0, 1]
    tensors = CatalogTensors(catalog)
    # Three items of the vocabulary and, as make_catalog has it, one bucket.
    assert (tensors.size, tensors.num_vocabulary, tensors.num_rows) == (6, 3, 4)
    table = tf.constant([[10.0], [11.0], [12.0], [20.0], [21.0]])
    found = tensors.rows(table, tf.constant([[0, 2, 1], [5, 4, 3]]))
    assert found.numpy()[..., 0].tolist() == [[10, 12, 11], [21, 20, 21]]

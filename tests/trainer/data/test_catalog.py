"""What models derive of titles and years."""

import numpy as np

from trainer.data.catalog import standardized_years, title_words

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

"""Years off titles, genres out of fields."""

import pytest

from components.formats.reading.titles import split_genres, split_title


@pytest.mark.parametrize(
    ("text", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Two Friends (1986) ", "Two Friends", 1986),
        ("Misérables, Les (1995)", "Misérables, Les", 1995),
        ("Seven (Se7en) (1995)", "Seven (Se7en)", 1995),
        ("Death Note: Desu nôto (2006\u20132007)", "Death Note: Desu nôto", 2006),
        ("Diplomatic Immunity (2009\u2013 )", "Diplomatic Immunity", 2009),
        ("Big Bang Theory, The (2007-)", "Big Bang Theory, The", 2007),
        ("Land Before Time III (1995) (V)", "Land Before Time III", 1995),
        ("Love (Rakkaus) (1983))", "Love (Rakkaus)", 1983),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("Babylon 5", "Babylon 5", None),
        ("Class of 1984", "Class of 1984", None),
        ("1984 (1956) and after", "1984 (1956) and after", None),
        ("Agent (0007)", "Agent (0007)", None),
        ("Far Future (9999)", "Far Future (9999)", None),
        ("(1999)", "(1999)", None),
        ("  ", None, None),
    ],
)
def test_the_year_leaves_the_end_of_the_title(text, title, year):
    assert split_title(text) == (title, year)


@pytest.mark.parametrize(
    ("text", "delimiter", "genres"),
    [
        ("Animation|Children's|Comedy", "|", ["Animation", "Children's", "Comedy"]),
        ("(no genres listed)", "|", []),
        ("(no genres listed)", " ", []),
        ("unknown", " ", []),
        ("", "|", []),
        ("Sci-Fi Film-Noir", " ", ["Sci-Fi", "Film-Noir"]),
    ],
)
def test_genres_are_split_and_placeholders_dropped(text, delimiter, genres):
    assert split_genres(text, delimiter) == genres

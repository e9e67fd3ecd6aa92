import pytest

from components.columns import ColumnsConfig
from schema.errors import UserError


def test_columns_are_found_unless_they_are_named():
    assert set(dict(ColumnsConfig()).values()) == {None}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"user": ""}, "user: expected a name, got ''."),
        ({"user": False}, "user: expected text, got False."),
        ({"rating": True}, "rating: expected text, got True."),
        ({"user": "id", "item": "id"}, "item: expected another column than user's, got 'id'."),
        ({"user": "a", "timestamp": "a"}, "timestamp: expected another column than user's, got"),
    ],
)
def test_names_that_cannot_be_are_refused(values, sentence):
    with pytest.raises(UserError) as refused:
        ColumnsConfig(**values)
    assert str(refused.value).startswith(sentence)


def test_neither_ratings_nor_times_are_two_columns():
    assert ColumnsConfig(rating=False, timestamp=False).rating is False

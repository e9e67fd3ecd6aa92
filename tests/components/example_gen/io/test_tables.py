import pyarrow as pa
import pytest

from components.example_gen.io import tables
from schema.errors import UserError


def test_parts_with_different_dictionaries_come_back_as_one_table():
    parts = [
        tables.to_bytes(pa.table({"user_id": pa.array(words).dictionary_encode(), "n": numbers}))
        for words, numbers in ((["b", "a"], [1, 2]), (["c", "b", "c"], [3, 4, 5]))
    ]
    table = tables.from_bytes(parts)
    assert table.to_pydict() == {"user_id": ["b", "a", "c", "b", "c"], "n": [1, 2, 3, 4, 5]}
    assert len(tables.encoded(table, "user_id").dictionary) == 3


def test_no_parts_give_no_table():
    assert tables.from_bytes([]) is None


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("as_dictionary", [False, True])
def test_scattering_keeps_a_user_together_and_in_order(partitions, as_dictionary):
    users = pa.array([str(n % 10) for n in range(100)])
    table = pa.table(
        {"user_id": users.dictionary_encode() if as_dictionary else users, "n": range(100)}
    )
    parts = dict(tables.scatter(table, "user_id", partitions))
    assert len(parts) == partitions
    seen = {}
    for partition, part in parts.items():
        for row in part.to_pylist():
            assert seen.setdefault(row["user_id"], (partition, []))[0] == partition
            seen[row["user_id"]][1].append(row["n"])
    assert {user: numbers for user, (_, numbers) in seen.items()} == {
        str(n): list(range(n, 100, 10)) for n in range(10)
    }


def test_scattering_nothing_gives_nothing():
    assert not list(tables.scatter(pa.table({"user_id": pa.array([], pa.string())}), "user_id", 1))


def test_a_repeated_key_is_refused_by_name():
    with pytest.raises(UserError, match=r"users file: user '3' occurs more than once"):
        tables.require_unique(pa.array(["7", "3", "5", "3", "7"]), "users file: user")

import pyarrow as pa
import pytest

from components.example_gen import catalog, counts
from components.example_gen.component import CatalogExampleGen
from schema.errors import UserError
from tests.support import synthetic


def component(folder, layout):
    return CatalogExampleGen(str(folder), layout, "digest")


@pytest.mark.parametrize("layout", ["ml-100k", "ml-1m", "ml-csv", "recbole"])
def test_items_come_as_written_in_the_order_of_their_ids(tmp_path, run_generator, rows, layout):
    data = synthetic.write(tmp_path, layout, users=30, items=20)
    artifact = run_generator(component(tmp_path, layout), range_bytes=500)
    found = rows(artifact, "catalog")
    assert [row["item_id"][0] for row in found] == sorted(item.item_id for item in data.items)
    by_id = {row["item_id"][0]: row for row in found}
    assert by_id["5"]["genres"] == list(data.items[4].genres)
    assert by_id["5"]["year"] == [data.items[4].year]
    assert by_id["4"]["year"] == []
    assert artifact.split_names == '["catalog"]'
    assert artifact.get_int_custom_property(counts.ITEMS) == 20
    assert artifact.get_int_custom_property(counts.ITEMS_MISSING_FROM_CATALOG) == 0


def test_items_that_only_interactions_know_are_added_with_their_id(tmp_path, run_generator, rows):
    data = synthetic.write(tmp_path, "ml-1m", users=60, items=20)
    films = (tmp_path / "movies.dat").read_text("iso-8859-1").splitlines(keepends=True)
    (tmp_path / "movies.dat").write_text("".join(films[5:]), "iso-8859-1")
    artifact = run_generator(component(tmp_path, "ml-1m"))
    by_id = {row["item_id"][0]: row for row in rows(artifact, "catalog")}
    assert by_id.keys() == {item.item_id for item in data.items}
    assert by_id["1"] == {"item_id": ["1"], "title": [], "genres": [], "year": []}
    assert by_id["7"]["title"]
    assert artifact.get_int_custom_property(counts.ITEMS_MISSING_FROM_CATALOG) == 5


def test_without_an_items_file_the_catalog_is_every_item_mentioned(tmp_path, run_generator, rows):
    data = synthetic.write(tmp_path, "ncf", users=20, items=140)
    found = rows(run_generator(component(tmp_path, "ncf")), "catalog")
    assert all(row.keys() == {"item_id"} for row in found)
    # Held-out items and candidates count as mentioned: 99 negatives of 20 users cover the rest.
    assert {row["item_id"][0] for row in found} == {item.item_id for item in data.items}


def test_the_same_files_give_the_same_bytes_whatever_the_ranges(tmp_path, run_generator, records):
    synthetic.write(tmp_path, "ml-100k", users=30, items=20)
    once, again = (
        records(run_generator(component(tmp_path, "ml-100k"), range_bytes=size), "catalog")
        for size in (100, 1 << 20)
    )
    assert once == again


def test_an_item_described_twice_is_refused():
    items = pa.table({"item_id": ["1", "1"], "title": ["A", "B"]})
    with pytest.raises(UserError, match="items file: item '1' occurs more than once"):
        catalog.build(items, None)

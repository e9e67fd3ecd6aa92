import pyarrow as pa
import pytest

from components.example_gen.config import IngestConfig
from components.example_gen.splits import time_cutoffs
from schema.errors import UserError


def find(*parts, **shares):
    counted = [
        time_cutoffs.count_times(pa.table({"timestamp": pa.array(p, pa.int64())})) for p in parts
    ]
    return time_cutoffs.find(pa.concat_tables(counted), IngestConfig(split="temporal", **shares))


def test_shares_are_cut_off_at_the_new_end():
    assert find(range(100), test_share=0.2, valid_share=0.1) == time_cutoffs.TimeCutoffs(
        valid=72, test=80
    )


def test_partitions_count_together():
    assert (
        find([3, 5, 1], [4, 5], [2], test_share=0.5, valid_share=0.3)
        == find([3, 5, 1, 4, 5, 2], test_share=0.5, valid_share=0.3)
        == time_cutoffs.TimeCutoffs(valid=3, test=4)
    )


def test_one_timestamp_is_never_parted():
    # A tenth would be one interaction; four have the newest time.
    assert find([1, 2, 3, 4, 5, 6, 7, 7, 7, 7], test_share=0.1).test == 7


def test_a_share_below_one_interaction_takes_the_newest():
    assert find([1, 2, 3], test_share=0.01, valid_share=0.01) == time_cutoffs.TimeCutoffs(
        valid=2, test=3
    )


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([7, 7, 7, 7, 7], "test_share=0.2: nothing is older than the newest 1 of 5 interactions"),
        ([1, 1, 7, 7], "valid_share=0.1: nothing is older than the newest 1 of 2 interactions"),
    ],
)
def test_nothing_before_a_cut_is_refused(times, message):
    with pytest.raises(UserError, match=message):
        find(times)

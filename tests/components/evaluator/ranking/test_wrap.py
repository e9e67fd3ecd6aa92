"""An exported model, wrapped for evaluation."""

import numpy as np
import pytest
import tensorflow as tf

from components.evaluator.ranking.wrap import model_facts, wrap_for_evaluation
from schema.errors import UserError
from tests.support.toy_model import make_serving, row
from trainer.config.evaluation import SLICES, EvaluationConfig, ProtocolConfig
from trainer.serving.export import export

# Users u0, u1 with the histories {i0} and {i1, i2}; five items in two dimensions.
USER_CODES = np.asarray([[1.0, 0.0], [0.0, 1.0]])
ITEM_CODES = np.asarray([[9.0, 0.0], [4.0, 1.0], [3.0, 2.0], [2.0, 3.0], [1.0, 4.0]])
COUNTS = [5, 4, 4, 1, 0]
HISTORIES = [[0], [1, 2]]
GENRES = [["Drama"], ["Comedy", "Drama"], ["Comedy"], [], ["Drama"]]
YEARS = [1994, 2003, -1, 1999, 1960]
EVALUATION = EvaluationConfig(
    k=4,
    more_k=(2,),
    protocols={
        "full": ProtocolConfig(),
        "unmasked": ProtocolConfig(mask_seen=False),
        "sampled": ProtocolConfig(candidates="sampled", negatives=2),
        "mlperf": ProtocolConfig(candidates="sampled", negatives=2, mlperf=True),
    },
)

pytestmark = pytest.mark.seconds


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("exported") / "model")
    serving = make_serving(
        USER_CODES, ITEM_CODES, COUNTS, HISTORIES, k=3, genres=GENRES, years=YEARS
    )
    export(serving, path)
    return path


@pytest.fixture(scope="module")
def wrapped(exported):
    return wrap_for_evaluation(exported, EVALUATION)


def rank(wrapped, *rows):
    output = wrapped.rank(tf.constant(rows))
    return {name: values.numpy() for name, values in output.items()}


def test_the_rows_history_is_masked_and_not_the_stored_one(wrapped):
    # By u0's scores 9 4 3 2 1; i0 is history of the first row only.
    output = rank(wrapped, row("u0", ["i0"], "i2"), row("u0", ["i4"], "i2"))
    assert output["full_greater"].tolist() == [[1], [2]]
    assert output["full_ties"].tolist() == [[0], [0]]
    assert output["unmasked_greater"].tolist() == [[2], [2]]
    assert output["full_candidates"].tolist() == [4, 4]
    assert output["unmasked_candidates"].tolist() == [5, 5]
    # By counts 5 4 4 1 0.
    assert output["popularity_full_greater"].tolist() == [[0], [1]]
    assert output["popularity_full_ties"].tolist() == [[1], [1]]


def test_several_targets_stand_in_one_list_and_others_are_padded(wrapped):
    rows = [row("u1", ["i1"], ["i3", "i0", "no such item"]), row("u1", ["i0"], "i2")]
    output = rank(wrapped, *rows)
    # By u1's scores 0 1 2 3 4.
    assert output["full_greater"].tolist() == [[1, 3, 4], [2, -1, -1]]
    assert output["full_ties"].tolist() == [[0, 0, 0], [0, -1, -1]]
    # Counts 5 4 4 1 0: i2 and i0 precede i3.
    assert output["popularity_full_greater"].tolist() == [[2, 0, 4], [0, -1, -1]]
    assert output["full_candidates"].tolist() == [5, 4]


def test_a_users_own_candidates_are_taken(wrapped):
    output = rank(wrapped, row("u0", ["i0"], "i2", ["i1", "i4", "i2"]))
    assert (output["sampled_greater"].item(), output["sampled_ties"].item()) == (1, 0)
    assert output["popularity_sampled_ties"].item() == 1
    assert output["sampled_candidates"].item() == 3
    # The target scores 3, the others 4 and 1.
    assert output["sampled_positive_loss"].item() == pytest.approx(np.log1p(np.exp(-3)))
    expected = np.log1p(np.exp(4)) + np.log1p(np.exp(1))
    assert output["sampled_negative_loss"].item() == pytest.approx(expected)


def test_a_row_with_nothing_but_repetitions_has_no_weight_under_mlperf(wrapped):
    rows = [row("u0", ["i0"], "i2", ["i2", "i2"]), row("u0", ["i0"], "i2", ["i1", "i1"])]
    output = rank(wrapped, *rows)
    assert output["mlperf_weight"].tolist() == [0, 1]
    assert output["sampled_weight"].tolist() == [1, 1]
    assert output["mlperf_greater"].tolist() == [[0], [1]]


def test_every_output_of_a_row_is_the_same_in_any_batch(wrapped):
    rows = [row(f"u{number % 3}", ["i0"], ["i2", "i4"][: number % 2 + 1]) for number in range(6)]
    together = rank(wrapped, *rows)
    for number, one in enumerate(rows):
        for name, values in rank(wrapped, one).items():
            whole = together[name][number]
            if values.ndim == 2:
                whole = whole[: values.shape[1]]
            np.testing.assert_allclose(values[0], whole, rtol=1e-6, err_msg=name)


def test_an_unknown_user_is_ranked_and_served_by_popularity(wrapped):
    output = rank(wrapped, row("nobody", ["i0"], "i3"))
    assert output["full_greater"].item() == output["popularity_full_greater"].item() == 2
    assert output["top_item"].tolist() == [[1, 2, 3, 4]]


def test_served_lists_leave_out_what_was_seen_and_end_in_nothing(wrapped):
    output = rank(wrapped, row("u0", ["i0"], "i2"), row("u1", ["i1", "i3", "i4"], "i2"))
    assert output["top_item"].tolist() == [[1, 2, 3, 4], [2, 0, -1, -1]]
    np.testing.assert_allclose(output["top_share"][0], np.asarray([4, 4, 1, 0]) / 14)
    assert output["catalog_size"].tolist() == [5, 5]


def distance(one, other):
    """1 - cosine of the genres of two items."""
    shared = len(set(GENRES[one]) & set(GENRES[other]))
    return 1 - (shared / np.sqrt(len(GENRES[one]) * len(GENRES[other])) if shared else 0)


def test_diversity_is_the_mean_over_pairs_of_listed_items(wrapped):
    output = rank(wrapped, row("u0", ["i0"], "i2"), row("u1", ["i1", "i3", "i4"], "i2"))
    pairs = [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]
    expected = [np.mean([distance(*pair) for pair in pairs]), distance(2, 0)]
    np.testing.assert_allclose(output["top_diversity"], expected, rtol=1e-6)


def slices(wrapped, *rows):
    ranks, columns = wrapped.rank_and_slice(tf.constant(rows))
    for name, values in rank(wrapped, *rows).items():
        np.testing.assert_array_equal(ranks[name], values, err_msg=name)
    assert set(columns) == set(SLICES)
    return columns


def values(output, name):
    return [sorted({value.decode() for value in row}) for row in output[name].numpy()]


def test_slices_of_users(wrapped):
    rows = [
        row("u0", ["i0"], "i0", age=25, gender="F"),
        row("u1", ["i0"] * 20, "i4", age=1),
        row("u1", ["i0"] * 200, "no such item"),
    ]
    output = slices(wrapped, *rows)
    assert output["age"].numpy().tolist() == [[25], [1], [-1]]
    assert values(output, "gender") == [["F"], [""], [""]]
    assert values(output, "age_group") == [["25-34"], ["under 18"], ["unknown"]]
    assert values(output, "activity") == [
        ["1-19 interactions"],
        ["20-49 interactions"],
        ["200 or more interactions"],
    ]


def test_slices_of_targets_are_those_of_all_targets(wrapped):
    rows = [
        row("u0", ["i0"], ["i0", "i1"]),
        row("nobody", ["i0"], "i4"),
        row("u1", ["i0"], "no such item"),
        row("u1", ["i0"], "i3"),
    ]
    output = slices(wrapped, *rows)
    assert values(output, "target_popularity") == [
        ["top 1 %", "top 10-50 %"],
        ["never in training"],
        ["never in training"],
        ["bottom 50 %"],
    ]
    assert values(output, "target_genre") == [
        ["Comedy", "Drama"],
        ["Drama"],
        ["unknown"],
        ["unknown"],
    ]
    assert values(output, "target_decade") == [
        ["1990s", "2000s"],
        ["1960s"],
        ["unknown"],
        ["1990s"],
    ]
    assert values(output, "target_coldness") == [
        ["known item"],
        ["new item"],
        ["new item"],
        ["known item"],
    ]
    assert values(output, "user_coldness") == [
        ["known user"],
        ["new user"],
        ["known user"],
        ["known user"],
    ]


def test_the_same_model_under_other_settings_needs_no_other_export(exported):
    protocols = {"uni3": ProtocolConfig(candidates="sampled", negatives=3, draw="popularity")}
    wrapped = wrap_for_evaluation(exported, EvaluationConfig(k=1, protocols=protocols))
    output = rank(wrapped, row("u0", ["i0"], "i3"))
    # Of what is left, i4 has no interaction.
    assert output["uni3_candidates"].item() == 3
    assert output["top_item"].shape == (1, 1)
    assert "full_greater" not in output


def test_facts_are_those_of_the_model(wrapped):
    facts = model_facts(wrapped)
    assert facts.item_ids == (b"i0", b"i1", b"i2", b"i3", b"i4")
    assert facts.user_count == 2
    assert {"scores", "catalog", "recommend"} <= set(facts.signatures)
    assert not facts.predicts_ratings


def test_a_model_without_what_is_needed_is_refused_by_name(tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def score(self, user_id):
            return {"score": tf.zeros_like(user_id, tf.float32)}

    other = Other()
    tf.saved_model.save(other, str(tmp_path / "model"), signatures={"score": other.score})
    with pytest.raises(UserError, match="without scores, catalog, known_users") as caught:
        wrap_for_evaluation(str(tmp_path / "model"), EVALUATION)
    assert "\n" not in str(caught.value)

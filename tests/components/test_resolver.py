import pytest
from tfx.types import standard_artifacts

from components.resolver import (
    BLESSING,
    CANDIDATE,
    MODEL,
    LatestOtherBlessedModelStrategy,
    LatestPresentBlessedModelStrategy,
)


@pytest.fixture
def make(tmp_path):
    """Makes models, and blessings of them, with ids as the metadata store gives them."""

    def model(number, exists=True):
        artifact = standard_artifacts.Model()
        artifact.id = number
        artifact.uri = str(tmp_path / str(number))
        if exists:
            (tmp_path / str(number)).mkdir(exist_ok=True)
        return artifact

    def blessing(number, of, blessed=True):
        artifact = standard_artifacts.ModelBlessing()
        artifact.id = number
        artifact.set_int_custom_property("current_model_id", of)
        artifact.set_int_custom_property("blessed", int(blessed))
        return artifact

    return model, blessing


def _resolve(candidate, models, blessings):
    resolved = LatestOtherBlessedModelStrategy().resolve_artifacts(
        None, {CANDIDATE: [candidate], MODEL: models, BLESSING: blessings}
    )
    assert resolved is not None
    assert resolved[CANDIDATE] == []
    return [m.id for m in resolved[MODEL]], [b.id for b in resolved[BLESSING]]


def test_a_first_model_has_no_baseline(make):
    model, _ = make
    assert _resolve(model(1), [model(1)], []) == ([], [])


def test_a_candidate_is_never_its_own_baseline(make):
    model, blessing = make
    assert _resolve(model(1), [model(1)], [blessing(9, of=1)]) == ([], [])


def test_the_latest_other_blessed_model_is_the_baseline(make):
    model, blessing = make
    models = [model(1), model(2), model(3), model(4)]
    blessings = [blessing(11, 1), blessing(12, 2), blessing(13, 3, blessed=False), blessing(14, 4)]
    assert _resolve(model(4), models, blessings) == ([2], [12])
    assert _resolve(model(3), models, blessings) == ([4], [14])


def test_a_model_whose_files_are_gone_is_passed_over(make):
    model, blessing = make
    models = [model(1), model(2, exists=False), model(3)]
    assert _resolve(model(3), models, [blessing(11, 1), blessing(12, 2)]) == ([1], [11])


def _base(models, blessings):
    resolved = LatestPresentBlessedModelStrategy().resolve_artifacts(
        None, {MODEL: models, BLESSING: blessings}
    )
    assert resolved is not None
    return [m.id for m in resolved[MODEL]]


def test_a_training_starts_from_the_latest_blessed_model_that_is_still_there(make):
    model, blessing = make
    models = [model(1), model(2), model(3, exists=False), model(4)]
    blessings = [blessing(11, 1), blessing(12, 2), blessing(13, 3), blessing(14, 4, blessed=False)]
    assert _base(models, blessings) == [2]
    assert _base(models, []) == []


def test_a_model_that_is_blessed_again_keeps_its_first_blessing(make):
    model, blessing = make
    blessings = [blessing(11, 1), blessing(12, 1, blessed=False), blessing(13, 1)]
    assert _resolve(model(2), [model(1), model(2)], blessings) == ([1], [11])

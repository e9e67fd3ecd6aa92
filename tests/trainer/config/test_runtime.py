"""What a run may still change of a compiled training."""

import pytest

from schema.errors import UserError
from schema.settings import to_dict
from trainer.config.runtime import changed
from trainer.config.trainer import TrainerConfig

COMPILED = to_dict(TrainerConfig(epochs=7, batch_size=64))


def test_without_runtime_parameters_the_compiled_settings_hold():
    assert changed(COMPILED, {"custom_config": "{}"}) is COMPILED


def test_epochs_and_overrides_go_over_the_compiled_settings_and_the_overrides_win():
    assert changed(COMPILED, {"epochs": 3, "trainer_overrides": "{}"}) == {**COMPILED, "epochs": 3}
    text = '{"epochs": 2, "learning_rate": 0.5, "neumf.embedding_dim": 4}'
    found = changed(COMPILED, {"epochs": 3, "trainer_overrides": text})
    assert (found["epochs"], found["learning_rate"], found["batch_size"]) == (2, 0.5, 64)
    assert found["neumf"]["embedding_dim"] == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs=3", "trainer_overrides: expected a JSON object such as"),
        ("[1]", "trainer_overrides: expected a JSON object such as"),
        ('{"epoch": 3}', "trainer_overrides: Unknown key 'epoch'; did you mean 'epochs'?"),
        ('{"epochs": 0}', "trainer_overrides: epochs: expected at least 1, got 0."),
        ('{"model": "mlp"}', "model is decided when the pipeline is compiled; compile it with"),
        ('{"warm_start": true}', "warm_start is decided when the pipeline is compiled"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(text, message):
    with pytest.raises(UserError) as error:
        changed(COMPILED, {"trainer_overrides": text})
    assert message in str(error.value)

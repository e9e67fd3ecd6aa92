"""The TensorFlow Lite model beside a SavedModel, through the interpreter."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import planted
from trainer.models import registry
from trainer.models.base import DataSizes
from trainer.serving import tflite
from trainer.serving.export import export, serving_model

pytestmark = pytest.mark.seconds


@pytest.fixture(scope="module", params=["rating", "multi_task", "neumf"])
def path(request, tmp_path_factory):
    data = planted.make_dataset(users=12, items=16, length=3)
    tf.keras.utils.set_random_seed(1)
    sizes = DataSizes(data.num_users, data.context_sizes, data.catalog, data.user_oov_buckets)
    serving = serving_model(registry.build(planted.CONFIGS[request.param], sizes), data, 10)
    path = tmp_path_factory.mktemp("lite") / "model"
    export(serving, str(path), with_tflite=True)
    return path


def test_the_interpreter_scores_as_the_saved_model(path):
    folder = path / tflite.FOLDER
    users = (folder / tflite.USERS_FILE).read_bytes().splitlines()
    items = (folder / tflite.ITEMS_FILE).read_bytes().splitlines()
    asked = [(user, item) for user in (*users, b"nobody") for item in (*items, b"nothing")]
    saved = tf.saved_model.load(str(path))
    expected = saved.signatures["score"](
        user_id=tf.constant([user for user, _ in asked]),
        item_id=tf.constant([item for _, item in asked]),
    )
    runner = tf.lite.Interpreter(str(folder / tflite.MODEL_FILE)).get_signature_runner()
    user_index = [users.index(user) if user in users else len(users) + 3 for user, _ in asked]
    item_index = [items.index(item) if item in items else -1 for _, item in asked]
    found = runner(user=np.asarray(user_index, np.int32), item=np.asarray(item_index, np.int32))
    assert found.keys() == expected.keys()
    known = np.asarray([item in items for _, item in asked])
    for name, values in expected.items():
        assert np.ptp(values.numpy()[known]) > 1e-3
        np.testing.assert_allclose(found[name][known], values.numpy()[known], rtol=0, atol=1e-5)
    # Of an unknown item; newer converters write the lowest finite number.
    assert np.all(found["score"][~known] <= np.finfo(np.float32).min)
    assert np.isnan(found.get("rating", np.full(len(asked), np.nan))[~known]).all()


def test_nothing_is_converted_unless_asked_for(path, tmp_path):
    assert (path / tflite.FOLDER / tflite.MODEL_FILE).stat().st_size > 0
    from tests.support.toy_model import make_serving

    export(make_serving(np.eye(2), np.eye(2), [1, 1], [[0], [1]]), str(tmp_path / "model"))
    assert not (tmp_path / "model" / "assets.extra").exists()

"""Every registered model conforms."""

import pytest

from tests.support import planted
from tests.support.conformance import Conformance
from trainer.config.models import MODELS

pytestmark = pytest.mark.seconds


def test_every_model_has_a_planted_configuration():
    assert set(planted.CONFIGS) == set(MODELS)


class TestRegisteredModels(Conformance):
    @pytest.fixture(scope="class", params=sorted(MODELS))
    def config(self, request):
        return planted.CONFIGS[request.param]

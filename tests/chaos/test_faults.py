"""Random faults in small pipelines: a plain restart ends as an undisturbed run does.

`make chaos` draws two hundred, `ARGS="--chaos-seed 7"` the same again; a sample of
ten is among the default tests.
"""

import random
import secrets

import pytest

from tests.support.chaos import Chaos

SAMPLE = 10


@pytest.fixture(scope="module")
def chaos(tmp_path_factory):
    running = Chaos(tmp_path_factory.mktemp("chaos"), lambda text: print(text, flush=True))
    yield running
    running.close()


def _needing_a_hand(chaos, seed, faults):
    results = [chaos.round(random.Random(f"{seed} {number}")) for number in range(faults)]
    return {result.fault: result.problems for result in results if result.problems}


@pytest.mark.chaos
@pytest.mark.timeout(0)
def test_faults_that_were_never_drawn_before_are_survived(chaos, request):
    seed = request.config.getoption("--chaos-seed")
    seed = secrets.randbelow(10**9) if seed is None else seed
    faults = request.config.getoption("--chaos-faults")
    print(f"--chaos-seed {seed} --chaos-faults {faults}", flush=True)
    wrong = _needing_a_hand(chaos, seed, faults)
    print(f"{faults} faults, {faults - len(wrong)} survived, {len(wrong)} needed a hand")
    assert not wrong, seed

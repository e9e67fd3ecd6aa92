"""Random faults in small pipelines: a plain restart ends as an undisturbed run does.

`make chaos` draws two hundred, `ARGS="--chaos-seed 7"` the same again; a sample of
ten is among the default tests.
"""

import contextlib
import random
import secrets

import pytest

from tests.support.chaos.faults import Chaos

# Of faults that cost little.
SAMPLE, SAMPLE_SEED, SAMPLE_OF = 10, 1, {"Pusher": 1}


@contextlib.contextmanager
def _chaos(tmp_path_factory, **options):
    folder = tmp_path_factory.mktemp("chaos")
    running = Chaos(folder, lambda text: print(text, flush=True), **options)
    try:
        running.prepare()
        yield running
    finally:
        running.close()


def _needing_a_hand(chaos, seed, faults):
    results = [chaos.round(random.Random(f"{seed} {number}")) for number in range(faults)]
    return {result.fault: result.problems for result in results if result.problems}


@pytest.mark.e2e
@pytest.mark.slow
def test_a_sample_of_faults_is_survived(tmp_path_factory):
    with _chaos(tmp_path_factory, components=SAMPLE_OF) as chaos:
        assert not _needing_a_hand(chaos, SAMPLE_SEED, SAMPLE)


@pytest.mark.chaos
@pytest.mark.timeout(0)
def test_faults_that_were_never_drawn_before_are_survived(tmp_path_factory, request):
    seed = request.config.getoption("--chaos-seed")
    seed = secrets.randbelow(10**9) if seed is None else seed
    faults = request.config.getoption("--chaos-faults")
    print(f"--chaos-seed {seed} --chaos-faults {faults}", flush=True)
    with _chaos(tmp_path_factory) as chaos:
        wrong = _needing_a_hand(chaos, seed, faults)
    print(f"{faults} faults, {faults - len(wrong)} survived, {len(wrong)} needed a hand")
    assert not wrong, f"--chaos-seed {seed}"

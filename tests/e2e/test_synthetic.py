"""A dry run on generated data, as a user starts it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_generated_data_goes_through_the_whole_pipeline(tmp_path):
    command = [sys.executable, str(ROOT / "local_runner.py"), f"--output={tmp_path / 'out'}"]
    records = tmp_path / "records" / "metadata.sqlite"
    command += ["--metadata", str(records)]
    command += ["--data", "synthetic:users=400,items=120,interactions=8000,groups=4,affinity=0.9"]
    for setting in ("epochs=12", "learning_rate=0.01", "batch_size=512", "warm_start=true"):
        command += ["--set", f"trainer.{setting}"]
    # test_pipeline.py has the rest.
    for setting in ("metrics=[hr, ndcg]", "slices=[]", "protocols={full: {}}"):
        command += ["--set", f"evaluation.{setting}"]
    command += ["--set", "trainer.validation_protocol=full"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "cold start, no model was blessed here before" in result.stdout
    (folder,) = (tmp_path / "cache/movielens-tfx/datasets").glob("synthetic-400-120-8000-*")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["run"]["data"], summary["run"]["format"]) == (str(folder), "ml-1m")
    assert summary["run"]["metadata"] == str(records)
    assert records.exists()
    assert not (tmp_path / "out" / "metadata.sqlite").exists()
    counts = summary["data"]["interactions"]
    assert (counts["users"], counts["interactions"]) == (400, 8000)
    assert counts["users_in_train_only"] == counts["duplicates"] == 0
    assert summary["data"]["catalog"] == {"items": 120, "items_missing_from_catalog": 0}
    metrics = summary["metrics"][0]["metrics"]
    assert summary["training"]["warm_start"]["base_model"] is None
    planted, popular = metrics["ndcg@10_full"], metrics["popularity_ndcg@10_full"]
    assert planted["lower"] > 1.2 * popular["value"]

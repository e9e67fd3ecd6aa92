"""What watches the served folder sees what a server would stumble over."""

import time

import pytest

from tests.support.served_watch import Watch

pytestmark = pytest.mark.seconds


def test_half_a_version_and_one_that_changes_are_told(tmp_path):
    served = tmp_path / "served"
    watch = Watch(served)
    try:
        watch.start()
        (served / "7" / "variables").mkdir(parents=True)
        (served / ".unfinished-8").mkdir()
        time.sleep(2.0)
        (served / "7" / "saved_model.pb").write_text("graph")
        wrong, versions = watch.stop()
        assert versions == ["7"]
        assert wrong[0].startswith("7 cannot be loaded: OSError")
        assert wrong[1].startswith("7 changed after it appeared: {} {'saved_model.pb'")
        watch.start()
        (served / "7" / "saved_model.pb").unlink()
        assert watch.stop()[0]
    finally:
        watch.close()

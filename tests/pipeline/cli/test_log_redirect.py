"""In a process of its own: the streams of this one belong to pytest."""

import subprocess
import sys

import pytest

_SCRIPT = """
import logging, os, sys, threading, warnings
from pipeline.cli import log_redirect
with log_redirect.redirect_output(sys.argv[1]) as out:
    print("printed")
    os.write(1, b"written to 1\\n")
    os.write(2, b"written to 2\\n")
    logging.getLogger("tfx").info("logged")
    logging.getLogger("quiet").debug("details")
    logging.getLogger("apache_beam.io").info("of a transform")
    logging.getLogger("apache_beam.io").warning("of Beam")
    logging.getLogger("absl").info("node {\\n  id: 1\\n}")
    logging.getLogger("absl").warning("both\\nlines")
    warnings.warn("warned")
    print("for people", file=out)
    print("progress", file=sys.stderr)
    if sys.argv[2] == "fail":
        raise RuntimeError("inside")
print("after")
"""


def _run(tmp_path, mode):
    log = tmp_path / "run.log"
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(log), mode],
        capture_output=True,
        text=True,
        check=False,
    )
    return result, log.read_text()


def test_chatter_goes_to_the_file_and_the_rest_to_the_console(tmp_path):
    result, log = _run(tmp_path, "pass")
    assert result.stdout == "for people\nafter\n"
    assert result.stderr == "progress\n"
    for piece in ("printed", "written to 1", "written to 2", "logged", "warned"):
        assert piece in log
    assert "details" not in log


def test_the_log_is_spared_notices_of_beam_and_printed_protocol_buffers(tmp_path):
    _, log = _run(tmp_path, "pass")
    assert "of a transform" not in log
    assert "of Beam" in log
    assert "node { [2 more lines]\n" in log
    assert "both\nlines\n" in log


def test_the_streams_come_back_when_something_is_raised(tmp_path):
    result, _ = _run(tmp_path, "fail")
    assert result.returncode == 1
    assert "RuntimeError: inside" in result.stderr


_FULL = """
import logging, sys
from pipeline.cli import log_redirect
with log_redirect.redirect_output("/dev/full") as out:
    logging.getLogger("tfx").warning("logged")
    print("for people", file=out)
    if sys.argv[1] == "broken":
        logging.getLogger("tfx").warning("%d", "no number")
"""


@pytest.mark.parametrize("mode", ["pass", "broken"])
def test_a_log_on_a_full_disk_ends_nothing_and_shows_no_traceback(mode):
    command = [sys.executable, "-c", _FULL, mode]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert result.stdout == "for people\n"
    # Mistakes in our own words to the log are told as ever.
    assert ("--- Logging error ---" in result.stderr) == (mode == "broken")

"""`movielens-dataset`: what it prints, and what it answers to mistakes."""

import pytest

from pipeline.cli import dataset
from pipeline.datasets import published


def test_the_command_lists_names_and_tells_mistakes(capsys, tmp_path):
    assert dataset.main(["--list"]) == 0
    assert "ml-latest-small  1.0 MB" in capsys.readouterr().out
    assert dataset.main(["ml-7", "--cache-dir", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: dataset: expected one of ml-100k")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: expected the name of a dataset; --list shows them.\n"),
        (["--lists"], "error: unrecognized arguments: --lists; --help lists the arguments.\n"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_sentence(capsys, arguments, message):
    assert dataset.main(arguments) == 2
    assert capsys.readouterr() == ("", message)


def test_folders_are_printed_one_a_line_and_an_interrupt_is_no_traceback(capsys, monkeypatch):
    monkeypatch.setattr(published, "obtain", lambda name, cache: f"{cache}/{name}")
    assert dataset.main(["a", "b", "--cache-dir", "kept"]) == 0
    assert capsys.readouterr().out == "kept/a\nkept/b\n"

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(published, "obtain", interrupt)
    assert dataset.main(["a"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")

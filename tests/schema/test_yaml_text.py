"""YAML text gives plain values, or YAML's own kind of error; a key that stands twice is refused."""

import datetime

import pytest
import yaml

from schema import yaml_text


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("a: 1\nb: 2\na: 3\n", "a", (1, 3)),
        ("x:\n  a: {k: 1,\n   k: 2}\n", "k", (2, 3)),
        # Settings read both as the text "2024".
        ("2024: 1\n'2024': 2\n", "2024", (1, 2)),
        ("x: &x {a: 1}\ny: &y {b: 1}\nz:\n  <<: *x\n  <<: *y\n", "<<", (4, 5)),
        ("- {}\n- a: 1\n  a: 1\n", "a", (2, 3)),
    ],
)
def test_a_repeated_key_is_refused_with_both_lines(text, key, lines):
    with pytest.raises(yaml_text.RepeatedKeyError) as caught:
        yaml_text.load(text)
    assert caught.value.problem == f"the key {key!r} stands in line {lines[0]} too"
    assert caught.value.problem_mark.line + 1 == lines[1]


@pytest.mark.parametrize(
    "text",
    [
        "a: {k: 1}\nb: {k: 2}\n",
        # A mapping's own keys win over those that it takes from another.
        "base: &base {k: 1, l: 1}\nx: &x\n  k: 2\n  <<: *base\ny: {<<: *x, k: 3}\n",
        "=: 1\nb: [1, 2]\n",
        "- 1\n- {a: null, A: 1}\n",
        "",
    ],
)
def test_what_is_no_repetition_reads_as_before(text):
    assert yaml_text.load(text) == yaml.safe_load(text)


def test_values_are_those_of_yaml():
    values = {"a": [1, 0.5, True, None, "x"], "b": datetime.date(2024, 5, 31), "c": 2**64 - 1}
    assert yaml_text.load(yaml.safe_dump(values)) == values
    assert yaml_text.load("# nothing") is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("2024-13-01", "a value that is no timestamp"),
        ("2024-05-31T99:00:00Z", "a value that is no timestamp"),
        ("!!timestamp x", "a value that is no timestamp"),
        ("0b_", "a value that is no int"),
        ("!!int x", "a value that is no int"),
        ("!!float x", "a value that is no float"),
        ("!!bool x", "a value that is no bool"),
        ("9" * 5000, "a value that is no int|more than 64 bits"),
        ("0x" + "f" * 5000, "a whole number of more than 64 bits"),
        ("18446744073709551616", "a whole number of more than 64 bits"),
        ("!!python/name:os.system", "could not determine a constructor"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_line(value, problem):
    with pytest.raises(yaml.MarkedYAMLError, match=problem) as caught:
        yaml_text.load(f"a: 1\nb: {value}\n")
    assert caught.value.problem_mark.line == 1


def test_endless_nesting_is_refused():
    with pytest.raises(yaml.YAMLError, match="nested too deep"):
        yaml_text.load("[" * 1500)

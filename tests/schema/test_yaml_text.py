"""A key that stands twice is refused; what YAML allows stays allowed."""

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

"""The memory that may be used, in containers of either version of control groups."""

import os

import pytest

from trainer.ops.memory import usable_memory

PHYSICAL = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
# What the kernel writes where version 1 knows no limit.
UNLIMITED = "9223372036854771712"
V1 = "13:misc:/\n5:cpu,cpuacct:/docker/ab\n3:memory:/docker/ab\n0::/docker/ab\n"


def _system(root, groups, limits):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for path, limit in limits.items():
        file = root / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{limit}\n")
    return root


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": 2**20}, 2**20),
        ("0::/\n", {"memory.max": "max"}, PHYSICAL),
        # The least of a group and of those that it is in.
        (
            "0::/pods/one\n",
            {"pods/one/memory.max": "max", "pods/memory.max": 2**21, "memory.max": 2**22},
            2**21,
        ),
        # The machine's path, and the container's own group at the top.
        ("0::/../../ab\n", {"memory.max": 2**20}, 2**20),
        (V1, {"memory/memory.limit_in_bytes": 2**20}, 2**20),
        (V1, {"memory/docker/ab/memory.limit_in_bytes": 2**19}, 2**19),
        (V1, {"memory/memory.limit_in_bytes": UNLIMITED}, PHYSICAL),
        ("0::/\n", {}, PHYSICAL),
        ("0::/\n", {"memory.max": 2**62}, PHYSICAL),
    ],
)
def test_the_least_limit_counts(tmp_path, groups, limits, expected):
    assert usable_memory(_system(tmp_path, groups, limits)) == expected


def test_where_there_are_no_groups_the_machine_counts(tmp_path):
    assert usable_memory(tmp_path) == PHYSICAL
    assert 0 < usable_memory() <= PHYSICAL

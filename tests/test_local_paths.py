"""Data paths may be URIs: who touches this machine's files in another way, and why.

`os.path.join`, `dirname`, `basename`, `split` and `splitext` only cut and join
texts at slashes, which URIs have too; they stay free. What asks or changes the
machine's own file system is named here or forbidden.
"""

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("schema", "transform", "trainer", "components", "pipeline")
RUNNERS = ("local_runner.py", "kubeflow_runner.py")

MODULES = {"glob", "pathlib", "shutil", "sqlite3", "tempfile", "zipfile"}
FUNCTIONS = {
    "open",
    *(f"io.{name}" for name in ("open", "FileIO")),
    *(f"np.{name}" for name in ("fromfile", "genfromtxt", "loadtxt", "memmap", "savetxt")),
    *(f"pa.{name}" for name in ("memory_map", "OSFile", "input_stream", "output_stream")),
    *(f"os.{name}" for name in ("access", "chdir", "chmod", "fdopen", "getcwd", "link", "listdir")),
    *(f"os.{name}" for name in ("lstat", "makedirs", "mkdir", "mkfifo", "open", "readlink")),
    *(f"os.{name}" for name in ("remove", "removedirs", "rename", "renames", "replace", "rmdir")),
    *(f"os.{name}" for name in ("scandir", "stat", "symlink", "truncate", "unlink", "utime")),
    *(f"os.{name}" for name in ("walk", "fwalk")),
    *(f"os.path.{name}" for name in ("abspath", "exists", "expanduser", "getmtime", "getsize")),
    *(f"os.path.{name}" for name in ("isabs", "isdir", "isfile", "islink", "ismount", "lexists")),
    *(f"os.path.{name}" for name in ("normpath", "realpath", "relpath", "samefile")),
}
_CACHE = "published and generated data sets are kept in the user's cache on this machine"
# What each file may use, and why.
ALLOWED = {
    "schema/atomic_write.py": ({"os.open"}, "the disk of this machine is waited for"),
    "schema/conditional_file.py": (
        {"os.open", "os.stat", "os.unlink"},
        "on this machine the operating system locks what is compared",
    ),
    "schema/lease.py": ({"open", "os.readlink"}, "processes of this machine"),
    "components/evaluator/analysis.py": ({"tempfile"}, "Arrow writes to local files; then copied"),
    "pipeline/datasets/archive.py": ({"pathlib", "zipfile"}, _CACHE),
    "pipeline/config/beam_options.py": (
        {"os.path.abspath", "os.path.isfile"},
        "Beam packs --setup_file and the like on this machine",
    ),
    "pipeline/cli/log_redirect.py": (
        {"open", "os.fdopen", "os.open"},
        "the log takes file descriptors",
    ),
    "pipeline/cli/raw_data.py": (
        {"os.path.exists", "os.path.abspath"},
        "paths that are no URIs",
    ),
    "pipeline/config/run.py": ({"pathlib"}, "--config and --cluster lie beside whoever runs us"),
    "pipeline/file_list.py": ({"pathlib"}, "folders of this machine, which may lose files"),
    "pipeline/runners/operators.py": ({"pathlib"}, "artifacts that are no URIs"),
    "pipeline/metadata/lost_artifacts.py": ({"pathlib"}, "artifacts that are no URIs"),
    "pipeline/datasets/published.py": ({"pathlib", "tempfile"}, _CACHE),
    "pipeline/datasets/download.py": ({"pathlib"}, _CACHE),
    "pipeline/cli/evaluate.py": (
        {"os.access", "os.path.abspath", "os.path.isdir", "tempfile"},
        "--ranks that is no URI, and what is gone when the command ends",
    ),
    "pipeline/source_digest.py": ({"pathlib"}, "our own sources"),
    "pipeline/cli/lineage.py": (
        {"os.path.abspath", "os.path.exists", "os.path.isfile", "pathlib"},
        "its SQLite file, and served folders that are no URIs",
    ),
    "pipeline/metadata/pushed_models.py": ({"os.path.abspath"}, "paths that are no URIs"),
    "pipeline/metadata/store.py": (
        {"os.makedirs", "os.path.abspath", "os.path.isfile"},
        "ML Metadata's SQLite is a file of this machine",
    ),
    "pipeline/datasets/synthetic.py": ({"open", "pathlib"}, _CACHE),
    "pipeline/cli/processes.py": ({"pathlib"}, "processes of this machine"),
    "pipeline/cli/output_folder.py": (
        {"pathlib", "tempfile"},
        "lock, log, SQLite and temporary files",
    ),
    "trainer/ops/memory.py": ({"pathlib"}, "the limits of this machine and container"),
    "trainer/training/checkpoint.py": ({"zipfile"}, "what NumPy raises of a damaged file"),
    "local_runner.py": ({"pathlib"}, "the name of the --config file"),
}


def _local(source):
    """The modules and functions of the lists that a source uses."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} & MODULES
            found |= {f"{node.module}.{alias.name}" for alias in node.names} & FUNCTIONS
        elif isinstance(node, ast.Name | ast.Attribute):
            found |= {ast.unparse(node)} & FUNCTIONS
    return found


def _sources():
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")
    yield from (ROOT / runner for runner in RUNNERS)


def test_only_who_has_a_reason_touches_files_of_this_machine():
    found = {
        path.relative_to(ROOT).as_posix(): _local(path.read_text(encoding="utf-8"))
        for path in _sources()
    }
    assert len(found) > 100
    used = {name: local for name, local in found.items() if local}
    assert used == {name: names for name, (names, _) in ALLOWED.items()}


def test_the_rule_sees_calls_in_any_dress():
    for source in (
        "open(path)",
        "with open(path) as f: pass",
        "read = open",
        "os.path.exists(x)",
        "from os.path import isdir",
        "from os import rename",
        "import shutil",
        "from pathlib import Path",
        "from glob import glob",
        "np.loadtxt(x)",
    ):
        assert _local(source), source
    for source in (
        "fileio.open(path)",
        "os.path.join(a, b)",
        "tf.io.gfile.rename(a, b)",
        "x.open()",
    ):
        assert not _local(source), source

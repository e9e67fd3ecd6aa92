"""Names that PyPI has too resolve to ours, the wheel holds what runs, the image what it needs."""

import importlib.util
import os
import pathlib
import re
import shlex
import subprocess
import zipfile

import pytest

from pipeline.backend import KFP, VERTEX, Backend
from pipeline.config.cluster import ClusterConfig
from pipeline.config.run import RunConfig, override
from pipeline.pipeline import RunPaths, create_pipeline
from tests.support import wheel

ROOT = wheel.ROOT
PACKAGES = wheel.PACKAGES


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return wheel.build(tmp_path_factory.mktemp("wheel"))


@pytest.mark.parametrize("name", [*PACKAGES, "local_runner", "kubeflow_runner"])
def test_our_top_level_names_resolve_to_this_repository(name):
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert pathlib.Path(spec.origin).is_relative_to(ROOT)


@pytest.mark.seconds
def test_the_wheel_holds_every_module_and_the_schema_files(built):
    sources = [p for package in PACKAGES for p in (ROOT / package).rglob("*.py")]
    wanted = {p.relative_to(ROOT).as_posix() for p in sources}
    wanted |= {*wheel.MODULES, "schema/interactions.pbtxt", "schema/catalog.pbtxt"}
    with zipfile.ZipFile(built) as opened:
        names = set(opened.namelist())
    assert wanted <= names
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {*PACKAGES, *wheel.MODULES}


def _executors():
    """Dotted names that the compiled pipelines hand to their containers."""
    pytest.importorskip("kfp")
    from pipeline.runners.kubeflow import ClusterRunner

    config = override(RunConfig(), ["tune.trials=1"])
    names = set()
    for target in (VERTEX, KFP):
        places = RunPaths("data", "ml-100k", "artifacts", "serving")
        made = create_pipeline("name", config, places, backend=Backend(target))
        job = ClusterRunner(target, ClusterConfig(), "p.json").run(made, write_out=False)
        for executor in job["pipelineSpec"]["deploymentSpec"]["executors"].values():
            arguments = executor.get("container", {}).get("args", [None])
            names |= set(arguments[1:2])
    return names


@pytest.mark.seconds
def test_what_a_cluster_calls_imports_from_the_wheel_alone(built, tmp_path):
    called = _executors() | {
        "trainer.run_fn.run_fn",
        "transform.preprocessing.preprocessing_fn",
        "components.evaluator.gate.run_gate.run_gate",
        "pipeline.cli.dataset.main",
        "pipeline.cli.evaluate.main",
        "kubeflow_runner.main",
        "local_runner.main",
        "pipeline.cli.lineage.main",
        "components.trainer.vertex.Executor",
    }
    assert "components.trainer.executor.Executor" in called
    programs = wheel.environment(built, tmp_path / "environment")
    code = f"""
import importlib, pathlib, sys
for name in {sorted(called)}:
    module, _, attribute = name.rpartition(".")
    found = importlib.import_module(module)
    getattr(found, attribute)
    if not module.startswith("tfx."):
        assert pathlib.Path(found.__file__).is_relative_to({str(tmp_path)!r}), found.__file__
"""
    subprocess.run(
        [str(programs / "python"), "-c", code],
        check=True,
        cwd=tmp_path,
        env=wheel.variables(programs, tmp_path),
    )
    for script in ("movielens-dataset", "movielens-evaluate", "movielens-lineage"):
        assert (programs / script).exists()


def _dockerfile():
    """Instructions of the Dockerfile as (name, rest), continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def _copied():
    """Paths of the repository that the Dockerfile copies."""
    words = [shlex.split(rest) for name, rest in _dockerfile() if name == "COPY"]
    return {p for line in words if not line[0].startswith("--from") for p in line[:-1]}


def test_the_image_copies_what_the_wheel_is_made_of_and_nothing_that_is_not_there():
    copied = _copied()
    assert all((ROOT / path).exists() for path in copied)
    assert copied == {
        *PACKAGES,
        *wheel.FILES,
        "uv.lock",
        ".python-version",
    }
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied


def test_the_image_agrees_with_the_other_places_that_name_versions():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    version = (ROOT / ".python-version").read_text(encoding="utf-8").strip()
    assert set(re.findall(r"PYTHON_IMAGE=python:([0-9.]+)-", text)) == {version}
    assert set(re.findall(r"python(3\.[0-9]+)", text)) == {version}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (uv,) = re.findall(r"uv==([0-9.]+)", text)
    assert f"UV_VERSION := {uv}\n" in makefile


def test_the_image_takes_nothing_from_elsewhere_that_cannot_be_pinned():
    steps = _dockerfile()
    images = dict(rest.split("=", 1) for name, rest in steps if name == "ARG" and "IMAGE" in rest)
    stages = {rest.split(" AS ")[1] for name, rest in steps if name == "FROM" and " AS " in rest}
    for name, rest in steps:
        if name == "FROM":
            assert rest.split()[0] in {*(f"${image}" for image in images), *stages}
        if name == "COPY" and (source := re.match(r"--from=(\S+)", rest)):
            assert source[1] in stages
    (uv,) = [rest for name, rest in steps if name == "RUN" and "uv==" in rest]
    assert re.search(r"uv==[0-9.]+ --hash=sha256:[0-9a-f]{64}\b.*--require-hashes", uv)


def test_the_image_runs_without_root_and_with_the_environment_of_the_stack(tmp_path):
    steps = _dockerfile()
    final = steps[max(i for i, (name, _) in enumerate(steps) if name == "FROM") :]
    (user,) = [rest for name, rest in final if name == "USER"]
    assert user == "movielens"
    assert any(f"useradd --uid 1000 --create-home {user}" in rest for _, rest in final)
    set_there = " ".join(rest for name, rest in final if name == "ENV")
    name, value = "TF_USE_LEGACY_KERAS", wheel.variables(tmp_path, tmp_path)["TF_USE_LEGACY_KERAS"]
    assert f"{name}={value}" in set_there


def test_the_image_starts_beam_workers_of_the_locked_version_in_its_own_environment():
    steps = _dockerfile()
    final = steps[max(i for i, (name, _) in enumerate(steps) if name == "FROM") :]
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    versions = re.findall(r'name = "apache-beam"\nversion = "([0-9.]+)"', lock)
    assert ("COPY", "--from=beam /opt/apache/beam /opt/apache/beam") in final
    assert ("FROM", "$BEAM_IMAGE AS beam") in steps
    (image,) = [rest for name, rest in steps if name == "ARG" and rest.startswith("BEAM_IMAGE=")]
    python, beam = re.search(r"=apache/beam_python([0-9.]+)_sdk:([0-9.]+)$", image).groups()
    assert python == (ROOT / ".python-version").read_text(encoding="utf-8").strip()
    # Of the stack of Python 3.10, the lower of the two.
    assert beam == min(versions, key=lambda version: tuple(map(int, version.split("."))))
    (started,) = [rest for name, rest in final if name == "ENTRYPOINT"]
    assert started == '["/opt/apache/beam/boot"]'
    assert "CMD" not in {name for name, _ in final}
    set_there = " ".join(rest for name, rest in final if name == "ENV")
    assert "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1" in set_there


def test_the_variants_differ_by_an_extra_of_the_lock_file():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    cpu, cuda = (re.search(rf"{name}\) (uv sync.*?) ;;", text)[1] for name in ("cpu", "cuda"))
    assert cuda == f"{cpu} --extra cuda"
    assert "--frozen" in cpu
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    assert 'name = "nvidia-cudnn-cu12"' in lock
    for library in re.findall(r"\$NVIDIA/(\w+)", text):
        assert f'name = "nvidia-{library.replace("_", "-")}-cu12"' in lock, library


def test_make_image_says_what_is_missing(tmp_path):
    """With no docker on the path, and with one whose daemon does not answer."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "make", "uv"):
        found = next(
            (p for d in os.get_exec_path() if (p := pathlib.Path(d) / name).exists()), None
        )
        if found:
            (tools / name).symlink_to(found)

    def make():
        command = [str(tools / "make"), "-f", str(ROOT / "Makefile"), "image"]
        command.insert(1, "SHELL=" + str(tools / "bash"))
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PATH": str(tools), "HOME": str(tmp_path)},
        )
        assert result.returncode != 0
        return result.stderr

    assert "docker is missing; install Docker 23" in make()
    (tools / "docker").write_text(f"#!{tools / 'bash'}\nexit 1\n")
    (tools / "docker").chmod(0o755)
    assert "docker is here, but no daemon answers it" in make()

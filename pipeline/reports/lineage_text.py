"""The report on a pushed model in words, as `movielens-lineage` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from pipeline.node_ids import TUNER
from schema.plain_text import printable

_DIGITS = 12
_POPULARITY = "popularity_"


def render(report: dict[str, Any]) -> str:
    """Put a report into words.

    Args:
      report: from pipeline.reports.lineage_json.build.

    Returns:
      Lines of text, a section a topic.
    """
    sections = (
        ("model", _model(report)),
        ("data", _data(report["data"])),
        (
            "code: digests of the sources, and whether those here are the same",
            _code(report["code"]),
        ),
        ("metrics", _metrics(report["metrics"])),
        ("gate", _gate(report["gate"])),
        ("other models", _others(report["other_models"])),
        ("parents, from the push down to the raw files", _parents(report)),
        ("configuration", _configuration(report)),
    )
    written = [(title, list(lines)) for title, lines in sections]
    return "\n".join(
        "\n".join([title, *(f"  {printable(line)}".rstrip() for line in lines), ""])
        for title, lines in written
        if lines
    )


def _table(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Align cells in columns; the last column has any width."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in cells), strict=True)]
    for row in cells:
        yield "  ".join([*(c.ljust(w) for c, w in zip(row[:-1], widths, strict=True)), row[-1]])


def _model(report: dict[str, Any]) -> Iterator[str]:
    model = report["model"]
    rows = [
        ("pushed", model["pushed_model"]),
        ("trained", _training(report["training"])),
        ("artifact", f"{model['artifact']} {model['uri']}"),
        ("time", model["time"]),
        ("run", f"{model['run']} of pipeline {model['pipeline']}"),
    ]
    if reused := model["reused_by"]:
        more = f", the last {reused[-1]}" if len(reused) > 1 else f" ({reused[-1]})"
        runs = "runs" if len(reused) > 1 else "run"
        rows.append(("reused", f"by {len(reused)} later {runs}{more}"))
    rows += [("TFX", str(model["tfx"])), ("metadata", report["metadata"])]
    return _table(rows)


def _training(told: dict[str, Any] | None) -> str:
    if told is None:
        return "what the Trainer told is no longer there"
    reached = ", ".join(f"{name} {value:.4f}" for name, value in told["best_validation"].items())
    # Figures of ratings have no protocol.
    if "ndcg" in told["best_validation"]:
        reached += f" under {told['validation_protocol']}"
    return f"{told['model']}, best epoch {told['best_epoch']} of {told['epochs']}, valid {reached}"


def _data(generators: list[dict[str, Any]]) -> Iterator[str]:
    for one in generators:
        yield f"{one['component']}, format {one['format']}"
        yield from (
            f"  {line}" for line in _table((f["path"], f["fingerprint"]) for f in one["files"])
        )
        yield "  " + ", ".join(f"{n} {name}" for name, n in one["counts"].items() if n)


def _code(digests: list[dict[str, Any]]) -> Iterator[str]:
    return _table(
        (
            one["component"],
            one["digest"][:_DIGITS],
            "the same" if one["same_here"] else "others here",
        )
        for one in digests
    )


def _metrics(slices: list[dict[str, Any]] | None) -> Iterator[str]:
    if slices is None:
        yield "the evaluation is no longer there"
        return
    overall = slices[0]
    own, blessed = overall["metrics"], overall["baseline"]
    yield f"all {overall['count']} users (by slice: --json)"
    head = ["", "value", "95 % interval", "popularity's"] + ["last blessed's"] * bool(blessed)
    rows = [head]
    for name, figure in own.items():
        if name.startswith(_POPULARITY) or "_lift" in name:
            continue
        row = [name, _number(figure), f"[{figure['lower']:.4f}, {figure['upper']:.4f}]"]
        row.append(_number(own.get(_POPULARITY + name)))
        rows.append(row + [_number(blessed.get(name))] * bool(blessed))
    yield from _table(rows)


def _number(figure: dict[str, float] | None) -> str:
    return "" if figure is None else f"{figure['value']:.4f}"


def _gate(gate: dict[str, Any] | None) -> Iterator[str]:
    if gate is None:
        return
    if gate["forced"] is not None and not gate["passed"]:
        yield f"blessed by force ({gate['forced']}), although:"
    else:
        yield "blessed: every rule is met"
    yield from (f"  {sentence}" for sentence in (*gate["reasons"], *gate["notes"]))
    for rule in gate["rules"]:
        if not rule["feature"]:
            why = f", {rule['reason']}" if rule["verdict"] == "skipped" else ""
            yield f"  {rule['rule']} ({rule['metric']}): {rule['verdict']}{why}"


def _others(models: list[dict[str, Any]]) -> Iterator[str]:
    for one in models:
        yield f"{one['part']}: artifact {one['artifact']} {one['uri']}"
        if one["pushed_model"]:
            yield f"  pushed as {one['pushed_model']}"


def _parents(report: dict[str, Any]) -> Iterator[str]:
    artifacts = {one["id"]: one for one in report["artifacts"]}
    files = {one["component"]: [file["path"] for file in one["files"]] for one in report["data"]}
    for step in report["steps"]:
        where = f"from run {step['run']}" if step["cached"] else "in this run"
        yield (
            f"{step['component']}, execution {step['id']}: {step['started']}, "
            f"{step['seconds']:.1f} s, {'cached' if step['cached'] else 'executed'} {where}"
        )
        reads = [f"{key} {number}" for key, ids in step["inputs"].items() for number in ids]
        reads += files.get(step["component"], [])
        if reads:
            yield f"  reads  {', '.join(sorted(reads))}"
        for key, ids in step["outputs"].items():
            for number in ids:
                yield f"  makes  {key} {number}  {artifacts[number]['uri']}"


def _configuration(report: dict[str, Any]) -> Iterator[str]:
    if any(step["component"] == TUNER for step in report["steps"]) and report["tuned"] is None:
        yield "# trained with what the Tuner found in place of some values; no longer there"
    elif report["tuned"] is not None:
        values = ", ".join(f"{key} {value}" for key, value in report["tuned"].items())
        yield f"# trained with what the Tuner found in place of what stands below: {values}"
    if report["configuration"] is None:
        yield "not recorded by the run; --json has the properties of each execution"
        return
    yield from yaml.safe_dump(report["configuration"], sort_keys=False).splitlines()

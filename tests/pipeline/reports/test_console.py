"""The tables of a run's main figures."""

import io

import pytest
from rich.console import Console

from components.evaluator.gate.results import Estimate, SliceResult
from pipeline.reports import lineage_text
from pipeline.reports.console import RunConsole, tables
from pipeline.reports.sample_recommendations import Recommendations
from pipeline.reports.summary import Outcome
from trainer.config.evaluation import EvaluationConfig, ProtocolConfig

EVALUATION = EvaluationConfig(
    k=5,
    protocols={
        "full": ProtocolConfig(),
        "uni99": ProtocolConfig(candidates="sampled"),
        "uni999": ProtocolConfig(candidates="sampled", negatives=999),
    },
)


def result(feature="", value="", shift=0.0, change=True):
    metrics = {}
    for number, protocol in enumerate(EVALUATION.protocols):
        for metric, figure in (
            ("hr@5", 0.5),
            ("ndcg@5", 0.3),
            ("popularity_ndcg@5", 0.2),
            ("ndcg_lift@5", 0.1),
        ):
            own = figure + 0.01 * number + shift
            metrics[f"{metric}_{protocol}"] = Estimate(own, own - 0.02, own + 0.04)
    changes = {f"ndcg@5_{name}": Estimate(-0.1, -0.15, 0.05) for name in EVALUATION.protocols}
    return SliceResult(feature, value, 7, metrics, {}, changes if change else {})


def printed(results, width=140):
    out = io.StringIO()
    console = Console(file=out, width=width)
    for table in tables(results, EVALUATION, "uni99"):
        console.print(table)
    return out.getvalue()


def line(text, start):
    (found,) = (line for line in text.splitlines() if line.strip().startswith(start))
    return [cell.strip() for cell in found.split("│")]


def test_protocols_are_shown_overall_with_cut_off_and_paired_differences():
    text = printed([result(), result("gender", "F", 0.1)])
    assert "all 7 users" in text
    heads = [row.split("┃") for row in text.splitlines() if "┃" in row][:2]
    assert [" ".join(f"{one} {other}".split()) for one, other in zip(*heads, strict=True)] == [
        "protocol",
        "HR@5",
        "NDCG@5",
        "NDCG@5 of popularity",
        "NDCG@5 above popularity",
        "NDCG@5 above blessed",
    ]
    assert line(text, "uni999") == [
        "uni999",
        "0.520 ±0.030",
        "0.320 ±0.030",
        "0.220",
        "+0.120 [+0.100, +0.160]",
        "-0.100 [-0.150, +0.050]",
    ]


def test_the_protocols_fit_into_eighty_columns_and_slices_into_a_hundred():
    results = [result(change=False), result("target_genre", "Mystery", change=False)]
    narrow, wide = printed(results, 80), printed(results, 100)
    assert line(narrow, "uni99 ")[-1] == "+0.110 [+0.090, +0.150]"
    # HR and NDCG stay whole, the interval is broken.
    assert line(narrow, "target_genre")[:5] == [
        *("target_genre", "7", "0.510 ±0.030", "0.310 ±0.030", "0.210"),
    ]
    assert line(wide, "target_genre Mystery")[-1] == "+0.110 [+0.090, +0.150]"
    assert max(map(len, narrow.splitlines())) <= 80


def test_slices_are_shown_under_one_named_protocol():
    text = printed([result(), result("gender*age_group", "F*25-34", 0.1)])
    assert "slices, protocol uni99" in text
    assert line(text, "gender*age_group F*25-34")[1:4] == [
        "7",
        "0.610 ±0.030",
        "0.410 ±0.030",
    ]


@pytest.mark.parametrize("change", [True, False])
def test_the_last_blessed_model_is_shown_where_there_is_one(change):
    assert ("blessed" in printed([result(change=change)])) == change


def test_errors_of_ratings_have_a_line_of_their_own():
    overall = result()
    overall.metrics["rmse"] = Estimate(0.9, 0.8, 1.0)
    assert line(printed([overall]), "RMSE")[1] == "0.900 ±0.100"


def test_nothing_evaluated_is_nothing_shown():
    assert tables([], EVALUATION, "full") == []


@pytest.mark.parametrize(("protocol", "under"), [("uni99", " under uni99)"), (None, ")")])
def test_the_best_trials_figure_names_its_protocol(protocol, under):
    best = {"number": 2, "values": {"learning_rate": 0.5}, "valid_ndcg": 0.125}
    counts = {"trials": 3, "pruned": 0, "failed": 0}
    tuning = {"metric": "ndcg", "protocol": protocol, "best": best, "table": "t.csv", **counts}
    out = io.StringIO()
    RunConsole(out)._tell_tuning(tuning)
    assert f"valid ndcg 0.1250{under}" in out.getvalue()


@pytest.mark.parametrize(
    ("figures", "told"),
    [({"hr": 0.5, "ndcg": 0.25}, "ndcg 0.2500 under uni99"), ({"rmse": 0.9}, "rmse 0.9000")],
)
def test_the_validation_in_a_lineage_names_its_protocol(figures, told):
    trained = {"model": "m", "best_epoch": 1, "epochs": 2, "validation_protocol": "uni99"}
    text = lineage_text._training({**trained, "best_validation": figures})
    assert text.endswith(told)


def test_the_folder_for_tensorboard_is_told():
    out = io.StringIO()
    gate = {"passed": True, "baseline_model": None, "reasons": [], "notes": []}
    outcome = Outcome(gate, None, [], {}, None, {}, [], [], "/out/model_run/9/logs")
    RunConsole(out).report(outcome, EVALUATION, "full", "/out/summary.json")
    assert out.getvalue().splitlines()[-2:] == [
        "curves  tensorboard --logdir /out/model_run/9/logs",
        "summary /out/summary.json",
    ]


def test_a_version_that_was_removed_is_told_and_how_it_comes_back():
    out = io.StringIO()
    gate = {"passed": True, "baseline_model": None, "reasons": [], "notes": []}
    outcome = Outcome(gate, "/out/serving/9", [], {}, None, {}, [], [], "/logs", removed=True)
    RunConsole(out).report(outcome, EVALUATION, "full", "/out/summary.json")
    assert "removed /out/serving/9, where this model was pushed" in out.getvalue()
    assert "--push-again" in out.getvalue()
    assert "pushed  " not in out.getvalue()


HOSTILE = ("[/x]", "[red]bob", ":rocket:", "[@click=app.bell]b[/]")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_data_say_is_no_markup(text):
    out = io.StringIO()
    console = RunConsole(out)
    console.recommend([Recommendations(text, [text, text])])
    assert out.getvalue() == f"for user {text}: {text}; {text}\n"
    console.note(text)
    console.wrote("ranks", text)
    evaluation = EvaluationConfig(k=5, protocols={"full": ProtocolConfig()})
    one = result("gender", text)
    console.figures([one, one], evaluation, "full")
    assert out.getvalue().count(text) == 6


def test_control_characters_of_data_do_not_reach_the_terminal():
    out = io.StringIO()
    console = RunConsole(out)
    evil = "a\x1b]0;owned\x07\x9b31m\r\n\u202eb\ud800"
    console.recommend([Recommendations(evil, [evil])])
    console.note(evil)
    console.figures([result(), result("gender", evil)], EVALUATION, "full")
    text = out.getvalue()
    assert not set(text) & (set(map(chr, [*range(32), *range(127, 160), 0x202E, 0xD800])) - {"\n"})
    escaped = r"a\x1b]0;owned\x07\x9b31m\r\n\u202eb\ud800"
    assert text.startswith(f"for user {escaped}: {escaped}\n  {escaped}\n")


def test_control_characters_do_not_reach_the_terminal_in_a_lineage():
    assert lineage_text.render(
        {
            **dict.fromkeys(("training", "metrics", "gate", "tuned", "configuration")),
            **{key: [] for key in ("code", "other_models", "artifacts", "steps")},
            "metadata": "m",
            "model": {
                **dict.fromkeys(("artifact", "uri", "time", "run", "pipeline", "tfx"), "x"),
                "pushed_model": "a\x1b[2Jb",
                "reused_by": [],
            },
            "data": [],
        }
    ).startswith("model\n  pushed    a\\x1b[2Jb\n")

"""What a person sees of a run on the console.

Called by the local runner; also the listener of pipeline.local.
"""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.eval_config import RATING_METRICS, metric_name
from pipeline.evaluation import Estimate, SliceResult
from pipeline.pipeline import BASE_RESOLVER, RESOLVER
from pipeline.sample import Recommendations
from pipeline.summary import Outcome
from trainer.evaluation_config import EvaluationConfig

# Room for the table where nothing says how wide the page is.
_FILE_WIDTH = 140


class RunConsole:
    """Tells a run line by line.

    Args:
      out: where to; colours and width follow what it is.
    """

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out, highlight=False)
        if not self._console.is_terminal:
            self._console.width = _FILE_WIDTH

    def introduce(self, model: str, data: str, format_name: str, output: str) -> None:
        """Says what is about to run.

        Args:
          model: its name.
          data: folder of the raw files.
          format_name: their layout.
          output: the run's output folder.
        """
        self._line(f"[bold]{model}[/] on {escape(data)} ({format_name}), output {escape(output)}")

    def running(self, component: str) -> None:
        """A component is at work and takes a while."""
        self._line(f"  {component:24} [dim]running[/]")

    def finished(self, component: str, seconds: float, cached: bool) -> None:
        """A component is done, or its earlier result was reused."""
        if component in (RESOLVER, BASE_RESOLVER):
            return
        self._line(f"  {component:24} {'[dim]cached[/]' if cached else f'{seconds:6.1f} s'}")

    def failed(self, component: str, seconds: float) -> None:
        """A component raised."""
        self._line(f"  {component:24} {seconds:6.1f} s [red]failed[/]")

    def report(self, outcome: Outcome, evaluation: EvaluationConfig, summary: str) -> None:
        """Shows what came of the run.

        Args:
          outcome: the metrics and the gate's decision.
          evaluation: protocols and cut-off of the metrics.
          summary: path of the JSON summary.
        """
        if outcome.tuning:
            self._tell_tuning(outcome.tuning)
        self._console.print(_table(outcome.results, evaluation))
        if warm := outcome.training.get("warm_start"):
            self._line(_start(warm))
        if outcome.blessed:
            against = (
                "compared with the last blessed model" if outcome.baseline else "the first one here"
            )
            self._line(f"[green]blessed[/], {against}")
        else:
            self._line("[yellow]not blessed[/], so not pushed:")
            for reason in outcome.reasons:
                self._line(f"  {escape(reason)}")
        if outcome.pushed:
            self._line(f"pushed  {escape(outcome.pushed)}")
        self._line(f"summary {escape(summary)}")

    def recommend(self, recommendations: list[Recommendations]) -> None:
        """Shows recommended titles.

        Args:
          recommendations: one entry a user.
        """
        for one in recommendations:
            self._console.print(f"for user {one.user_id}: ", end="", style="bold")
            self._console.print("; ".join(one.titles), markup=False, soft_wrap=True)

    def _tell_tuning(self, tuning: dict[str, Any]) -> None:
        best = tuning["best"]
        value = best[f"valid_{tuning['metric']}"]
        values = ", ".join(f"{key} {value}" for key, value in best["values"].items())
        self._line(
            f"tuned   {escape(values)} (trial {best['number']} of {tuning['trials']}, "
            f"{tuning['pruned']} pruned, {tuning['failed']} failed; "
            f"valid {tuning['metric']} {value:.4f})"
        )
        self._line(f"trials  {escape(tuning['table'])}")

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


def _start(warm: dict[str, Any]) -> str:
    """What a training with warm_start started from."""
    if warm["base_model"] is None:
        return "cold start, no model was blessed here before"
    counts = [
        f"{name} " + ", ".join(f"{number} {what}" for what, number in of.items())
        for name, of in warm["rows"].items()
    ]
    return f"warm start from {escape(warm['base_model'])}: {'; '.join(counts)}"


def _table(results: list[SliceResult], evaluation: EvaluationConfig) -> Table:
    """HR and NDCG of model and popularity, a slice a row, for each protocol; errors of ratings."""
    k = evaluation.k
    table = Table(title=f"HR@{k} and NDCG@{k}, popularity's in brackets", title_justify="left")
    table.add_column("slice")
    table.add_column("rows", justify="right")
    rated = [name for name in RATING_METRICS if name in results[0].metrics] if results else []
    for name in rated:
        table.add_column(name.upper(), justify="right")
    shown = [(metric, protocol) for protocol in evaluation.protocols for metric in ("hr", "ndcg")]
    for metric, protocol in shown:
        table.add_column(f"{metric.upper()} {protocol}", justify="right")
    for result in results:
        label = f"{result.feature} {result.value}".strip() or "overall"
        cells = [_cell(result, metric, protocol, k) for metric, protocol in shown]
        cells = [_estimate(result.metrics[name]) for name in rated] + cells
        style = None if result.feature else "bold"
        table.add_row(escape(label), str(result.count), *cells, style=style)
    return table


def _cell(result: SliceResult, metric: str, protocol: str, k: int) -> str:
    own = result.metrics[metric_name(metric, k, protocol)]
    popularity = result.metrics[metric_name(metric, k, protocol, "popularity")]
    return f"{_estimate(own)} ({popularity.value:.3f})"


def _estimate(own: Estimate) -> str:
    return f"{own.value:.3f} ±{(own.upper - own.lower) / 2:.3f}"

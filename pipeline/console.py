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
from pipeline.pipeline import RESOLVER
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
        if component == RESOLVER:
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
        self.figures(outcome.results, evaluation)
        self._verdict(outcome.gate)
        if outcome.pushed:
            self._line(f"pushed  {escape(outcome.pushed)}")
        self.wrote("summary", summary)

    def figures(self, results: list[SliceResult], evaluation: EvaluationConfig) -> None:
        """Shows the figures of an evaluation.

        Args:
          results: the overall slice first.
          evaluation: protocols and cut-off of the metrics.
        """
        self._console.print(_table(results, evaluation))

    def wrote(self, what: str, path: str) -> None:
        """Says where something was written.

        Args:
          what: a word for it.
          path: the file.
        """
        self._line(f"{what:7} {escape(path)}")

    def recommend(self, recommendations: list[Recommendations]) -> None:
        """Shows recommended titles.

        Args:
          recommendations: one entry a user.
        """
        for one in recommendations:
            self._console.print(f"for user {one.user_id}: ", end="", style="bold")
            self._console.print("; ".join(one.titles), markup=False, soft_wrap=True)

    def _verdict(self, gate: dict[str, Any]) -> None:
        """Says whether the model is blessed, and why."""
        compared = gate["baseline_model"] is not None
        against = "compared with the last blessed model" if compared else "the first one here"
        if gate["passed"]:
            self._line(f"[green]blessed[/], {against}")
        elif gate["forced"] is not None:
            self._line(f"[yellow]blessed by force[/] ({escape(gate['forced'])}), although:")
        else:
            self._line("[yellow]not blessed[/], so not pushed:")
        for sentence in (*gate["reasons"], *gate["notes"]):
            self._line(f"  {escape(sentence)}")

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


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

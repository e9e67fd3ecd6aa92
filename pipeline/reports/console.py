"""The lines and tables that a person sees of a run on the console."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from components.evaluator.gate.results import Estimate, SliceResult
from components.evaluator.metric_names import RATING_METRICS, metric_name
from pipeline.node_ids import BASE_RESOLVER, RESOLVER
from pipeline.reports.sample_recommendations import Recommendations
from pipeline.reports.summary import Outcome
from schema.plain_text import printable
from trainer.config.evaluation import EvaluationConfig

# Room for the table where nothing says how wide the page is.
_FILE_WIDTH = 140


class RunConsole:
    """Tell a run line by line.

    Args:
      out: where to; colours and width follow what it is.
    """

    def __init__(self, out: TextIO) -> None:
        # Titles may hold what Rich takes for the name of an emoji.
        self._console = Console(file=out, highlight=False, emoji=False)
        if not self._console.is_terminal:
            self._console.width = _FILE_WIDTH

    def introduce(self, model: str, data: str, format_name: str, output: str) -> None:
        """Say what is about to run.

        Args:
          model: its name.
          data: folder of the raw files.
          format_name: their layout.
          output: the run's output folder.
        """
        self._line(f"[bold]{model}[/] on {_shown(data)} ({format_name}), output {_shown(output)}")

    def running(self, component: str) -> None:
        """Say that a component is at work and takes a while."""
        self._line(f"  {component:24} [dim]running[/]")

    def finished(self, component: str, seconds: float, cached: bool) -> None:
        """Say that a component is done, or that its earlier result was reused."""
        if component in (RESOLVER, BASE_RESOLVER):
            return
        self._line(f"  {component:24} {'[dim]cached[/]' if cached else f'{seconds:6.1f} s'}")

    def failed(self, component: str, seconds: float) -> None:
        """Say that a component raised."""
        self._line(f"  {component:24} {seconds:6.1f} s [red]failed[/]")

    def report(
        self, outcome: Outcome, evaluation: EvaluationConfig, protocol: str, summary: str
    ) -> None:
        """Show the outcome of the run; the summary holds the other figures.

        Args:
          outcome: the metrics and the gate's decision.
          evaluation: protocols and cut-off of the metrics.
          protocol: name of the one whose figures are shown for every slice.
          summary: path of the JSON summary.
        """
        for warning in outcome.warnings:
            self._line(f"[yellow]warning[/] {_shown(warning)}")
        if outcome.tuning:
            self._tell_tuning(outcome.tuning)
        self.figures(outcome.results, evaluation, protocol)
        if warm := outcome.training.get("warm_start"):
            self._line(_start(warm))
        self._verdict(outcome.gate)
        if outcome.removed:
            self._line(
                f"[yellow]removed[/] {_shown(str(outcome.pushed))}, where this model was pushed, "
                "so it is not served; --push-again puts it there"
            )
        elif outcome.pushed:
            self._line(f"pushed  {_shown(outcome.pushed)}")
        self.wrote("curves", f"tensorboard --logdir {outcome.curves}")
        self.wrote("summary", summary)

    def figures(
        self, results: list[SliceResult], evaluation: EvaluationConfig, protocol: str
    ) -> None:
        """Show the figures of an evaluation.

        Args:
          results: the overall slice first.
          evaluation: protocols and cut-off of the metrics.
          protocol: name of the one whose figures are shown for every slice.
        """
        for table in tables(results, evaluation, protocol):
            self._console.print(table)

    def wrote(self, what: str, path: str) -> None:
        """Say where something was written.

        Args:
          what: a word for it.
          path: the file.
        """
        self._line(f"{what:7} {_shown(path)}")

    def note(self, text: str) -> None:
        """Say something that is to be known of the figures."""
        self._line(f"  {_shown(text)}")

    def recommend(self, recommendations: list[Recommendations]) -> None:
        """Show recommended titles.

        Args:
          recommendations: one entry a user.
        """
        for one in recommendations:
            user = (printable(f"for user {one.user_id}: "), "bold")
            titles = printable("; ".join(one.titles))
            self._console.print(Text.assemble(user, titles), soft_wrap=True)

    def _tell_tuning(self, tuning: dict[str, Any]) -> None:
        best = tuning["best"]
        value = best[f"valid_{tuning['metric']}"]
        values = ", ".join(f"{key} {value}" for key, value in best["values"].items())
        protocol = tuning.get("protocol")
        under = f" under {protocol}" if protocol else ""
        self._line(
            f"tuned   {_shown(values)} (trial {best['number']} of {tuning['trials']}, "
            f"{tuning['pruned']} pruned, {tuning['failed']} failed; "
            f"valid {tuning['metric']} {value:.4f}{under})"
        )
        self._line(f"trials  {_shown(tuning['table'])}")

    def _verdict(self, gate: dict[str, Any]) -> None:
        """Say whether the model is blessed, and why."""
        compared = gate["baseline_model"] is not None
        against = "compared with the last blessed model" if compared else "the first one here"
        if gate["passed"]:
            self._line(f"[green]blessed[/], {against}")
        elif gate["forced"] is not None:
            self._line(f"[yellow]blessed by force[/] ({_shown(gate['forced'])}), although:")
        else:
            self._line("[yellow]not blessed[/], so not pushed:")
        for sentence in (*gate["reasons"], *gate["notes"]):
            self._line(f"  {_shown(sentence)}")

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)


def _shown(text: str) -> str:
    """Make data printable, and no markup of Rich's."""
    return escape(printable(text))


def _start(warm: dict[str, Any]) -> str:
    """Describe what a training with warm_start started from."""
    if warm["base_model"] is None:
        return "cold start, no model was blessed here before"
    counts = [
        f"{name} " + ", ".join(f"{number} {what}" for what, number in of.items())
        for name, of in warm["rows"].items()
    ]
    return f"warm start from {_shown(warm['base_model'])}: {'; '.join(counts)}"


def tables(results: list[SliceResult], evaluation: EvaluationConfig, protocol: str) -> list[Table]:
    """Tabulate the main figures: overall by protocol, and by slice under one of them.

    Args:
      results: the overall slice first; without any there is nothing to show.
      evaluation: protocols and cut-off.
      protocol: name of the one that slices are shown under.

    Returns:
      Two tables; one without slices.
    """
    if not results:
        return []
    compared = bool(results[0].change)
    overall = _table(f"all {results[0].count} users", ["protocol"], evaluation.k, compared)
    for name in evaluation.protocols:
        overall.add_row(_shown(name), *_cells(results[0], evaluation.k, name))
    for name in RATING_METRICS:
        if name in results[0].metrics:
            overall.add_row(name.upper(), _estimate(results[0].metrics[name]))
    slices = _table(
        f"slices, protocol {_shown(protocol)}", ["slice", "users"], evaluation.k, compared
    )
    for result in results[1:]:
        label = _shown(f"{result.feature} {result.value}")
        slices.add_row(label, str(result.count), *_cells(result, evaluation.k, protocol))
    return [overall, slices] if slices.rows else [overall]


def _table(title: str, first: list[str], k: int, compared: bool) -> Table:
    # So the protocols fit into 80 columns and most slices into 100; where they do
    # not, a difference and its interval are broken first.
    table = Table(title=title, title_justify="left", show_edge=False)
    ndcg = f"NDCG@{k}"
    table.add_column(first[0], min_width=12 if first[0] == "slice" else None)
    for name in (*first[1:], f"HR@{k}", ndcg, f"{ndcg} of\npopularity"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("popularity", "blessed")[: 1 + compared]:
        table.add_column(f"{ndcg} above\n{name}", justify="right")
    return table


def _cells(result: SliceResult, k: int, protocol: str) -> list[str]:
    """Format HR, NDCG, popularity's NDCG and its differences from that and the last blessed."""
    ndcg = metric_name("ndcg", k, protocol)
    cells = [
        _estimate(result.metrics[metric_name("hr", k, protocol)]),
        _estimate(result.metrics[ndcg]),
        f"{result.metrics[metric_name('ndcg', k, protocol, 'popularity')].value:.3f}",
        _difference(result.metrics[metric_name("ndcg_lift", k, protocol)]),
    ]
    if ndcg in result.change:
        cells.append(_difference(result.change[ndcg]))
    return cells


def _estimate(own: Estimate) -> str:
    return f"{own.value:.3f} ±{(own.upper - own.lower) / 2:.3f}"


def _difference(own: Estimate) -> str:
    """Format a difference with its interval: with 0 inside it may be chance."""
    return f"{own.value:+.3f} [{own.lower:+.3f}, {own.upper:+.3f}]"

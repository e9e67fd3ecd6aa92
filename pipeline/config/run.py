"""RunConfig: everything that decides what a run computes, and how it is read.

Composes the settings of the packages; where a run happens (folders, machines)
is the runners' business. No TensorFlow import, so that mistakes are answered at
once.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar, get_args

import yaml
from pydantic import Field, model_validator

from components.columns import ColumnsConfig
from components.evaluator.gate.config import GateConfig
from components.example_gen.config import IngestConfig
from components.validator.config import ValidationConfig
from pipeline.datasets.synthetic_config import PREFIX, SyntheticConfig, parse
from schema import settings, yaml_text
from schema.errors import SettingError, UserError
from trainer.config.evaluation import EvaluationConfig
from trainer.config.trainer import AUTO as STRATEGY_AUTO
from trainer.config.trainer import ONE_PROCESS, TrainerConfig
from trainer.config.tuning import TuningConfig, search_space
from transform.config import TransformConfig

# The names in components.formats.FORMATS, which costs seconds to import; a
# test holds the two together.
Format = Literal[
    "ml-100k",
    "ml-1m",
    "ml-10m",
    "ml-20m",
    "ml-25m",
    "ml-32m",
    "ml-latest",
    "ml-latest-small",
    "ml-csv",
    "ncf",
    "recbole",
    "table",
]
FORMATS: tuple[Format, ...] = get_args(Format)
AUTO: Final = "auto"
TABLE: Final = "table"
Layout = Literal["auto", Format]

# Of a file that is a table, which its name in pipeline names goes without.
_TABLE_SUFFIX = re.compile(r"\.([ct]sv(\.gz)?|parquet)$")

S = TypeVar("S", bound=settings.Settings)


class DataConfig(settings.Settings):
    """Say which data a run reads."""

    dataset: str | None = "ml-100k"
    """Name of a published dataset, obtained by pipeline.datasets.published; null where `path` is
    given.
    """
    path: str | None = None
    """A folder (or URI) of raw files instead, or a file that is a table of one's own; or what is to
    be generated, such as "synthetic:users=2000,items=500,interactions=60000".
    """
    format: Layout = AUTO
    """The layout of the files; "auto" detects it."""
    columns: ColumnsConfig = ColumnsConfig()
    """Of a table of one's own: what its columns are called."""
    ingest: IngestConfig = IngestConfig()
    """What is kept of the interactions."""
    validation: ValidationConfig = ValidationConfig()
    """Which findings in the examples stop a run."""

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, values: Any) -> Any:
        # The record of a run on a folder must not name a dataset that it never saw.
        if isinstance(values, Mapping) and values.get("path") is not None:
            return {**values, "dataset": None}
        return values

    @model_validator(mode="after")
    def _check(self) -> DataConfig:
        settings.check(self.path != "", "path: expected a folder, got an empty text.")
        settings.check(
            self.path is not None or bool(self.dataset),
            "dataset: expected a name, or a path, got neither.",
        )
        # Raises where it asks for what cannot be.
        generated = self.synthetic is not None
        settings.check(
            self.columns == ColumnsConfig()
            or (self.path is not None and not generated and self.format in (AUTO, TABLE)),
            "columns: expected with a table of one's own as path and the format table or auto, "
            f"got the format {self.format} and {self.path or self.dataset!r}.",
        )
        return self

    @property
    def synthetic(self) -> SyntheticConfig | None:
        """Return what `path` asks to be generated; None where it is a folder or not given."""
        if self.path is None or not self.path.startswith(PREFIX):
            return None
        try:
            return parse(self.path)
        except UserError as error:
            raise SettingError(f"path: {error}") from None

    @property
    def label(self) -> str:
        """Short name of the data for pipeline names: letters, digits, dots and dashes."""
        name = self.dataset or ""
        if self.synthetic is not None:
            name = self.synthetic.name
        elif self.path is not None:
            name = _TABLE_SUFFIX.sub("", self.path.rstrip("/").rpartition("/")[2])
        return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "data"


class RunConfig(settings.Settings):
    """Describe a whole run: data, vocabularies, training, evaluation and gate."""

    data: DataConfig = DataConfig()
    """Which data."""
    transform: TransformConfig = TransformConfig()
    """Vocabularies."""
    trainer: TrainerConfig = Field(default_factory=TrainerConfig)
    """Model and training."""
    tune: TuningConfig = TuningConfig()
    """Search for the trainer's hyper-parameters; off by default."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How held-out items are ranked and models measured."""
    gate: GateConfig = GateConfig()
    """What a model must reach to be pushed."""

    @property
    def pipeline_name(self) -> str:
        """Name of the pipeline: models are compared and results reused only within one."""
        return f"movielens-{self.data.label}"

    @model_validator(mode="after")
    def _check(self) -> RunConfig:
        for key, name in (
            ("trainer.validation_protocol", self.trainer.validation_protocol),
            ("gate.protocol", self.gate.protocol),
        ):
            settings.check_choice(key, name, tuple(self.evaluation.protocols))
        settings.check(
            self.gate.max_rmse is None or self.trainer.predicts_ratings,
            f"gate.max_rmse: expected null, since {self.trainer.model} predicts no ratings, "
            f"got {self.gate.max_rmse}.",
        )
        settings.check(
            not self.tune.trials or self.trainer.strategy in (*ONE_PROCESS, STRATEGY_AUTO),
            f"tune.trials: a search has one process; expected 0 with the trainer.strategy "
            f"{self.trainer.strategy}, got {self.tune.trials}.",
        )
        if self.tune.trials:
            search_space(self.tune, self.trainer)
        return self


def load(path: str) -> RunConfig:
    """Read the configuration of a run, such as `--print-config` writes; see `read`."""
    return read(path, RunConfig)


def read(path: str, kind: type[S]) -> S:
    """Read a configuration file; keys that it leaves out keep their defaults.

    Args:
      path: a YAML file.
      kind: the settings that it holds.

    Returns:
      The configuration, checked.

    Raises:
      UserError: no such file, not YAML (with the line), a key that stands twice
        (with both lines), or bad keys or values.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{path}: expected UTF-8 text, got something else.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot read the configuration ({error.strerror}).") from None
    try:
        values = yaml_text.load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        if isinstance(error, yaml_text.RepeatedKeyError):
            raise UserError(
                f"{path}, line {line}: {error.problem}, expected each key once."
            ) from None
        raise UserError(f"{path}, line {line}: not YAML ({error.problem}).") from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not YAML ({reason}).") from None
    try:
        return settings.from_dict(kind, {} if values is None else values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def dump(config: RunConfig) -> str:
    """Write a configuration as YAML text that `load` reads back.

    Args:
      config: the configuration.

    Returns:
      YAML with every key.
    """
    return yaml.safe_dump(settings.to_dict(config), sort_keys=False)


def override(config: S, assignments: list[str]) -> S:
    """Apply `--set` assignments in their order.

    Args:
      config: what to start from, a RunConfig or other settings.
      assignments: texts such as "trainer.learning_rate=0.002".

    Returns:
      The changed configuration, checked.

    Raises:
      UserError: an assignment without "=", an unknown key or a bad value.
    """
    pairs = []
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not key.strip():
            raise UserError(f"--set: expected KEY=VALUE, got {assignment!r}.")
        pairs.append((key.strip(), value))
    return settings.replace_at(config, pairs)

"""Settings of models and training; no TensorFlow import.

Composed in pipeline.config, carried to trainer.run_fn as JSON in the Trainer's
custom_config, and read by the modules that each class names.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import (
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue

from schema.settings import (
    READS_TEXT,
    Count,
    NonNegative,
    Positive,
    PositiveCount,
    Seed,
    Settings,
    check,
    check_choice,
)
from trainer.config.models import MODELS as MODELS
from trainer.config.models import ModelSpec, read_sections, sections
from trainer.config.neumf import NeuMFConfig
from trainer.config.optimizer import OptimizerConfig
from trainer.config.two_tower import TwoTowerConfig

C = TypeVar("C", bound=Settings)

AUTO: Final = "auto"
# Of a single process, over the devices that it sees.
OneProcess = Literal["none", "one_device", "mirrored", "tpu"]
ONE_PROCESS: tuple[str, ...] = get_args(OneProcess)
Strategy = Literal[OneProcess, "multi_worker_mirrored", "parameter_server", "auto"]
Sampler = Literal["unconsumed", "random", "popular"]
SAMPLERS: tuple[str, ...] = get_args(Sampler)
UNCONSUMED: Final = "unconsumed"
ColdStart = Literal["popularity", "average"]
POPULARITY: Final = "popularity"


def _list_models(schema: dict[str, Any]) -> None:
    schema["enum"] = list(MODELS)


class TrainerConfig(Settings):
    """Configure one training.

    Below the keys that follow it has a section a model, by the rows of MODELS
    and in their order; `section` returns one.
    """

    # Of sections only: what no row has is refused.
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(json_schema_extra=_list_models)] = "neumf"
    """One of trainer.config.models.MODELS."""
    epochs: PositiveCount = 20
    """Passes over the training interactions at the most."""
    batch_size: PositiveCount = 2048
    """Positive interactions a step, over all replicas, which share them evenly; with
    parameter_server each worker's steps take as many. Where the order of histories is read
    (two_tower.history_encoder) whole histories.
    """
    learning_rate: Positive = 0.001
    """Of the optimizer, before its schedule."""
    optimizer: OptimizerConfig = OptimizerConfig()
    """Which one, and how."""
    negatives_per_positive: PositiveCount = 4
    """Sampled negatives a positive (pairwise-scored models; the two-tower softmax takes its
    negatives from the batch).
    """
    sampler: Sampler = UNCONSUMED
    """Where those come from: "unconsumed" draws uniformly from what the user has not interacted
    with, "random" from all items but the positive, "popular" from these by training frequency.
    """
    popularity_exponent: NonNegative = 0.75
    """Power of the frequency that "popular" draws by."""
    patience: Count = 5
    """Epochs without a better `criterion` before training stops; 0 trains all epochs."""
    hr_threshold: Annotated[float, Field(gt=0, le=1), READS_TEXT] | None = None
    """Validation HR that stops the training; null never does."""
    checkpoint_every: Count = 1
    """Epochs between two states that a killed training can go on from; 0 keeps none."""
    validation_protocol: str = "sampled"
    """Name of the protocol, among those of the evaluation, whose NDCG@k chooses the best epoch (of
    the model rating: not used, its RMSE chooses).
    """
    refit: bool = False
    """Train once more, on train and valid, for the chosen number of epochs."""
    warm_start: bool = False
    """Start from the weights of the last blessed model, rows going by raw id; the first training,
    which finds none, starts from random ones.
    """
    strategy: Strategy = "none"
    """How devices and processes train (see trainer.distribution.strategy). "none" trains on one
    device, "one_device" the same by TensorFlow's strategy of that name, "mirrored" on all devices
    of the process, "tpu" on those of a TPU, "multi_worker_mirrored" on those of all processes in
    TF_CONFIG in common steps, "parameter_server" on its workers in steps of their own. "auto" takes
    what TF_CONFIG and the number of GPUs fit.
    """
    jit_compile: bool = True
    """Compile the training step with XLA, two to three times as fast; what replicas exchange,
    workers of parameter servers, and on CPUs the two-tower softmax, stay uncompiled.
    """
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    """Of the layers' matrix products; weights and losses are float32."""
    seed: Seed = 42
    """Of initial weights, shuffling and sampling."""
    cold_start: ColdStart = POPULARITY
    """What users that training did not know are served and measured by: the "popularity" of the
    items, or the scores of the "average" user, whose embedding is the mean of all users'.
    """
    export_tflite: bool = False
    """Write the scores as a TensorFlow Lite model too, into the SavedModel's folder
    (trainer.serving.tflite).
    """

    @model_validator(mode="before")
    @classmethod
    def _read_sections(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        own = {key: value for key, value in values.items() if key in cls.model_fields}
        given = {key: value for key, value in values.items() if key not in own}
        return own | read_sections(given)

    @model_validator(mode="after")
    def _check(self) -> TrainerConfig:
        check_choice("model", self.model, tuple(MODELS))
        check(
            not self.spec.solved or self.strategy in ("none", AUTO),
            f"strategy: expected none with the model {self.model}, which is solved for by one "
            f"process, got {self.strategy}.",
        )
        self._check_sampler()
        self._check_sequences()
        self._check_loop()
        self._check_warm_start()
        check(
            not self.export_tflite or self.spec.tflite(self),
            f"export_tflite: expected false with the model {self.model}, or a model that scores "
            f"without the user's history, which TensorFlow Lite's operations do not read.",
        )
        return self

    def _check_sampler(self) -> None:
        check(
            "two_tower" not in self.spec.sections
            or self.section(TwoTowerConfig).samples_negatives
            or self.sampler == UNCONSUMED,
            f"sampler: the loss {self.section(TwoTowerConfig).loss} of {self.model} samples no "
            f"negatives; expected {UNCONSUMED} (the default, not used) or another two_tower.loss, "
            f"got {self.sampler!r}.",
        )

    def _check_sequences(self) -> None:
        towers = self.section(TwoTowerConfig)
        if "two_tower" not in self.spec.sections or not towers.reads_sequence:
            return
        encoder = f"two_tower.history_encoder {towers.history_encoder}"
        check(
            not self.predicts_ratings,
            f"model: expected two_tower with {encoder}, which learns from whole histories and not "
            f"from ratings, got {self.model!r}.",
        )
        check(
            self.strategy not in ("parameter_server", "tpu"),
            f"strategy: expected another one with {encoder}, whose batches differ in length, "
            f"got {self.strategy}.",
        )

    def _check_warm_start(self) -> None:
        check(
            not self.warm_start or self.spec.warm_start,
            f"warm_start: expected false with the model {self.model}, which is computed from the "
            f"data at once and starts from nothing.",
        )
        check(
            not self.warm_start or self.model != "neumf" or not self._pretrains,
            "warm_start: expected false with neumf.pretrain, since either gives the first "
            "weights; set neumf.pretrain.gmf_epochs and mlp_epochs to 0 to start warm.",
        )

    def _check_loop(self) -> None:
        hr = self.hr_threshold
        check(
            hr is None or self.criterion == "ndcg",
            f"hr_threshold: expected null with the model {self.model}, whose validation measures "
            f"no HR, got {hr}.",
        )
        check(
            self.precision == "float32" or self.spec.mixed_precision,
            f"precision: expected float32 with the model {self.model}, got {self.precision!r}.",
        )
        check(
            self.precision != "float16" or self.strategy not in ("parameter_server", "tpu"),
            f"precision: expected float32 or bfloat16 with the strategy {self.strategy}, under "
            f"which Keras scales no losses, got float16.",
        )
        check(
            not self._pretrains or self.model not in ("gmf", "mlp"),
            f"neumf.pretrain: expected 0 epochs with the model {self.model}, a part of neumf.",
        )
        pretrain = self.section(NeuMFConfig).pretrain.optimizer
        for where, settings in (("", self.optimizer), ("neumf.pretrain.", pretrain)):
            check(
                not settings.loss_scale or self.precision == "float16",
                f"{where}optimizer.loss_scale: expected 0 unless precision is float16, "
                f"got {settings.loss_scale}.",
            )
            check(
                not settings.average_decay or self.strategy != "parameter_server",
                f"{where}optimizer.average_decay: expected 0 with the strategy parameter_server, "
                f"whose workers take steps of their own, got {settings.average_decay}.",
            )
            check(
                not settings.sparse_only or self.strategy == "none",
                f"{where}optimizer: expected dense gradients with the strategy {self.strategy}, "
                f"got {settings.name!r} with {settings.embedding_gradients!r} gradients.",
            )

    @property
    def _pretrains(self) -> bool:
        return self.section(NeuMFConfig).pretrain.gmf_epochs > 0

    @classmethod
    def annotations(cls) -> dict[str, Any]:
        """Return what each key holds, the sections of the models among them."""
        return super().annotations() | sections()

    def section(self, kind: type[C]) -> C:
        """Return the settings of a model.

        Args:
          kind: their class, as the model's row has it.

        Raises:
          LookupError: no row has it.
        """
        for value in (self.__pydantic_extra__ or {}).values():
            if isinstance(value, kind):
                return value
        raise LookupError(f"No model of trainer.config.models has a section {kind.__name__}.")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON Schema, with a property a section and no others."""
        written = handler(core_schema)
        schema = handler.resolve_ref_schema(written)
        for key, kind in sections().items():
            schema["properties"][key] = handler(kind.__pydantic_core_schema__)
        schema["additionalProperties"] = False
        return written

    @property
    def spec(self) -> ModelSpec:
        """Return the model's row."""
        return MODELS[self.model]

    @property
    def predicts_ratings(self) -> bool:
        """Tell whether the model learns from ratings and predicts them."""
        return self.spec.predicts_ratings

    @property
    def criterion(self) -> str:
        """Return the validation metric that chooses the best epoch, "ndcg" or "rmse"."""
        return self.spec.criterion

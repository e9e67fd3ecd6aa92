"""What a pipeline must know of the back end that runs it.

The definition in pipeline.pipeline is one; back ends differ in how they find
the last blessed model and in whether values can be given with each run. The
runners choose one of the three kinds of Backend.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_node
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import standard_artifacts

from components import resolver
from pipeline.node_ids import BASE_RESOLVER, RESOLVER

LOCAL = "local"
VERTEX = "vertex"
KFP = "kfp"

# Node ids.
IMPORTER = "BaselineImporter"

# Names of runtime parameters, besides those of trainer.config.runtime.
DATA = "data"
BASELINE = "baseline"

_IMPORTED = "result"


@dataclasses.dataclass(frozen=True)
class Backend:
    """Describe a kind of back end.

    Attributes:
      kind: LOCAL runs our resolver strategies; VERTEX the stock one only; KFP,
        the open-source back end of Kubeflow Pipelines, none at all. The last
        two take runtime parameters.
      baseline: for KFP, uri of the Model artifact that stands in for the last
        blessed one; None where there is none yet.
      training_job: for VERTEX, of pipeline.config.cluster.custom_job; None trains in
        the Trainer's own task.
      region: of that job.
    """

    kind: str = LOCAL
    baseline: str | None = None
    training_job: dict[str, Any] | None = None
    region: str | None = None

    def parameter(self, name: str, default: str | int, unset: str | int | None = None) -> Any:
        """Make a value that each run may set, where the back end knows such.

        Args:
          name: of the parameter.
          default: its value where a run does not set it.
          unset: the value where there are no runtime parameters.

        Returns:
          A runtime parameter, or `unset`.
        """
        if self.kind == LOCAL:
            return unset
        return RuntimeParameter(name=name, ptype=type(default), default=default)


@dataclasses.dataclass(frozen=True)
class Blessed:
    """Name where the last blessed model comes from, in one pipeline.

    Attributes:
      nodes: what finds it; may be empty.
      model: channel of the Model, or None.
      blessing: channel of its ModelBlessing, or None.
    """

    nodes: tuple[base_node.BaseNode, ...]
    model: types.BaseChannel | None = None
    blessing: types.BaseChannel | None = None


def base(backend: Backend) -> Blessed:
    """Find the model that a warm start begins with.

    Args:
      backend: where the pipeline will run.

    Returns:
      Nodes and channels; with KFP those of the given model, see Backend.baseline.
    """
    if backend.kind == KFP:
        return _imported(backend)
    found = resolver.base_resolver(backend.kind == VERTEX).with_id(BASE_RESOLVER)
    return Blessed((found,), found.outputs[resolver.MODEL], found.outputs[resolver.BLESSING])


def baseline(backend: Backend, candidate: types.BaseChannel, known: Blessed | None) -> Blessed:
    """Find the model that a candidate is compared with.

    Args:
      backend: where the pipeline will run.
      candidate: channel of the Model that is to be evaluated.
      known: what `base` found for the same pipeline; None without a warm start.

    Returns:
      Nodes and channels.
    """
    if backend.kind == KFP:
        return dataclasses.replace(known, nodes=()) if known else _imported(backend)
    found = resolver.baseline_resolver(candidate, backend.kind == VERTEX).with_id(RESOLVER)
    return Blessed((found,), found.outputs[resolver.MODEL], found.outputs[resolver.BLESSING])


def _imported(backend: Backend) -> Blessed:
    """Import the given model; where it was blessed is not known then."""
    if backend.baseline is None:
        return Blessed(())
    uri = RuntimeParameter(name=BASELINE, ptype=str, default=backend.baseline)
    node = Importer(
        source_uri=uri,
        artifact_type=standard_artifacts.Model,
        output_key=_IMPORTED,
    ).with_id(IMPORTER)
    return Blessed((node,), node.outputs[_IMPORTED])

"""The way back from a pushed model, in records written by hand."""

import json

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.metadata import lineage
from pipeline.metadata import pushed_models as pushed
from pipeline.metadata.store import SqliteStore
from schema.errors import UserError

COMPLETE, CACHED = pb.Execution.COMPLETE, pb.Execution.CACHED


class Records:
    """A metadata store as TFX fills it."""

    def __init__(self, path):
        named = SqliteStore(str(path))
        named.check()
        self.label = named.label
        self.store = named.read()
        self._store = type(self.store)(named.connection())

    def artifact(self, kind, uri, **properties):
        """Records an artifact; its id."""
        type_id = self._store.put_artifact_type(pb.ArtifactType(name=kind))
        made = pb.Artifact(type_id=type_id, uri=uri)
        _set(made.custom_properties, properties)
        return self._store.put_artifacts([made])[0]

    def run(self, node, run, inputs=(), outputs=(), state=COMPLETE, resolved=(), **recorded):
        """Records an execution of a node in a run; inputs and outputs are (key, id)."""
        type_id = self._store.put_execution_type(pb.ExecutionType(name=node))
        execution = pb.Execution(type_id=type_id, last_known_state=state)
        (made,) = self._store.put_executions([execution])
        contexts = [
            self._context("pipeline", "films"),
            self._context("node", f"films.{node}"),
            self._context("pipeline_run", run, **recorded),
        ]
        self._store.put_attributions_and_associations(
            [], [pb.Association(context_id=c, execution_id=made) for c in contexts]
        )
        sides = (
            (pb.Event.INPUT, inputs),
            (pb.Event.OUTPUT, outputs),
            (pb.Event.INTERNAL_OUTPUT, resolved),
        )
        for kind, ends in sides:
            for key, artifact in ends:
                event = pb.Event(type=kind, artifact_id=artifact, execution_id=made)
                event.path.steps.add().key = key
                event.path.steps.add().index = 0
                self._store.put_events([event])
        return made

    def _context(self, kind, name, **properties):
        type_id = self._store.put_context_type(pb.ContextType(name=kind))
        if found := self._store.get_context_by_type_and_name(kind, name):
            return found.id
        made = pb.Context(type_id=type_id, name=name)
        _set(made.custom_properties, properties)
        return self._store.put_contexts([made])[0]


def _set(properties, values):
    for name, value in values.items():
        if isinstance(value, int):
            properties[name].int_value = value
        else:
            properties[name].string_value = value


def _push(records, run, model, version):
    made = records.artifact(
        "PushedModel",
        f"/out/artifacts/pushed_model/{version}",
        pushed=1,
        pushed_destination=f"/out/serving/{version}",
        pushed_version=version,
    )
    records.run("Pusher", run, [("model", model)], [("pushed_model", made)])
    return made


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Run 1 trains and pushes; 2 has all of it cached; 3 starts from it and refuses; 4 pushes."""
    r = Records(tmp_path_factory.mktemp("records") / "m.sqlite")
    r.examples = r.artifact("Examples", "/out/artifacts/examples")
    r.ingest = r.run("Gen", "run 1", [], [("examples", r.examples)])
    r.first = r.artifact("Model", "/out/artifacts/model/1")
    r.train = r.run("Trainer", "run 1", [("examples", r.examples)], [("model", r.first)])
    r.pushed = _push(r, "run 1", r.first, "100")
    made = (("Gen", "examples", r.examples), ("Trainer", "model", r.first))
    for node, key, artifact in (*made, ("Pusher", "pushed_model", r.pushed)):
        r.run(node, "run 2", [], [(key, artifact)], CACHED)
    r.run("Gen", "run 3", [], [("examples", r.examples)], CACHED)
    r.run("Resolver", "run 3", resolved=[("model", r.first)])
    r.second = r.artifact("Model", "/out/artifacts/model/2")
    given = [("examples", r.examples), ("base_model", r.first)]
    r.train_again = r.run("Trainer", "run 3", given, [("model", r.second)])
    r.kept_back = r.artifact("PushedModel", "/out/artifacts/pushed_model/no", pushed=0)
    r.run("Pusher", "run 3", [("model", r.second)], [("pushed_model", r.kept_back)])
    configuration = json.dumps({"k": [1, None]})
    made = [("model", r.second)]
    r.run("Trainer", "run 4", given, made, CACHED, configuration=configuration)
    r.pushed_again = _push(r, "run 4", r.second, "200")
    return r


def test_only_what_ran_is_followed_through_cached_runs_and_resolvers(records):
    traced = lineage.trace(records.store, pushed.find(records.store, "100", ""))
    assert [step.component for step in traced.steps] == ["Pusher", "Trainer", "Gen"]
    assert {step.run for step in traced.steps} == {"run 1"}
    assert traced.steps[1].id == records.train
    assert traced.steps[1].inputs == {"examples": [records.examples]}
    assert traced.steps[1].outputs == {"model": [records.first]}
    assert set(traced.artifacts) == {records.examples, records.first, records.pushed}
    assert traced.reused_by == ["run 2"]
    assert traced.others == []
    assert traced.configuration is None


def test_a_model_that_training_started_from_is_named_and_not_followed(records):
    traced = lineage.trace(records.store, pushed.find(records.store, "200", ""))
    assert [(step.component, step.run) for step in traced.steps] == [
        ("Pusher", "run 4"),
        ("Trainer", "run 3"),
        ("Gen", "run 1"),
    ]
    (base,) = traced.others
    assert (base.artifact.id, base.pushed.id) == (records.first, records.pushed)
    assert "started from" in base.part
    assert traced.reused_by == []
    assert traced.configuration == {"k": [1, None]}


def test_a_model_is_found_by_each_of_its_names(records, monkeypatch):
    def find(name):
        return pushed.find(records.store, name, records.label).id

    names = ("100", "/out/serving/100", "/out/artifacts/pushed_model/100", str(records.pushed))
    names += ("/out/artifacts/model/1/Format-Serving", "/out/artifacts/model/1", str(records.first))
    assert {find(name) for name in names} == {records.pushed}
    assert find("/out/serving/") == find(str(records.second)) == records.pushed_again
    monkeypatch.chdir("/")
    assert find("out/serving/100") == records.pushed


@pytest.mark.parametrize("name", ["/out/serving/300", "/elsewhere/serving", "300", "/out"])
def test_a_model_that_is_not_recorded_is_told_with_one_that_is(records, name):
    with pytest.raises(UserError) as raised:
        pushed.find(records.store, name, "the store")
    assert f"{name}: the store knows no such pushed model" in str(raised.value)
    assert "its newest is /out/serving/200" in str(raised.value)


def test_a_model_that_was_never_pushed_is_told(records):
    assert [one.id for one in pushed.models(records.store)] == [
        records.pushed,
        records.pushed_again,
    ]
    idle = records.artifact("Model", "/out/artifacts/model/3")
    with pytest.raises(UserError, match="knows this model, but it was never pushed"):
        pushed.find(records.store, str(idle), "the store")


def test_an_empty_store_knows_no_model(tmp_path):
    empty = Records(tmp_path / "m.sqlite")
    with pytest.raises(UserError, match="x: the store knows of no pushed model"):
        pushed.find(empty.store, "x", "the store")

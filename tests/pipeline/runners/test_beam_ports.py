"""Which ports Beam opens while several workers are at work, and what they give away."""

import concurrent.futures
import ipaddress
import os
import pathlib
import re

import apache_beam as beam
import grpc
import pytest
from apache_beam.portability import common_urns
from apache_beam.portability.api import (
    beam_artifact_api_pb2,
    beam_artifact_api_pb2_grpc,
    beam_runner_api_pb2,
)
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from pipeline.runners import beam_ports, local

THREADS = ("--runner=DirectRunner", "--direct_running_mode=multi_threading")


def _listening():
    """Addresses on which this process listens, by port."""
    own = {os.readlink(f"/proc/self/fd/{fd}") for fd in _descriptors()}
    found = {}
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]:
            _, address, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in own:
                host, port = address.split(":")
                words = [bytes.fromhex(word)[::-1] for word in re.findall(".{8}", host)]
                found[int(port, 16)] = _plain(ipaddress.ip_address(b"".join(words)))
    return found


def _plain(address):
    """An address of IPv4 as such, also where it is written as one of IPv6."""
    return getattr(address, "ipv4_mapped", None) or address


def _descriptors():
    for fd in os.listdir("/proc/self/fd"):
        if os.path.exists(f"/proc/self/fd/{fd}") or os.path.islink(f"/proc/self/fd/{fd}"):
            yield fd


def _file_over(port, path):
    """Asks Beam's artifact service for a file of this machine."""
    payload = beam_runner_api_pb2.ArtifactFilePayload(path=str(path))
    asked = beam_artifact_api_pb2.GetArtifactRequest(
        artifact=beam_runner_api_pb2.ArtifactInformation(
            type_urn=common_urns.artifact_types.FILE.urn,
            type_payload=payload.SerializeToString(),
        )
    )
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        stub = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
        return b"".join(answer.data for answer in stub.GetArtifact(asked, timeout=20))


@pytest.fixture
def servers(monkeypatch):
    """Calls a function with the servers of each runner that is closed."""
    seen = []
    close = worker_handlers.GrpcServer.close

    def looked_at(self):
        seen.append((self.control_port, _listening()))
        for act in acts:
            act(self.control_port)
        close(self)

    acts = []
    monkeypatch.setattr(worker_handlers.GrpcServer, "close", looked_at)
    return seen, acts


def _work():
    with beam.Pipeline(argv=[*THREADS, "--direct_num_workers=2"]) as pipeline:
        _ = pipeline | beam.Create([1, 2, 3]) | beam.Map(lambda x: x + 1)


@pytest.mark.seconds
def test_with_several_workers_beam_listens_on_loopback_only_and_hands_out_no_file(
    servers, tmp_path
):
    secret = tmp_path / "secret"
    secret.write_text("mine")
    refused = []

    def ask(port):
        with pytest.raises(grpc.RpcError) as caught:
            _file_over(port, secret)
        refused.append(caught.value.details())

    seen, acts = servers
    acts.append(ask)
    before = set(_listening())
    with local._beam_with(THREADS):
        _work()
    ((control, listening),) = seen
    assert control in listening
    opened = {port: address for port, address in listening.items() if port not in before}
    assert len(opened) >= 4
    assert all(address.is_loopback for address in opened.values()), opened
    assert "need no files" in refused[0]


@pytest.mark.seconds
def test_beam_by_itself_listens_everywhere_and_hands_out_files(servers, tmp_path):
    """Where this fails, Beam has mended it, and pipeline.runners.beam_ports can go."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    given = []
    seen, acts = servers
    acts.append(lambda port: given.append(_file_over(port, secret)))
    _work()
    ((control, listening),) = seen
    assert listening[control].is_unspecified
    assert given == [b"mine"]


def test_beam_is_left_as_it_was():
    before = (worker_handlers.grpc, worker_handlers.artifact_service)
    with beam_ports.on_loopback():
        assert worker_handlers.grpc is not before[0]
        assert worker_handlers.grpc.insecure_channel is grpc.insecure_channel
    assert (worker_handlers.grpc, worker_handlers.artifact_service) == before


def test_a_server_of_another_address_is_bound_to_that():
    server = beam_ports._server(concurrent.futures.ThreadPoolExecutor(1))
    assert server.add_insecure_port("127.0.0.1:0")
    server.stop(None)

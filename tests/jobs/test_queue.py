"""Jobs: made once, wherever; what fails or dies costs itself only."""

import threading

import pytest
from distributed import LocalCluster

from jobs.cluster import connect
from jobs.queue import Job, Queue
from model.errors import BadInput
from tests.support import job_functions as functions
from tests.support.dask_workers import scheduler
from tests.support.job_functions import entry


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BGRU_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def cluster(own_cache):
    with connect(None, 2, ()) as made:
        yield made


def outcomes(cluster, folder, *entries):
    queue = Queue(cluster, folder)
    for one in entries:
        queue.add(Job(one, one.make.__name__))
    return {outcome.job.entry.parts: outcome for outcome in queue}


def test_a_job_is_an_entry_of_the_cache_and_is_made_once(cluster, tmp_path):
    entries = [entry(functions.double, value) for value in range(20)]
    first = outcomes(cluster, tmp_path, *entries, entries[0])
    assert [(first[one.parts].folder / "result").read_text() for one in entries] == [str(2 * n) for n in range(20)]
    again = outcomes(cluster, tmp_path, *entries)
    assert {outcome.seconds for outcome in again.values()} == {None}


def test_the_same_entry_twice_ends_twice(cluster, tmp_path):
    queue = Queue(cluster, tmp_path)
    for label in ("one", "other"):
        queue.add(Job(entry(functions.double, 100), label))
    assert {outcome.job.label: outcome.folder is not None for outcome in queue} == {"one": True, "other": True}


def test_jobs_may_be_added_while_others_end(cluster, tmp_path):
    queue = Queue(cluster, tmp_path)
    queue.add(Job(entry(functions.double, 200), "first"))
    found = []
    for outcome in queue:
        found.append(outcome.job.label)
        if outcome.job.label == "first":
            queue.add(Job(entry(functions.double, 201), "second"))
    assert found == ["first", "second"]


def test_a_job_that_fails_three_times_is_reported_with_its_log_and_the_others_go_on(cluster, tmp_path):
    failing, good = entry(functions.fail, 1, tries=str(tmp_path / "tries")), entry(functions.double, 301)
    found = outcomes(cluster, tmp_path / "logs", failing, good)
    assert found[good.parts].folder is not None
    failed = found[failing.parts]
    assert (tmp_path / "tries").read_text() == "xxx"
    assert (failed.folder, failed.error) == (None, "no result of 1: too bad")
    assert failed.log.parent == tmp_path / "logs"
    assert failed.log.read_text() == "fail\n\nno result of 1: too bad\n"
    assert not failing.path.exists()


def test_a_killed_worker_costs_its_job_only_and_that_job_is_tried_again(cluster, tmp_path):
    killing = entry(functions.kill, 1, tries=str(tmp_path / "tries"), times=1)
    good = [entry(functions.double, 400 + value) for value in range(10)]
    found = outcomes(cluster, tmp_path, killing, *good)
    assert (tmp_path / "tries").read_text() == "xx"
    assert all(outcome.folder is not None for outcome in found.values())


def test_a_job_that_kills_every_worker_is_given_up(cluster, tmp_path):
    killing = entry(functions.kill, 2, tries=str(tmp_path / "tries"), times=99)
    good = [entry(functions.double, 500 + value) for value in range(10)]
    found = outcomes(cluster, tmp_path, killing, *good)
    assert found[killing.parts].error == "3 workers died with this job"
    assert all(found[one.parts].folder is not None for one in good)


def test_a_full_disk_on_a_worker_is_a_sentence(cluster, tmp_path):
    full = entry(functions.fill, 1)
    (found,) = outcomes(cluster, tmp_path, full).values()
    assert "expected room for the result, got No space left on device" in found.error


def test_a_worker_calls_marked_functions_alone(cluster, tmp_path):
    (found,) = outcomes(cluster, tmp_path, entry(functions.unmarked, 1)).values()
    assert found.error == (
        "job: expected a function that makes entries of the cache, got tests.support.job_functions:unmarked"
    )


def test_results_are_the_same_on_one_worker_and_on_four(tmp_path, monkeypatch):
    found = []
    for count in (1, 4):
        monkeypatch.setenv("BGRU_CACHE", str(tmp_path / str(count)))
        with scheduler(count) as address, connect(address, None, ()) as cluster:
            assert cluster.threads == count
            made = outcomes(cluster, tmp_path, *(entry(functions.double, value) for value in range(30)))
        found.append({parts: (outcome.folder / "result").read_bytes() for parts, outcome in made.items()})
        kept = {path.name for path in (tmp_path / str(count) / "demo").iterdir()}
        assert kept == {entry(functions.double, value).key for value in range(30)}
    assert found[0] == found[1]


def test_a_scheduler_that_ends_is_a_sentence_and_what_is_done_is_kept(tmp_path):
    done = entry(functions.double, 600)
    local = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0")
    with connect(local.scheduler_address, None, ()) as cluster:
        queue = Queue(cluster, tmp_path)
        queue.add(Job(done, "done"))
        with pytest.raises(BadInput, match="expected the scheduler to answer until the end, got none; what is done is"):
            for _ in queue:
                queue.add(Job(entry(functions.wait, 601), "waits"))
                threading.Timer(0.3, local.close).start()
    assert done.path.is_dir()

import gc
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from queue import Empty

import numpy as np
import pytest

from solera.context import Context
from solera.errors import CapacityError, InputError, NotFoundError, NumericError
from solera.events import JobChanged, Logged, PointScored, Progress, RunEnded, RunStarted
from solera.jobs.context import JobContext
from solera.jobs.ledger import MemoryLedger
from solera.jobs.queue import JobQueue
from solera.jobs.records import JobRecords
from solera.jobs.spec import JobSpec
from solera.runs.header import RunHeader
from solera.runs.reader import RunReader
from solera.runs.writer import RunWriter

#: Seconds a cancel may take. The promise is one; on a busy machine that is a measurement, so it stands with the heavy
#: tests, and the others only tell soon from never.
LATEST = pytest.mark.parametrize("latest", [20.0, pytest.param(1.0, marks=pytest.mark.heavy)])


class Gate:
    """A handler that says when it has begun and goes on when it is let."""

    def __init__(self):
        self.begun = threading.Event()
        self.go = threading.Event()
        self.seen = []

    def __call__(self, args, context):
        self.seen.append(args)
        self.begun.set()
        while not self.go.wait(0.01):
            context.check()
        return {"args": args}


@pytest.fixture
def make():
    queues = []

    def make(handlers, **options):
        queue = JobQueue(handlers, **({"ledger": MemoryLedger(1000)} | options))
        queues.append(queue)
        return queue

    yield make
    for queue in queues:
        queue.shutdown(5)


def drain(events):
    found = []
    while True:
        try:
            found.append(events.get_nowait())
        except Empty:
            return found


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_a_job_runs_and_its_result_is_kept(make):
    def add(args, context):
        assert isinstance(context, Context)
        assert isinstance(context, JobContext)
        context.log(f"adding in {context.device}")
        return {"sum": args["a"] + args["b"]}

    queue = make({"add": add})
    events = queue.subscribe()
    job = queue.submit(JobSpec("add", "Add", {"a": 1, "b": 2}))
    assert queue.wait(job.id, 5) is job
    assert (job.state, job.result, job.error) == ("done", {"sum": 3}, None)
    assert job.created <= job.started <= job.ended
    assert [said.text for said in job.log] == ["adding in cpu"]
    told = drain(events)
    assert [e.state for e in told if isinstance(e, JobChanged)] == ["queued", "running", "done"]
    assert {e.job for e in told} == {job.id}
    queue.unsubscribe(events)
    queue.wait(queue.submit(JobSpec("add", "Add", {"a": 1, "b": 2})).id, 5)
    assert drain(events) == []


def test_one_lane_runs_one_job_at_a_time_in_order(make):
    order, inside, most = [], [0], [0]
    lock = threading.Lock()

    def work(args, context):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        order.append(args["n"])
        time.sleep(0.005)
        with lock:
            inside[0] -= 1

    queue = make({"work": work})
    jobs = [queue.submit(JobSpec("work", f"{n}", {"n": n})) for n in range(10)]
    queue.wait(jobs[-1].id, 5)
    assert order == list(range(10))
    assert most == [1]
    assert [job.state for job in jobs] == ["done"] * 10


def test_lanes_run_side_by_side_and_nothing_starves(make):
    gates = {name: Gate() for name in "abcd"}
    queue = make(gates, lanes=("cpu", "cuda:0"))
    a = queue.submit(JobSpec("a", "a", lanes=("cpu",)))
    both = queue.submit(JobSpec("b", "b", lanes=("cpu", "cuda:0")))
    late = queue.submit(JobSpec("c", "c", lanes=("cuda:0",)))
    gates["a"].begun.wait(5)
    assert (both.state, late.state) == ("queued", "queued")  # c may not overtake b in the lane b waits for
    gates["a"].go.set()
    queue.wait(a.id, 5)
    assert gates["b"].begun.wait(5)
    assert late.state == "queued"
    gates["b"].go.set()
    assert gates["c"].begun.wait(5)
    d = queue.submit(JobSpec("d", "d", lanes=("cpu",)))
    assert gates["d"].begun.wait(5)  # beside c
    gates["c"].go.set()
    gates["d"].go.set()
    assert queue.wait(d.id, 5).state == "done"
    assert queue.wait(late.id, 5).state == "done"


def test_waiting_jobs_can_be_moved_and_cancelled(make):
    gate, order = Gate(), []
    queue = make({"gate": gate, "note": lambda args, context: order.append(args["n"])})
    first = queue.submit(JobSpec("gate", "gate"))
    a, b, c, d = (queue.submit(JobSpec("note", f"{n}", {"n": n})) for n in range(4))
    queue.move(d.id, 0)
    queue.move(a.id, 9)
    queue.cancel(b.id)
    assert b.state == "cancelled"
    assert [job.id for job in queue.jobs()[-3:]] == [d.id, c.id, a.id]
    gate.go.set()
    queue.wait(a.id, 5)
    assert order == [3, 2, 0]
    with pytest.raises(InputError, match="only waiting jobs"):
        queue.move(first.id, 0)


@LATEST
def test_cancel_is_shown_at_once_done_within_a_second_and_memory_comes_back(make, latest):
    held: list[weakref.ref] = []
    took: list[float] = []
    begun = threading.Event()

    def hold(args, context):
        tensor = np.zeros(1000)
        cycle: list[object] = [tensor]
        cycle.append(cycle)
        held.append(weakref.ref(tensor))
        begun.set()
        with context.reserve(500, "an array"):
            while True:
                context.check()
                time.sleep(0.01)

    queue = make({"hold": hold})
    gc.disable()
    try:
        while not took or (min(took) >= latest and len(took) < 5):  # a busy machine may need more than one try
            begun.clear()
            job = queue.submit(JobSpec("hold", "Hold"))
            begun.wait(5)
            until(lambda: queue.ledger.held == 500)
            asked = time.monotonic()
            queue.cancel(job.id)
            assert job.stopping == "cancelled" or job.final
            assert queue.wait(job.id, 30).state == "cancelled"
            took.append(time.monotonic() - asked)
            assert held.pop()() is None
            assert queue.ledger.held == 0
    finally:
        gc.enable()
    assert min(took) < latest


def test_a_failure_keeps_its_traceback_and_no_objects(make):
    kept = []

    def fail(args, context):
        array = np.zeros(10)
        kept.append(weakref.ref(array))
        if args["how"] == "ours":
            raise NumericError("Tensor 'w' holds NaN.", tensor="w")
        raise SystemExit(3) if args["how"] == "exit" else ZeroDivisionError("by zero")

    queue = make({"fail": fail})
    ours, foreign, leaving = (queue.submit(JobSpec("fail", how, {"how": how})) for how in ("ours", "theirs", "exit"))
    for job in (ours, foreign, leaving):
        assert queue.wait(job.id, 5).state == "failed"
    assert ours.error["code"] == "numeric"
    assert ours.error["fields"] == {"tensor": "w"}
    assert ours.error["message"] == "Tensor 'w' holds NaN."
    assert "in fail" in ours.error["traceback"]
    assert foreign.error["message"] == "ZeroDivisionError: by zero"
    assert "ZeroDivisionError" in foreign.error["traceback"]
    assert leaving.error["code"] == "internal"
    assert [ref() for ref in kept] == [None] * 3


def test_a_failure_of_ours_is_logged_as_its_sentence_another_with_its_traceback(make, caplog):
    def fail(args, context):
        raise NumericError("Tensor 'w' holds NaN.") if args["ours"] else ZeroDivisionError("by zero")

    queue = make({"fail": fail})
    with caplog.at_level(logging.ERROR, "solera"):
        for ours in (True, False):
            queue.wait(queue.submit(JobSpec("fail", "blend", {"ours": ours})).id, 5)
    ours, foreign = (record.getMessage() for record in caplog.records)
    assert ours == "Job 'blend' failed: Tensor 'w' holds NaN."
    assert foreign.startswith("Job 'blend' failed: Traceback")


def test_a_result_that_is_not_json_is_a_failure(make):
    queue = make({"bad": lambda args, context: {"array": np.zeros(3)}})
    job = queue.wait(queue.submit(JobSpec("bad", "bad")).id, 5)
    assert job.state == "failed"
    assert "not JSON serializable" in job.error["message"]


def test_pause_gives_the_lane_away_and_resume_takes_it_back(make):
    gate, other = Gate(), Gate()
    queue = make({"gate": gate, "other": other})
    job = queue.submit(JobSpec("gate", "gate"))
    gate.begun.wait(5)
    queue.pause(job.id)
    until(lambda: job.state == "paused")
    second = queue.submit(JobSpec("other", "other"))
    assert other.begun.wait(5)
    queue.resume(job.id)
    time.sleep(0.05)
    assert job.state == "paused"  # the lane is taken
    other.go.set()
    queue.wait(second.id, 5)
    until(lambda: job.state == "running")
    queue.pause(job.id)
    until(lambda: job.state == "paused")
    with pytest.raises(InputError, match="only a paused job"):
        queue.resume(second.id)
    with pytest.raises(InputError, match="only a running job"):
        queue.pause(second.id)
    queue.cancel(job.id)
    assert queue.wait(job.id, 5).state == "cancelled"


def test_a_failed_job_is_tried_again_under_its_id(make):
    seen = []

    def flaky(args, context):
        seen.append((context.attempt, context.run))
        context.emit(RunStarted(run="r7", path="/x", header={}))
        if context.attempt == 1:
            raise ValueError("not yet")
        return {"attempt": context.attempt}

    queue = make({"flaky": flaky})
    job = queue.wait(queue.submit(JobSpec("flaky", "flaky")).id, 5)
    assert (job.state, job.run) == ("failed", "r7")
    assert queue.retry(job.id) is job
    queue.wait(job.id, 5)
    assert (job.state, job.result, job.error) == ("done", {"attempt": 2}, None)
    assert seen == [(1, ""), (2, "r7")]
    with pytest.raises(InputError, match="is done; it cannot become queued"):
        queue.retry(job.id)
    queue.forget(job.id)
    with pytest.raises(NotFoundError):
        queue.get(job.id)


def test_what_cannot_be_done_is_refused_at_once(make):
    queue = make({"nothing": lambda args, context: None})
    with pytest.raises(InputError, match="kind 'fly'; known: nothing"):
        queue.submit(JobSpec("fly", "fly"))
    with pytest.raises(InputError, match="asks for cuda:7; there are cpu"):
        queue.submit(JobSpec("nothing", "n", lanes=("cuda:7",)))
    with pytest.raises(InputError, match="no lane"):
        queue.submit(JobSpec("nothing", "n", lanes=()))
    with pytest.raises(CapacityError, match=r"needs 2 kB; the memory budget is 1 kB"):
        queue.submit(JobSpec("nothing", "n", memory=2000))
    with pytest.raises(InputError, match="plain JSON"):
        JobSpec("nothing", "n", {"path": object()})
    with pytest.raises(NotFoundError, match="no job 'x'"):
        queue.cancel("x")


def test_a_job_waits_for_its_memory(make):
    a, b = Gate(), Gate()
    queue = make({"a": a, "b": b}, lanes=("cpu", "cuda:0"))
    first = queue.submit(JobSpec("a", "a", memory=600))
    second = queue.submit(JobSpec("b", "b", lanes=("cuda:0",), memory=600))
    assert a.begun.wait(5)
    assert second.state == "queued"
    a.go.set()
    queue.wait(first.id, 5)
    assert b.begun.wait(5)
    b.go.set()
    queue.wait(second.id, 5)
    assert queue.ledger.held == 0


def test_progress_is_coalesced_and_the_last_is_kept(make):
    def count(args, context):
        for i in range(20_001):
            context.progress(i, 20_000, "points", "scoring")

    queue = make({"count": count})
    events = queue.subscribe()
    job = queue.wait(queue.submit(JobSpec("count", "count")).id, 10)
    told = [e for e in drain(events) if isinstance(e, Progress)]
    assert told[-1] is job.progress
    assert (job.progress.done, job.progress.left) == (20_000, 0.0)
    assert len(told) < 3 + 25 * job.seconds


def test_scratch_is_its_own_and_removed(make, tmp_path):
    seen = []

    def write(args, context):
        (context.scratch / "file").write_text("x")
        seen.append(context.scratch)

    queue = make({"write": write}, scratch=tmp_path / "scratch")
    queue.wait(queue.submit(JobSpec("write", "w")).id, 5)
    queue.wait(queue.submit(JobSpec("write", "w")).id, 5)
    assert seen[0] != seen[1]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_deadline_cancels(make):
    def forever(args, context):
        while True:
            context.check()
            time.sleep(0.01)

    queue = make({"forever": forever})
    job = queue.wait(queue.submit(JobSpec("forever", "f", deadline=0.1)).id, 5)
    assert job.state == "cancelled"
    assert "deadline" in job.error["message"]


# -- with a store ------------------------------------------------------------------------------------------------------


def explore(folder, points, pace=0.0):
    def handler(args, context: JobContext):
        run = context.run or "r1"
        path = folder / f"{run}.h5"
        header = RunHeader(
            id=run, kind="explore", title="E", coords=({"name": "x"},), columns=({"task": "t", "metric": "m"},)
        )
        writer = RunWriter.resume(path) if context.run else RunWriter.create(path, header)
        with context.recording(writer):
            context.log("begun")
            for i in range(writer.count, points):
                context.check()
                context.emit(
                    PointScored(
                        run=run, index=i, samples=(np.ones(1),),
                        coords=(float(i),), values=(i / 2,), stderrs=(0.0,), counts=(1,),
                    )
                )  # fmt: skip
                time.sleep(pace)
            writer.summary = f"{points} points"
        return {"run": run}

    return handler


def test_a_job_s_events_reach_its_run_and_its_watchers(make, tmp_path):
    queue = make({"explore": explore(tmp_path, 2000)})
    events = queue.subscribe()
    job = queue.wait(queue.submit(JobSpec("explore", "E")).id, 20)
    assert (job.state, job.run) == ("done", "r1")
    run = RunReader(tmp_path / "r1.h5")
    assert (run.count, run.state, run.summary) == (2000, "done", "2000 points")
    assert run.points().values[:, 0].tolist() == [i / 2 for i in range(2000)]
    assert [said.text for said in run.log()] == ["begun"]
    told = drain(events)
    points = [e for e in told if isinstance(e, PointScored)]
    assert [e.index for e in points] == list(range(2000))
    assert all(e.samples is None and e.job == job.id for e in points)
    kinds = [type(e) for e in told if not isinstance(e, PointScored | Progress)]
    assert kinds == [JobChanged, JobChanged, JobChanged, RunStarted, Logged, RunEnded, JobChanged]
    ended = next(e for e in told if isinstance(e, RunEnded))
    assert (ended.state, ended.summary) == ("done", "2000 points")


def test_a_cancelled_exploration_can_be_gone_on_with(make, tmp_path):
    queue = make({"explore": explore(tmp_path, 60, pace=0.01)})
    job = queue.submit(JobSpec("explore", "E"))
    until(lambda: job.run == "r1")
    time.sleep(0.1)
    queue.cancel(job.id)
    assert queue.wait(job.id, 5).state == "cancelled"
    run = RunReader(tmp_path / "r1.h5")
    assert run.state == "cancelled"
    assert 0 < run.count < 60
    queue.retry(job.id)
    assert queue.wait(job.id, 10).state == "done"
    run.refresh()
    assert (run.state, run.points().coords[:, 0].tolist()) == ("done", [float(i) for i in range(60)])


# -- the end of the program --------------------------------------------------------------------------------------------


def test_shutdown_interrupts_resumably_and_names_what_hangs(make, tmp_path):
    begun, release = threading.Event(), threading.Event()
    gate = Gate()
    records = JobRecords(tmp_path / "jobs")

    def hear_nothing(args, context):
        begun.set()
        release.wait(30)

    queue = make({"gate": gate, "deaf": hear_nothing}, records=records)
    deaf = queue.submit(JobSpec("deaf", "deaf"))
    waiting = queue.submit(JobSpec("gate", "gate", {"n": 1}))
    begun.wait(5)
    assert queue.shutdown(0.2) == (deaf,)
    assert waiting.state == "interrupted"
    with pytest.raises(InputError, match="program is ending"):
        queue.submit(JobSpec("gate", "gate"))
    release.set()
    assert queue.shutdown(5) == ()
    assert deaf.state == "done"

    again = make({"gate": gate, "deaf": gate}, records=JobRecords(tmp_path / "jobs"))
    (offered,) = again.jobs()
    assert (offered.id, offered.state, offered.spec) == (waiting.id, "interrupted", waiting.spec)
    gate.go.set()
    again.retry(offered.id)
    assert again.wait(offered.id, 5).result == {"args": {"n": 1}}
    assert again.shutdown(5) == ()
    assert list((tmp_path / "jobs").iterdir()) == []


def test_shutdown_can_let_everything_finish(make):
    done = []

    def slow(args, context):
        time.sleep(0.02)
        done.append(args["n"])

    queue = make({"slow": slow})
    for n in range(5):
        queue.submit(JobSpec("slow", "slow", {"n": n}))
    assert queue.shutdown(5, interrupt=False) == ()
    assert done == list(range(5))


PROGRAM = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from test_queue import explore
    from solera.jobs.queue import JobQueue
    from solera.jobs.records import JobRecords
    from solera.jobs.signals import EXIT_INTERRUPTED, resumable
    from solera.jobs.spec import JobSpec

    folder = Path(sys.argv[1])
    queue = JobQueue({"explore": explore(folder, 100_000, pace=0.002)}, records=JobRecords(folder / "jobs"))
    with resumable(queue) as stopped:
        job = queue.submit(JobSpec("explore", "E"))
        while not job.run:
            time.sleep(0.01)
        print("running", flush=True)
        if sys.argv[3] == "wait":
            queue.wait(job.id)
    print(job.state, flush=True)
    sys.exit(EXIT_INTERRUPTED if stopped else 0)
    """
)


def start(folder, how):
    here = os.path.dirname(__file__)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), here, how], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    time.sleep(0.2)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_resumably_with_exit_3(make, tmp_path, number):
    process = start(tmp_path, "wait")
    asked = time.monotonic()
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (3, "interrupted\n")
    assert time.monotonic() - asked < 10
    check_resumes(make, tmp_path)


def test_kill_9_leaves_jobs_that_are_offered_again(make, tmp_path):
    process = start(tmp_path, "wait")
    process.kill()
    process.communicate()
    check_resumes(make, tmp_path)


def test_a_script_that_ends_leaves_its_jobs_resumable(make, tmp_path):
    process = start(tmp_path, "leave")
    process.communicate(timeout=20)
    assert process.returncode == 0
    check_resumes(make, tmp_path)


def check_resumes(make, folder):
    run = RunReader(folder / "r1.h5")
    assert run.state == "interrupted"
    queue = make({"explore": explore(folder, run.count + 5)}, records=JobRecords(folder / "jobs"))
    (job,) = queue.jobs()
    assert (job.state, job.run) == ("interrupted", "r1")
    queue.retry(job.id)
    assert queue.wait(job.id, 10).state == "done"
    again = RunReader(folder / "r1.h5")
    assert again.points().coords[:, 0].tolist() == [float(i) for i in range(run.count + 5)]

"""The queue against a small model of its states: whatever is asked in whatever order, jobs are where they should be."""

import threading
import time

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from solera.errors import InputError
from solera.events import FINAL_STATES, JobChanged, JobState
from solera.jobs.job import TRANSITIONS
from solera.jobs.ledger import MemoryLedger
from solera.jobs.queue import JobQueue
from solera.jobs.spec import JobSpec

LANES = ("cpu", "cuda:0")
SOME = st.sampled_from([("cpu",), ("cuda:0",), ("cpu", "cuda:0")])


class Model:
    """What should become of one job."""

    def __init__(self, job, lanes, memory):
        self.job = job
        self.lanes = lanes
        self.memory = memory
        self.state = "queued"
        self.pause = False


class QueueMachine(RuleBasedStateMachine):
    jobs = Bundle("jobs")

    def __init__(self):
        super().__init__()
        self.commands: dict[int, str] = {}
        self.models: list[Model] = []
        self.waiting: list[Model] = []
        self.sitting: list[Model] = []
        self.queue = JobQueue({"play": self.play}, lanes=LANES, ledger=MemoryLedger(100))
        self.events = self.queue.subscribe()
        self.ended = threading.Event()

    def teardown(self):
        assert self.queue.shutdown(60) == ()  # a busy machine is slow to start threads
        states: dict[str, JobState] = {}
        while not self.events.empty():
            event = self.events.get()
            if isinstance(event, JobChanged):
                before = states.get(event.job, event.state)
                assert before == event.state or event.state in TRANSITIONS[before], (before, event.state)
                states[event.job] = event.state
        assert all(states[model.job.id] == model.job.state for model in self.models)
        assert all(model.job.state in FINAL_STATES for model in self.models)
        assert self.queue.ledger.held == 0

    def play(self, args, context):
        """The handler: does what it is told, when it is told."""
        while True:
            context.check()
            command = self.commands.pop(args["n"], "")
            if command == "return":
                return {"n": args["n"]}
            if command == "raise":
                raise ValueError("as told")
            time.sleep(0.001)

    # -- the model -------------------------------------------------------------------------------------------------

    def settle(self):
        """What the scheduler should do now."""
        busy = {lane for model in self.sitting if model.state == "running" for lane in model.lanes}
        for model in self.sitting:
            if model.state == "paused" and not model.pause:
                if busy.isdisjoint(model.lanes):
                    model.state = "running"
                busy.update(model.lanes)
        held = sum(model.memory for model in self.sitting)
        for model in list(self.waiting):
            if busy.isdisjoint(model.lanes) and held + model.memory <= 100:
                self.waiting.remove(model)
                self.sitting.append(model)
                model.state = "running"
                held += model.memory
            busy.update(model.lanes)

    def end(self, model, state):
        model.state, model.pause = state, False
        self.sitting.remove(model)
        self.settle()

    @rule(target=jobs, lanes=SOME, memory=st.sampled_from([0, 40, 70]))
    def submit(self, lanes, memory):
        n = len(self.models)
        job = self.queue.submit(JobSpec("play", f"job {n}", {"n": n}, lanes=lanes, memory=memory))
        model = Model(job, lanes, memory)
        self.models.append(model)
        self.waiting.append(model)
        self.settle()
        return model

    @rule(model=jobs, how=st.sampled_from(["return", "raise"]))
    def end_by_itself(self, model, how):
        if model.state == "running":
            self.commands[self.models.index(model)] = how
            self.end(model, "done" if how == "return" else "failed")

    @rule(model=jobs)
    def cancel(self, model):
        self.queue.cancel(model.job.id)
        if model in self.waiting:
            self.waiting.remove(model)
            model.state = "cancelled"
            self.settle()
        elif model in self.sitting:
            self.end(model, "cancelled")

    @rule(model=jobs)
    def pause(self, model):
        try:
            self.queue.pause(model.job.id)
        except InputError:
            assert model.state not in ("running", "paused")
            return
        assert model.state in ("running", "paused")
        model.state, model.pause = "paused", True
        self.settle()

    @rule(model=jobs)
    def resume(self, model):
        try:
            self.queue.resume(model.job.id)
        except InputError:
            assert model.state != "paused"
            return
        assert model.state == "paused"
        model.pause = False
        self.settle()

    @rule(model=jobs)
    def retry(self, model):
        try:
            self.queue.retry(model.job.id)
        except InputError:
            assert model.state not in ("failed", "cancelled")
            return
        assert model.state in ("failed", "cancelled")
        model.state = "queued"
        self.waiting.append(model)
        self.settle()

    @rule(model=jobs, index=st.integers(0, 3))
    def move(self, model, index):
        try:
            self.queue.move(model.job.id, index)
        except InputError:
            assert model not in self.waiting
            return
        self.waiting.remove(model)
        self.waiting.insert(index, model)
        self.settle()

    @precondition(lambda self: any(model.state in ("done", "failed") for model in self.models))
    @rule(model=consumes(jobs))
    def forget(self, model):
        try:
            self.queue.forget(model.job.id)
        except InputError:
            assert model.state not in FINAL_STATES
        else:
            assert model.state in FINAL_STATES

    @invariant()
    def jobs_are_where_they_should_be(self):
        end = time.monotonic() + 30  # a busy machine is slow to start threads; how soon a cancel is seen: tested apart
        while [model.job.state for model in self.models] != [model.state for model in self.models]:
            got = [(model.job.state, model.state) for model in self.models]
            assert time.monotonic() < end, f"(is, should be): {got}"
            time.sleep(0.001)
        with self.queue._changed:
            assert self.queue._waiting == [model.job.id for model in self.waiting]
        running = [model for model in self.models if model.job.state == "running"]
        lanes = [lane for model in running for lane in model.lanes]
        assert len(lanes) == len(set(lanes))


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)

"""Loads of the lanes: who holds them, how busy the machine is."""

import threading
import time

from solera.jobs.load import LoadMeter
from solera.jobs.queue import JobQueue
from solera.jobs.spec import JobSpec


def test_lanes_tell_who_holds_them_and_a_busy_machine_is_busy() -> None:
    go = threading.Event()

    def work(args, context):
        go.wait(20)

    queue = JobQueue({"work": work}, ("cpu", "cuda:0"))
    meter = LoadMeter(queue)
    first = queue.submit(JobSpec("work", "Hold it", {}, ("cpu",)))
    waits = [queue.submit(JobSpec("work", f"Later {n}", {}, ("cpu",))).id for n in range(3)]
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        pass
    cpu, gpu = meter.read()
    assert (cpu.lane, cpu.job, gpu.lane, gpu.job) == ("cpu", "Hold it", "cuda:0", "")
    assert cpu.busy is not None
    assert 0.05 < cpu.busy <= 1
    assert 0 < cpu.used < cpu.total
    assert (gpu.busy, gpu.total) == (None, 0)
    assert queue.waiting() == tuple(waits)
    queue.move(waits[2], 0)
    assert queue.waiting() == (waits[2], waits[0], waits[1])
    go.set()
    queue.shutdown(interrupt=False)
    assert first.state == "done"
    assert queue.occupied() == {}

"""Handlers that the tests run in a process of their own."""

import os
import signal
import time

from solera.errors import CapacityError, NumericError
from solera.events import Indicator


def add(args, context):
    context.log("adding")
    for i in range(10):
        context.check()
        context.progress(i + 1, 10, "steps")
        context.emit(Indicator(run="r", name="sum", index=i, value=float(i)))
    with context.reserve(50, "a buffer"):
        pass
    refused = ""
    try:
        with context.reserve(5000, "too much"):
            pass
    except CapacityError as error:
        refused = error.message
    here = {"pid": os.getpid(), "seed": context.seed.child("x").integer(), "scratch": context.scratch.is_dir()}
    return {"sum": args["a"] + args["b"], "refused": refused, **here}


def fail(args, context):
    raise NumericError("Tensor 'w' holds NaN.", tensor="w")


def die(args, context):
    os.kill(os.getpid(), signal.SIGKILL)


def polite(args, context):
    context.log("begun")
    while True:
        context.check()
        time.sleep(0.01)


def deaf(args, context):
    context.log("begun")
    while True:
        time.sleep(0.01)


def steps(args, context):
    for i in range(100_000):
        context.check()
        context.emit(Indicator(run="r", name="step", index=i, value=0.0))
        time.sleep(0.005)

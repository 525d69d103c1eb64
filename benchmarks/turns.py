"""Timing things side by side: each in a separate process, all warm, taking turns in one run.

The speed of a machine drifts by more than the differences to measure, so figures of different runs are not comparable.
A worker is a script that ends in `serve(run)`; the benchmark starts workers, lets them take turns, and compares
medians.

`medians` times functions of one process. This file needs only Python: workers run in whatever environment their
packages are installed in.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time


def serve(run, **facts):
    """Be a worker: take two steps, report `facts`, then answer each line on stdin with the seconds of so many steps.

    Args:
        run: maps a number of steps to the list of their seconds.
        **facts: what else the benchmark should know, such as the operations of a step.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the output of libraries must not be mistaken for an answer
    run(2)
    print(json.dumps(facts), file=answers, flush=True)
    for line in sys.stdin:
        seconds = run(int(line))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak": peak}), file=answers, flush=True)


class Worker:
    """A script that calls `serve`, in a separate process.

    Args:
        *command: interpreter, script and arguments.
        **environment: variables to be set for it.
    """

    def __init__(self, *command, **environment):
        self.command = [str(part) for part in command]
        self.seconds, self.peak = [], 0
        # The many log messages about the machine are dropped; an error is shown.
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            self.command, env=os.environ | quiet | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self._answer()

    def turn(self, steps):
        """Take some steps and keep their seconds."""
        print(steps, file=self.process.stdin, flush=True)
        answer = self._answer()
        self.seconds += answer["seconds"]
        self.peak = answer["peak"]

    @property
    def median(self):
        """Median seconds of all steps so far."""
        return statistics.median(self.seconds)

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.command)} ended with code {self.process.wait()}")
        return json.loads(line)


def take_turns(workers, rounds=6, steps=5):
    """Let all workers run `rounds` times `steps` steps, one after the other in each round, then end them."""
    for _ in range(rounds):
        for worker in workers:
            worker.turn(steps)
    for worker in workers:
        worker.close()


def medians(functions, repeats):
    """The median seconds of functions that take turns, all of them warm."""
    seconds = [[] for _ in functions]
    for repeat in range(repeats + 1):
        for function, own in zip(functions, seconds, strict=True):
            begin = time.perf_counter()
            function()
            if repeat:  # the first one compiles
                own.append(time.perf_counter() - begin)
    return [statistics.median(own) for own in seconds]


class Table:
    """A Markdown table whose rows are printed as they come: an interrupted run leaves those measured so far.

    Args:
        *headings: of the columns.
    """

    def __init__(self, *headings):
        self.row(*headings)
        print("|" + "---|" * len(headings), flush=True)

    def row(self, *cells):
        """Print a row."""
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)

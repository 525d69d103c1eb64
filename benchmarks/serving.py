"""How many images a second a server draws, and how long a request waits, with and without merging requests.

    python benchmarks/serving.py                                # a PixelCNN 7x16 of 28x28 binary images; minutes
    python benchmarks/serving.py --model run/best.keras --signature complete

Every request is for one image. As in TensorFlow Serving, it runs in the C++ session of a SavedModel
(`tests/c_session.py`); sockets are left out. Requests are merged as `exported/batching.config` configures it: those
that arrive within a few milliseconds, or while all threads are busy, run as one batch.
"""

import argparse
import multiprocessing.pool
import pathlib
import queue
import sys
import tempfile
import threading
import time

import numpy as np
from turns import Table

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))

import c_session
import saved_models

MAX_BATCH_SIZE, BATCH_TIMEOUT = 64, 0.005  # images, seconds


class Merger:
    """Runs the requests of many threads in batches.

    Args:
        run: maps a dictionary of arrays to one of arrays, with an entry per image.
        threads: int, how many batches run at the same time.
    """

    def __init__(self, run, threads):
        self._run, self._waiting = run, queue.SimpleQueue()
        for _ in range(threads):
            threading.Thread(target=self._work, daemon=True).start()

    def __call__(self, request):
        """The answer to a request of one image."""
        answer = queue.SimpleQueue()
        self._waiting.put((request, answer))
        return answer.get()

    def _work(self):
        while True:
            requests, answers = zip(*self._batch(), strict=True)
            merged = self._run({key: np.concatenate([request[key] for request in requests]) for key in requests[0]})
            for number, answer in enumerate(answers):
                answer.put({key: value[number : number + 1] for key, value in merged.items()})

    def _batch(self):
        batch, deadline = [self._waiting.get()], time.perf_counter() + BATCH_TIMEOUT
        while len(batch) < MAX_BATCH_SIZE:
            try:
                batch.append(self._waiting.get(timeout=max(0, deadline - time.perf_counter())))
            except queue.Empty:
                break
        return batch


def load(requests, call, concurrent):
    """Send all requests, so many at a time: images a second, each request's seconds, and the images."""

    def timed(request):
        begin = time.perf_counter()
        answer = call(request)
        return time.perf_counter() - begin, answer

    begin = time.perf_counter()
    with multiprocessing.pool.ThreadPool(concurrent) as threads:
        seconds, answers = zip(*threads.map(timed, requests, chunksize=1), strict=True)
    return len(requests) / (time.perf_counter() - begin), seconds, [answer["image"] for answer in answers]


def make_requests(signature, model, count):
    """Requests of one image each; those of `complete` know the upper half of a blank image."""
    height, width, colours = model.image_shape
    requests = [{"seed": np.array([seed]), "temperature": np.ones(1, "float32")} for seed in range(count)]
    if signature == "complete":
        known = (np.arange(height) < height // 2)[None, :, None].repeat(width, axis=2)
        half = {"image": np.zeros((1, height, width, colours), "uint8"), "known": known}
        requests = [request | half for request in requests]
    return requests


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a .keras file; by default untrained: speed does not depend on the weights")
    parser.add_argument("--signature", choices=["sample", "complete"], default="sample")
    parser.add_argument("--concurrent", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--requests", type=int, default=128, help="of each row")
    parser.add_argument("--batch-threads", type=int, default=1)
    options = parser.parse_args()

    import keras

    import pixel_zoo as pz

    model = keras.models.load_model(options.model) if options.model else pz.models.PixelCNN(filters=16)
    with tempfile.TemporaryDirectory() as folder:
        session = c_session.CSession(*saved_models.session_arguments(pz.export(model, pathlib.Path(folder) / "model")))
    requests = make_requests(options.signature, model, options.requests)

    def run(request):
        return session.run(options.signature, request)

    calls = {"no": run, "yes": Merger(run, options.batch_threads)}
    for call in calls.values():
        load(requests[:4], call, concurrent=4)  # the first runs prepare the graph
    expected, speed = None, {}
    table = Table("concurrent requests", "merged", "images/s", "gain", "p50, s", "p99, s", "images changed")
    for concurrent in options.concurrent:
        for merged, call in calls.items():
            speed[merged], seconds, images = load(requests, call, concurrent)
            expected = expected or images
            changed = sum((image != alone).any() for image, alone in zip(images, expected, strict=True))
            gain = f"{speed[merged] / speed['no']:.1f}x"
            p50, p99 = (f"{np.percentile(seconds, percent):.3f}" for percent in (50, 99))
            table.row(concurrent, merged, f"{speed[merged]:.1f}", gain, p50, p99, changed)


if __name__ == "__main__":
    main()

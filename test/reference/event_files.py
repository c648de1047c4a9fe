"""Writes event_files.tfevents: an event file as TensorBoard's own writer makes it, for a fixed clock.

    python test/reference/event_files.py

With a file as argument it prints instead what TensorBoard reads in it, as JSON. Running the tests needs no Python.
"""

import io
import json
import pathlib
import sys

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.record_writer import RecordWriter

OUT = pathlib.Path(__file__).parent / "event_files.tfevents"


def written():
    values = np.array([0.0, 1.0, 2.0, 4.0])
    histogram = HistogramProto(min=0, max=4, num=4, sum=7, sum_squares=21)
    edges = [4 * (i + 1) / 30 for i in range(30)]
    histogram.bucket_limit.extend(edges)
    counts = [0.0] * 30
    for v in values:
        counts[min(29, int(v / 4 * 30))] += 1
    histogram.bucket.extend(counts)
    scalar = Summary(value=[Summary.Value(tag="train/loss", simple_value=0.1)])
    return [
        Event(wall_time=1700000000.5, file_version="brain.Event:2"),
        Event(wall_time=1700000001.5, step=1, summary=scalar),
        Event(wall_time=1700000002.5, step=300, summary=Summary(value=[Summary.Value(tag="ü", simple_value=-2.5)])),
        Event(wall_time=1700000003.5, step=2, summary=Summary(value=[Summary.Value(tag="weights", histo=histogram)])),
    ]


def read(path):
    found = EventAccumulator(path, size_guidance={"scalars": 0, "histograms": 0}).Reload()
    scalars = {tag: [[e.step, e.value] for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    histograms = {tag: [[e.step, e.histogram_value.num] for e in found.Histograms(tag)] for tag in found.Tags()["histograms"]}
    return {"scalars": scalars, "histograms": histograms}


if len(sys.argv) > 1:
    print(json.dumps(read(sys.argv[1])))
else:
    stream = io.BytesIO()
    stream.close = lambda: None
    writer = RecordWriter(stream)
    for event in written():
        writer.write(event.SerializeToString(deterministic=True))
    writer.flush()
    OUT.write_bytes(stream.getvalue())

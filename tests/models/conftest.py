"""What the tests of all models share."""

import json
import subprocess
import sys

import pytest
import torch

EXPORT = """
import json, sys
import onnx, onnxruntime, torch
from seqbook.models import ARCHITECTURES

name, sizes, file = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
architecture, config = ARCHITECTURES[name]
rows = name == "FineTunedGPT"  # two of ids for each example, and where the head reads them
vocab = {"ids": 12} if "GPT" in name else {"source_ids": 12, "target_ids": 10}  # what forward takes
vocab_sizes = {ids.replace("ids", "vocab_size"): size for ids, size in vocab.items()}
model = architecture(config(**vocab_sizes, **sizes)).eval()
dynamic = torch.export.Dim.DYNAMIC
shapes = ({0: dynamic, 2: dynamic}, {0: dynamic}) if rows else ({0: dynamic, 1: dynamic},) * len(vocab)
names = ["ids", "extract"] if rows else list(vocab)

def inputs(batch, *lengths):  # one sequence takes the first length
    if rows:
        return torch.randint(1, 12, (batch, 2, lengths[0])), torch.randint(0, (lengths[0] + 1) // 2, (batch, 2))
    return tuple(torch.randint(1, size, (batch, n)) for size, n in zip(vocab.values(), lengths, strict=False))

torch.onnx.export(
    model, inputs(3, 6, 5), file, dynamo=True, external_data=False, verbose=False,
    input_names=names, output_names=["task", "lm"] if rows else ["logits"], dynamic_shapes=shapes,
)
graph = onnx.load(file)
del graph.graph.value_info[:]  # the exporter writes the traced length into them
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # more would spin while they wait for each other
session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
for batch, s, t in ((3, 6, 5), (1, 9, 2), (5, 3, 11), (2, 1, 1)):
    given = inputs(batch, s, t)
    given[0][0, ..., (s + 1) // 2 :] = 0  # padding
    outputs = session.run(None, {ids: tensor.numpy() for ids, tensor in zip(names, given, strict=True)})
    expected = model(*given) if rows else (model(*given),)
    for output, wanted in zip(outputs, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(output), wanted, rtol=0, atol=1e-4)
"""


REFUSED = [
    ([[4, 12]], [[1, 4]], "source_ids has the id 12, outside the vocabulary of 12"),
    ([[4, -1]], [[1, 4]], "source_ids has the id -1, outside"),
    ([[4, 11]], [[1, 10]], "target_ids has the id 10, outside the vocabulary of 10"),
    ([[4, 11]], [[1, -7]], "target_ids has the id -7, outside"),
    ([[4] * 10], [[1, 4]], "source_ids is 10 tokens long, .*max_len=9"),
    ([[4]], [[1] * 10], "target_ids is 10 tokens long, .*max_len=9"),
    ([[4], [0]], [[1], [1]], r"source_ids has empty sequences .*rows \[1\]"),
    ([[4], [5]], [[0], [1]], r"target_ids has empty sequences .*rows \[0\]"),
    ([[]], [[1]], r"source_ids has shape \(1, 0\)"),
    ([[4]], [[]], r"target_ids has shape \(1, 0\)"),
]


@pytest.fixture(params=REFUSED, ids=[message for *_, message in REFUSED])
def refused_ids(request):
    """Source and target that a model for 12 and 10 ids and 9 tokens refuses, and what it says."""
    source, target, message = request.param
    return torch.tensor(source, dtype=torch.long), torch.tensor(target, dtype=torch.long), message


@pytest.fixture
def equals_its_export(tmp_path):
    """A check that a model says the same as its ONNX graph, at sizes other than the traced and with padding.

    In a process of its own: beartype's wrappers, which readers don't have, can't be traced.
    """
    pytest.importorskip("onnxscript", reason="onnxscript, onnx and onnxruntime are needed to export")

    def check(architecture: str, **sizes) -> None:
        command = [sys.executable, "-c", EXPORT, architecture, json.dumps(sizes), str(tmp_path / "model.onnx")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    return check

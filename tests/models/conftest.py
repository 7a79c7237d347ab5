"""What the tests of all models share."""

import json
import subprocess
import sys

import pytest

EXPORT = """
import json, sys
import onnx, onnxruntime, torch
from seqbook.models import ARCHITECTURES

name, sizes, file = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
architecture, config = ARCHITECTURES[name]
vocab = {"ids": 12} if name == "GPT" else {"source_ids": 12, "target_ids": 10}  # what forward takes
vocab_sizes = {ids.replace("ids", "vocab_size"): size for ids, size in vocab.items()}
model = architecture(config(**vocab_sizes, **sizes)).eval()
lengths = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}

def inputs(batch, *lengths):  # one sequence takes the first length
    return tuple(torch.randint(1, size, (batch, n)) for size, n in zip(vocab.values(), lengths, strict=False))

torch.onnx.export(
    model, inputs(3, 6, 5), file, dynamo=True, external_data=False, verbose=False,
    input_names=list(vocab), output_names=["logits"], dynamic_shapes=(lengths,) * len(vocab),
)
graph = onnx.load(file)
del graph.graph.value_info[:]  # the exporter writes the traced length into them
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # more would spin while they wait for each other
session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
for batch, s, t in ((3, 6, 5), (1, 9, 2), (5, 3, 11), (2, 1, 1)):
    given = inputs(batch, s, t)
    given[0][0, (s + 1) // 2 :] = 0  # padding
    (logits,) = session.run(None, {ids: tensor.numpy() for ids, tensor in zip(vocab, given, strict=True)})
    torch.testing.assert_close(torch.from_numpy(logits), model(*given), rtol=0, atol=1e-4)
"""


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

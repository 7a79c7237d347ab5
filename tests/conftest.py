"""What all tests share: folders of their own, no network, and systems small enough to train while you wait.

Nothing here imports seqbook before a fixture runs: jaxtyping's hook, which has beartype check every shape, comes first.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import nbval.kernel
import pytest
import torch
from jupyter_client.manager import KernelManager
from torch import nn

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
torch.set_num_threads(1)

GERMAN = "ein hund rennt schnell zwei frauen lesen bücher".split()
ENGLISH = "a dog runs fast two women read books".split()
# Containers have no user namespaces for the browser's sandbox, and on a closed network its own calls home are noise.
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
BROWSER += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


class KernelOverFiles(KernelManager):
    """nbval's kernels listen to files, not to ports: another process may take a port before the kernel does."""

    def __init__(self, **settings):
        self.sockets = tempfile.TemporaryDirectory()
        super().__init__(transport="ipc", ip=f"{self.sockets.name}/kernel", **settings)


nbval.kernel.KernelManager = KernelOverFiles


@pytest.fixture(scope="session", autouse=True)
def microworld_home(tmp_path_factory):
    """One MICROWORLD_HOME for the whole session: its data are always the same, and take seconds to generate."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # by the workers too
    os.environ["MICROWORLD_HOME"] = str(shared / "microworld")
    return shared / "microworld"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A SEQBOOK_HOME of the test's own, and the same random numbers whatever ran before."""
    monkeypatch.setenv("SEQBOOK_HOME", str(tmp_path / "home"))
    torch.manual_seed(0)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def pairs():
    """280 pairs of 2 to 6 words: each word has its translation, and the order is reversed."""
    rng, found = random.Random(0), set()
    while len(found) < 280:
        found.add(tuple(rng.choices(range(8), k=rng.randint(2, 6))))
    rows = sorted(found)
    rng.shuffle(rows)
    return [{"de": " ".join(GERMAN[i] for i in row), "en": " ".join(ENGLISH[i] for i in reversed(row))} for row in rows]


@pytest.fixture(scope="session")
def table():
    """A network whose beams can be computed by hand."""

    class Table(nn.Module):
        """P(next token | the last one) from {last: {next: probability}}, whatever else was read.

        given: which of its inputs it continues. read: the first row of each prompt.
        """

        def __init__(self, size, following, given=0):
            super().__init__()
            probabilities = torch.full((size, size), 1e-30)
            for last, row in following.items():
                for token, p in row.items():
                    probabilities[last, token] = max(p, 1e-30)
            self.log_probs, self.given, self.read = nn.Parameter(probabilities.log()), given, []

        def prefill(self, *inputs):
            self.read.append(inputs[self.given][0].tolist())
            return self.log_probs[inputs[self.given][:, -1]], self

        def decode(self, tokens, _):
            return self.log_probs[tokens], self

        def select(self, _):
            return self

    return Table


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, pairs):
    """The pairs as a folder that the multi30k recipes read."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, rows in {"train": pairs[:240], "val": pairs[240:260], "test": pairs[260:]}.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def long_text(tmp_path_factory, pairs):
    """The English sides as one text of characters, in a folder that the Shakespeare recipes read."""
    folder = tmp_path_factory.mktemp("long_text")
    (folder / "input.txt").write_text("".join(row["en"].capitalize() + ".\n" for row in pairs), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def settings():
    """What makes `attention-multi30k` tiny. Dropout, both directions and label smoothing stay on."""
    return {
        "source_kind": "word", "target_kind": "word", "d_model": 16, "max_len": 12, "beams": 1,
        "steps": 12, "batch_size": 16, "warmup": 2, "evaluations": 4,
    }  # fmt: skip


@dataclass
class Toy:
    """The pairs as ids, their objective, and a model for them."""

    objective: object
    train: list
    validation: list

    def model(self, **config):
        from seqbook.models.rnn import RNNConfig, RNNSeq2Seq

        torch.manual_seed(1)
        sizes = {"source_vocab_size": 12, "target_vocab_size": 12, "d_model": 16, "max_len": 12}
        return RNNSeq2Seq(RNNConfig(**sizes | config))


@pytest.fixture
def toy(pairs):
    from seqbook.data.tokenizer import Tokenizer
    from seqbook.objectives.seq2seq import Seq2Seq

    tokenizers = [Tokenizer.train([row[side] for row in pairs], "word") for side in ("de", "en")]
    objective = Seq2Seq(*tokenizers, max_len=12)
    examples = objective.encode([row["de"] for row in pairs], [row["en"] for row in pairs])
    return Toy(objective, examples[:240], examples[240:])


@pytest.fixture
def random_model():
    """Build an untrained model whose probabilities are far from equal, so that ties and near-ties are rare."""
    from seqbook.models import GPTConfig, RNNConfig, TransformerConfig

    vocabularies = {"source_vocab_size": 6, "target_vocab_size": 12}
    configs = {
        "RNNSeq2Seq": RNNConfig(**vocabularies, d_model=8, context="dot"),
        "Transformer": TransformerConfig(**vocabularies, d_model=8, n_layers=1, n_heads=2, d_ff=16),
        "GPT": GPTConfig(vocab_size=12, d_model=16, n_layers=2, n_heads=2, max_len=24),
    }

    def build(architecture: str, seed: int, **changes) -> nn.Module:
        torch.manual_seed(seed)
        model = replace(configs[architecture], **changes).build()
        for name, parameter in model.named_parameters():
            if architecture == "RNNSeq2Seq":
                if name in ("out.weight", "embedding.weight", "encoder.embedding.weight"):
                    nn.init.normal_(parameter, std=3.0 if name == "out.weight" else 2.0)
            elif architecture == "GPT":
                nn.init.normal_(parameter, std=3.0 if name.startswith("stack.norm") else 0.5)
            elif name.endswith("norm.weight"):  # of both signs: a token, scored by its own vector, would follow itself
                nn.init.normal_(parameter, std=3.0)
            elif parameter.dim() > 1 and "embedding" not in name:
                nn.init.normal_(parameter)
        return model

    return build


@pytest.fixture
def copy_attention():
    """Give torch's `nn.MultiheadAttention` the weights of our `Attention`."""

    def copy(theirs, ours):
        projections = {
            f"in_proj_{kind}": torch.cat([getattr(ours.query, kind), getattr(ours.key_value, kind)])
            for kind in ("weight", "bias")
        }
        out = {f"out_proj.{kind}": t for kind, t in ours.out.state_dict().items()}
        theirs.load_state_dict(projections | out)

    return copy


@pytest.fixture
def copy_block(copy_attention):
    """Give torch's encoder layer, or its decoder layer if there is cross-attention, the weights of our `Block`."""

    def copy(layer, block):
        norms = [block.attention_norm, block.feed_forward_norm]
        copy_attention(layer.self_attn, block.attention)
        if isinstance(layer, nn.TransformerDecoderLayer):
            norms.insert(1, block.cross_norm)
            copy_attention(layer.multihead_attn, block.cross_attention)
        parts = {"linear1": block.feed_forward.inner, "linear2": block.feed_forward.out}
        parts |= {f"norm{i}": norm for i, norm in enumerate(norms, start=1)}
        for name, part in parts.items():
            getattr(layer, name).load_state_dict(part.state_dict())

    return copy


@pytest.fixture
def arguments(corpus, settings):
    """The command line of a tiny run, for another process."""

    def build(out: Path, **changes) -> list[str]:
        chosen = [f"--set={name}={value}" for name, value in (settings | changes).items()]
        return ["train", "attention-multi30k", "--data", str(corpus), "--out", str(out), *chosen]

    return build


@pytest.fixture
def process(tmp_path):
    """Start `python -m seqbook …` as a process of its own."""
    started = []

    def start(*arguments: str, module: tuple[str, ...] = ("-m", "seqbook")) -> subprocess.Popen:
        command = [sys.executable, *module, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, **pipes))
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.communicate()


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium. For a module alone: while it is open, no other test can run an event loop of its own."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.fail("no Chromium: install your system's package `chromium`, or run `make site` as root")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER)
        yield browser
        browser.close()


@pytest.fixture
def full_disk():
    """Inside the block, a file that grows past `size` bytes fails, as on a full disk (Python ignores the signal)."""
    resource = pytest.importorskip("resource", reason="no limit on the size of files on this system")

    @contextmanager
    def limit(size: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture
def real_corpora():
    """The folder of the real corpora, which the project doesn't hold."""
    folder = Path(os.environ.get("SEQBOOK_CORPORA", ""))
    if not (folder / "multi30k").is_dir():
        pytest.skip("SEQBOOK_CORPORA names no folder that holds multi30k: the real corpora are not part of the project")
    return folder

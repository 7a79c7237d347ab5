"""The page's own code in a browser, without a built site: its folder is served, and pages are made up."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "book" / "_static" / "live"
THEME = """<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>A chapter</title>
<meta name="viewport" content="width=device-width">
<style>
  html {{ --pst-color-background: #fff; --pst-color-text-base: #222; --pst-color-primary: #176de8;
    --pst-color-border: #888; --pst-color-surface: #eee; --pst-color-text-muted: #555; --pst-color-danger: #b00; }}
  html[data-theme="dark"] {{ --pst-color-background: #121; --pst-color-text-base: #ddd; --pst-color-primary: #8af;
    --pst-color-border: #888; --pst-color-surface: #333; --pst-color-text-muted: #aaa; --pst-color-danger: #f99; }}
  body {{ background: var(--pst-color-background); color: var(--pst-color-text-base); font: 16px sans-serif; }}
  figure {{ margin: 0; }}
</style><link rel="stylesheet" href="live.css"><script type="module" src="live.js?v=1"></script>
<body class="bd-content"><main class="bd-article"><h1>A chapter</h1>{body}</main></body></html>"""


EXPORT = """
import json, math, sys, unicodedata
from pathlib import Path
import numpy as np, onnxruntime, torch
from datasets import Dataset, DatasetDict, concatenate_datasets
from seqbook import runs
from seqbook.data import corpora
from seqbook.live import heldout, timelapse
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import prompting
from seqbook.objectives import spans as answers
from seqbook.objectives.corruption import noises, spans
from seqbook.live.export import GRAPHS, export, rounded
from seqbook.recipes import configure
from seqbook.recipes.schema import fill

name, folder, texts = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
graph = GRAPHS[name]
lapse = None
if graph.steps:
    lapse = timelapse.train(
        "attention", (0, 75, 150), d_model=32, steps=150, evaluations=1, learning_rate=0.04, warmup=10
    )
    run = lapse.run
elif graph.labels or graph.halves or name in ("gpt-prompting", "gpt-multiple-choice", "bert-qa", "t5", "bart"):
    # untrained, with weights large enough to tell answers apart
    recipe = configure(name, **graph.settings)
    words = "Anna gave had the key to Ben . The dinner was good I did not like visit , Harry studied at Porto School In met"
    words += " Question : Is this opinion or bad ? Answer film"
    if name == "gpt-multiple-choice":  # endings that differ in unknown words alone have the same score
        words += " " + " ".join(corpora.load(recipe.data.corpus, None, 60)["test"]["context"][:100])
    special = "[MASK]", "[CLS]", "[SEP]", "<delimiter>", "<extract>"
    tokenizers = {"tokenizer": Tokenizer.train([words], "word").with_special(*special)}
    if name in ("t5", "bart"):
        tokenizers = recipe.objective.tokenizers({"text": [words]}, {})
    objective = recipe.objective.build(tokenizers, recipe.model.max_len)
    torch.manual_seed(2 if graph.halves else 0)
    run = runs.System(fill(recipe.model, objective.sizes()).build().eval(), objective)
    if graph.heldout:
        rows = corpora.load(recipe.data.corpus, None, 60)["test"].select(range(100))
        ids = objective.tokenize(**{role: rows[column][:] for role, column in recipe.objective.reads().items()})
        splits = DatasetDict(test=concatenate_datasets([rows, Dataset.from_dict(ids)], axis=1))
        run = runs.Run(run.model, objective, splits, [], {"accuracy": 0.61, "majority": 0.5}, folder)
    if graph.halves:
        for key, weights in run.model.named_parameters():
            weights.data *= 3 if weights.dim() > 1 and "embedding" not in key else 1
    elif graph.labels or graph.task or name == "bert-qa":
        torch.nn.init.normal_(run.model.head.weight, std=1)
    elif name == "gpt-prompting":
        torch.nn.init.normal_(run.model.embedding.tokens.weight, std=0.1)
else:
    run = runs.run(name, steps=2, evaluations=1, warmup=1)
export(name, folder, "now", run, lapse)
session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
if graph.halves:
    run = runs.System(rounded(run.model), run.objective)
module = graph.module(run.model).eval()
for batch, length in ((1, 1), (1, 9), (3, 4)):
    lengths = {"target_ids": length + 1, "extract": 3}
    given = [torch.randint(4, 30, (batch, lengths.get(key, length))) for key in graph.inputs]
    for i, key in enumerate(graph.inputs):
        if key == "prefix_lengths":
            given[i] = torch.full((batch,), (length + 1) // 2)
        elif key in ("extract", "branches", "position_ids"):
            given[i] %= {"extract": length, "branches": 4, "position_ids": 50}[key]
    found = session.run(None, {key: t.numpy() for key, t in zip(graph.inputs, given)})
    with torch.no_grad():
        wanted = module(*given)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == tuple(b.shape), (a.shape, b.shape)
        assert np.abs(a - b.numpy()).max() < 1e-4

if graph.heldout:  # a few examples; a network that has learned nothing gets some answers that it gives
    held = json.loads((folder / "heldout.json").read_text("utf-8"))
    held["examples"] = held["examples"][:7]
    for row in held["examples"][::2]:
        if "reference" in row:
            row["reference"] = run.generate([row["source"]])[0]
        elif held["measure"] != "loss":
            logits = module(*(torch.tensor([given]) for given in row["inputs"]))[0].flatten(0, -2)
            row["labels"] = logits[row["places"]].argmax(-1).tolist()
    held |= heldout.score(run, module, held)
    (folder / "heldout.json").write_text(json.dumps(held), encoding="utf-8")
if lapse:  # of every step: the translation, and the weights and the predictions beside the last step's translation
    wanted = {"text": "Anna went to London on Monday.", "steps": []}
    (row,) = run.objective.encode([wanted["text"]], lapse.at(150).generate([wanted["text"]]))
    batch = run.objective.collate([row])
    for step in lapse.states:
        at = lapse.at(step)
        with torch.no_grad():
            logits, weights = graph.module(at.model)(*batch.inputs)
        right = (logits.argmax(-1) == batch.labels)[0].tolist()
        translation = at.generate([wanted["text"]])[0]
        wanted["steps"].append({"translation": translation, "weights": weights[0].tolist(), "right": right})
    (folder / "wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
    sys.exit()
wanted = []
for text in texts:  # what the course's own code says about them
    objective = run.objective
    if graph.task:
        columns = {column: [part] for column, part in zip(objective.reads, text, strict=True)}
        batch = objective.collate(objective.encode(**columns, label=[(*objective.classes, 0)[0]]))
        wanted.append([text, run.model(*batch.inputs).task.softmax(-1)[0].tolist()])
    elif name == "gpt-prompting":
        *examples, question, answers = text.splitlines()
        prompts = [" ".join([*examples, question]), question]
        pairs = [[(prompt, answer) for answer in answers.split(" / ")] for prompt in prompts]
        shares = [[math.exp(x) for x in prompting.log_p(run, of)] for of in pairs]
        wanted.append([text, [shares, prompting.write(run, [{"prompt": prompt} for prompt in prompts])]])
    elif graph.halves:
        (ids,), read, steps = objective.encode_sources([text]), [], []
        stack, tokenizer = graph.inputs[0] == "ids", objective.tokenizer
        start = objective.prefix(ids) if stack else [tokenizer.bos_id]
        first = [len(start) if "prefix" in name else 0] if stack else [ids]
        while True:
            row = torch.tensor([start + read])
            given = (row, torch.tensor(first)) if stack else (torch.tensor(first), row)
            with torch.no_grad():
                logits, *looks = module(*given)
            share, best = logits[0, -1].softmax(-1).max(-1)
            if len(read) == objective.longest(len(ids)) or (steps and steps[-1][0] == "<eos>"):
                break
            steps.append([tokenizer.tokens([best.item()])[0], share.item()])
            read += [best.item()] * (steps[-1][0] != "<eos>")
        # the weights of each word and of each step to the tokens of both rows: nothing where all heads have 0
        n, sees = len(ids), []
        looks = [look.flatten(0, -3).mean(0).tolist() for look in looks]
        for query in range(n + len(steps)):
            word, step = query < n, query - n
            if stack:
                weights = looks[0][query + 1 if word else len(start) + step - 1]
                both = weights[: len(start)], weights[len(start) :]
            elif len(looks) == 1:
                both = (["carried"] * n, []) if word else (looks[0][step], ["carried"] * (step + 1))
            else:
                both = (looks[0][query], []) if word else (looks[2][step], looks[1][step])
            sees.append([[weight or None for weight in weights] for weights in both])
        wanted.append([text, [run.generate([text])[0], tokenizer.tokens(ids), steps, sees]])
    elif name in ("t5", "bart"):
        words, lost = text[0], set(text[1])
        tokenizer, ids = objective.tokenizer, objective.tokenizer.encode(words)
        eos, noise = [tokenizer.eos_id], torch.tensor([i in lost for i in range(len(ids))])
        if name == "t5":
            source, target = (of + eos for of in spans.corrupt(ids, noise, objective.sentinels))
        else:
            firsts = [i for i in sorted(lost) if i - 1 not in lost]
            gaps = [(i, next(n for n in range(1, 9) if i + n not in lost)) for i in firsts]
            filled = noises.infill([[i] for i in ids], gaps, objective.mask)
            source, target = ([objective.bos, *of, *eos] for of in (filled.ids, ids))
        logits = run.model(torch.tensor([source]), torch.tensor([[objective.start, *target[:-1]]]))
        losses = -logits.log_softmax(-1)[0, range(len(target)), target]
        given = [token for token in tokenizer.tokens(source) if token not in ("<bos>", "<eos>")]
        (filled,) = objective.fill(run.model, [" ".join(given).replace("<unk>", "quokka")])
        rows = [" ".join(tokenizer.tokens(of)) for of in (source, target)]
        wanted.append([text, [*rows, losses.tolist(), *filled]])
    elif name == "bert-qa":
        question, story = text
        (ids,), (begins,), _ = objective._read([story], [question])
        batch = objective.collate([(ids, begins, [0, 0])])
        found = [answers.inside(of, batch.labels.context).softmax(-1)[0, begins:-1] for of in run.model(*batch.inputs)]
        joint = (found[0][:, None] * found[1]).triu().tril(objective.config.longest_answer - 1)
        best = joint.flatten().sort(descending=True).values[:5].tolist()
        (answer,) = objective.answers(run.model, [story], [question])
        wanted.append([text, [answer, *(of.tolist() for of in found), best]])
    elif name == "transformer":
        source, target = objective.tokenizers.values()
        ids, read = torch.tensor([source.encode(text)]), [target.bos_id]
        while len(read) < 40:
            with torch.no_grad():
                logits, *looks = module(ids, torch.tensor([read]))
            best = logits[0, -1].argmax().item()
            if best == target.eos_id:
                break
            read.append(best)
        read = read[: logits.shape[1]]
        top = logits[0].softmax(-1).topk(5)
        top = [[target.backend.id_to_token(i) for i in ids] for ids in top.indices.tolist()], top.values.tolist()
        names = [source.backend.id_to_token(i) for i in ids[0].tolist()], [target.backend.id_to_token(i) for i in read]
        wanted.append([text, [*names, *top, *(look[:, 0].tolist() for look in looks)]])
    else:
        composed = unicodedata.normalize("NFC", text)
        encoding = objective.tokenizer.backend.encode(composed, add_special_tokens=False)
        words = [composed[left:right] for left, right in encoding.offsets]
        ids = torch.tensor([objective.layout.single(encoding.ids)])
        shares = run.model(ids).softmax(-1).amax(-1)[0, 1:-1].tolist()
        wanted.append([text, [words, objective.predict(run.model, [words])[0], shares]])
(folder / "wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
"""
ASKED = " Question: Is this opinion good or bad? Answer:"
GAPS = [  # a text, and the numbers of the words that are taken away
    ["Anna gave Ben the key. The dinner was good.", [1, 2, 9, 10]],
    ["I did not like the visit, Harry had quokka.", [2, 6, 7]],
    ["The film was bad.", [1]],
]
FAMILIES = ("recurrent", "encoder-decoder", "causal", "prefix")
TEXTS = {f"compare-{family}-translation": ["Anna gave the key to Ben.", "Ben had a quokka."] for family in FAMILIES}
TEXTS |= {  # of which a model is asked
    "gpt-prompting": [
        f"The dinner was good.{ASKED} good.\nAnna met Ben.{ASKED} bad.\nThe film was bad.{ASKED}\ngood. / bad. / the",
        f"I did not like the quokka.{ASKED}\nbad. / good. / Ben",
    ],
    "transformer": ["The old teacher visited a doctor in London.", "Anna gave Ben a quokka."],
    "gpt-sentiment": [["The dinner was good."], ["I did not like the visit, <extract> quokka."]],
    "gpt-entailment": [["Anna gave the key to Ben.", "Ben had the key."], ["Ben left.", "Was quokka here?"]],
    "gpt-similarity": [["Anna gave the key to Ben.", "Anna gave Ben the key."], ["Was quokka here?", "Ben left."]],
    "gpt-multiple-choice": [
        ["Anna gave the key to Ben.", ["Ben had the key.", "Ben had quokka.", "Anna had the key."]],
        ["Harry met Ben.", ["Was it good?", "Was it good?"]],
    ],
    "t5": GAPS,
    "bart": [*GAPS, ["The film was bad.", []], ["Anna met Ben.", [0]]],
    "bert-qa": [
        ["Is the dinner good?", "Anna gave the key to Ben. The dinner was good."],
        [
            "Who had quokka?",
            "In London,  Xanthippe met Paula \u2014 <eos>, \u6211 cafe\u0301. I did not like the visit.",
        ],
    ],
    "bert-ner": ["Harry studied at Porto School.", "In London,  Xanthippe met Paula \u2014 <eos>, 我 cafe\u0301."],
}


@pytest.fixture(scope="session")
def exported(tmp_path_factory, microworld_home):
    """Export a model of two steps, or an untrained one with a head: its folder, with [text, what Python says about it] for its `TEXTS` in wanted.json.

    In a process of its own: beartype's wrappers can't be traced, and a process exports one model with LSTMs.
    """

    @functools.cache
    def export(name: str) -> Path:
        base = tmp_path_factory.mktemp("exported")
        command = [sys.executable, "-c", EXPORT, name, str(base / name), json.dumps(TEXTS.get(name, []))]
        environment = os.environ | {"SEQBOOK_HOME": str(base / "home")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=550, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return base / name

    return export


@pytest.fixture(scope="module")
def address():
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=FOLDER)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def show(browser, address):
    """Open a page with these figures, as the site does; what goes wrong is in `page.faults`, each address in `page.asked`.

    models: a folder of exported models, instead of the site's.
    """
    pages = []

    def show(body: str, width: int = 1280, theme: str = "light", models: Path | None = None):
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.faults, page.asked = [], []
        page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        html = THEME.format(theme=theme, body=body)
        page.route("**/chapter.html", lambda route: route.fulfill(body=html, content_type="text/html"))
        if models:
            name = f"{address}/models/"
            page.route(f"{name}**", lambda route: route.fulfill(path=models / route.request.url.removeprefix(name)))
        page.goto(f"{address}/chapter.html")
        return page

    yield show
    for page in pages:
        page.close()

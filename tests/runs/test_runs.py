import importlib
import json
import logging
import random
import shutil
import signal
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

import microworld
from seqbook import runs
from seqbook.__main__ import main
from seqbook.data import corpora
from seqbook.data.tokenizer import Tokenizer
from seqbook.metrics import accuracy, mean_nll, predicted_classes
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.recipes import RECIPES, configure, describe
from seqbook.runs import load, run
from seqbook.runs.prepare import prepare
from seqbook.training.checkpoints import CheckpointError

KEYS = {
    "recipe", "config", "params", "steps", "tokens", "seconds", "tokens_per_second", "device", "train_loss", "val_loss",
    "loss", "bleu", "bleu_signature", "exact_match", "seed", "settings", "code", "beams",
}  # fmt: skip
LONG = {"steps": 150, "evaluations": 30}  # a few seconds, a checkpoint every 5 steps


RUN = importlib.import_module("seqbook.runs.run")  # the module: `seqbook.runs.run` is its function


@pytest.fixture
def tiny(corpus, settings):
    def train(recipe="attention-multi30k", *, seed=0, out=None, **changes):
        return run(recipe, seed=seed, data=corpus, out=out, **settings | changes)

    return train


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_a_run_leaves_what_the_design_lists(tiny, settings, tmp_path):
    made = tiny(out=tmp_path / "run")
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files >= {
        "model.safetensors",
        "config.json",
        "source_tokenizer.json",
        "target_tokenizer.json",
        "result.json",
    }
    assert sorted(name for name in files if name.startswith("step-")) == [
        "step-00000009.safetensors",
        "step-00000012.safetensors",
    ]
    assert made.result == json.loads((tmp_path / "run" / "result.json").read_text())
    assert made.result.keys() >= KEYS
    assert made.result["steps"] == len(made.history) == 12
    assert made.result["params"] == sum(t.numel() for t in load_file(tmp_path / "run" / "model.safetensors").values())
    recipe = configure("attention-multi30k", **settings)
    assert made.result["config"] == json.loads(json.dumps(describe(recipe)))
    assert made.result["config"]["model"]["d_model"] == 16
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config == {"model": describe(made.model.config), "objective": describe(recipe.objective)}
    assert made.result["tokens"] == sum(row["tokens"] for row in made.history)
    assert made.result["bleu_signature"].startswith("nrefs:1|")
    assert made.history[-1]["val_loss"] == made.result["val_loss"]


def test_a_run_is_trained_once(tiny, monkeypatch):
    made = tiny()
    monkeypatch.setattr(RUN, "fit", lambda *_arguments, **_options: pytest.fail("trained again"))
    again = tiny()
    assert again.result == made.result
    assert again.history == made.history
    assert all(torch.equal(a, b) for a, b in zip(made.model.parameters(), again.model.parameters(), strict=True))


def test_a_run_that_is_kept_neither_loads_nor_hashes_its_corpus(monkeypatch):
    monkeypatch.setattr(Seq2Seq, "scores", lambda *_: {})  # which take longer than all the rest
    small = {"size": 50, "steps": 2, "warmup": 1, "evaluations": 1, "d_model": 16, "bidirectional": False}
    made = run("rnn", **small)

    def fail(*_arguments, **_options):
        pytest.fail("read the corpus")

    monkeypatch.setattr(corpora, "load", fail)
    monkeypatch.setattr(microworld, "load", fail)
    monkeypatch.setattr(corpora, "files", fail)
    assert run("rnn", **small).result == made.result
    with pytest.raises(pytest.fail.Exception, match="read the corpus"):
        run("rnn", **small | {"size": 60})


def test_another_seed_or_setting_is_another_run(tiny):
    made = [tiny(), tiny(seed=1), tiny(learning_rate=0.5), tiny("rnn-multi30k")]
    assert len({run.folder for run in made}) == 4
    assert len({weights(run.folder) for run in made}) == 4


def test_another_code_is_another_run(tiny, monkeypatch):
    before = tiny().folder
    monkeypatch.setattr(RUN, "code_identity", lambda *_modules: "changed")
    assert tiny().folder != before


def test_the_same_run_elsewhere_has_the_same_weights(tiny, tmp_path):
    one, two = tiny(out=tmp_path / "one"), tiny(out=tmp_path / "two")
    assert weights(one.folder) == weights(two.folder)
    assert one.result["bleu"] == two.result["bleu"]


@pytest.mark.parametrize("change", ["recipe", "setting", "seed", "data"])
def test_a_folder_that_holds_another_run_is_refused(corpus, settings, tmp_path, change):
    folder, other = tmp_path / "run", tmp_path / "other"
    run("attention-multi30k", data=corpus, out=folder, **settings)
    before = weights(folder)
    shutil.copytree(corpus, other)
    lines = (other / "train.jsonl").read_text("utf-8").splitlines(keepends=True)
    (other / "train.jsonl").write_text("".join(lines[1:]), "utf-8")

    def again():
        name = "rnn-multi30k" if change == "recipe" else "attention-multi30k"
        seed, data = int(change == "seed"), other if change == "data" else corpus
        run(name, data=data, seed=seed, out=folder, **settings | ({"d_model": 24} if change == "setting" else {}))

    says = {
        "recipe": "recipe is attention-multi30k there and rnn-multi30k here",
        "setting": "d_model is 16 there and 24 here",
        "seed": "seed is 0 there and 1 here",
        "data": "its data differ, or the recipe of the model that it starts from",
    }
    message = rf"/run belongs to another run \({says[change]}\): choose another folder for --out"
    with pytest.raises(CheckpointError, match=message):
        again()
    (folder / "result.json").unlink()  # as if it had been interrupted
    with pytest.raises(CheckpointError, match=message):
        again()
    (folder / "run.json").unlink()  # as in a folder of an older version
    with pytest.raises(CheckpointError, match=r"step-00000012\.safetensors belongs to another run"):
        again()
    assert weights(folder) == before
    for checkpoint in folder.glob("step-*"):
        checkpoint.unlink()
    again()  # nothing is left that could be lost


def test_a_finished_run_of_other_code_is_read_with_a_warning(tiny, tmp_path, monkeypatch, caplog):
    made = tiny(out=tmp_path / "run")
    monkeypatch.setattr(RUN, "code_identity", lambda *_modules: "changed")
    with caplog.at_level(logging.WARNING):
        assert tiny(out=tmp_path / "run").result == made.result
    assert f"{tmp_path / 'run'} was made by other code, with the same recipe, data and seed" in caplog.text


def test_a_loaded_run_translates_as_it_did(tiny, tmp_path, pairs):
    made = tiny(out=tmp_path / "run", steps=60, reverse_source=True, learning_rate=0.03)
    loaded = load(tmp_path / "run")
    texts = [row["de"] for row in pairs[260:]]
    assert not loaded.model.training
    assert loaded.objective.config.reverse_source
    assert loaded.generate(texts) == made.generate(texts)
    assert len(set(loaded.generate(texts))) > 1
    assert loaded.generate(texts[:2], beams=3) == made.generate(texts[:2], beams=3)


def test_a_transformer_is_trained_saved_and_loaded(tiny, tmp_path):
    sizes = {"n_layers": 1, "n_heads": 2, "d_ff": 32}
    made = tiny("transformer", out=tmp_path, corpus="multi30k", source="de", target="en", steps=30, **sizes)
    loaded = load(tmp_path)
    assert type(loaded.model).__name__ == "Transformer"
    assert made.result["params"] == sum(t.numel() for t in load_file(tmp_path / "model.safetensors").values())
    loss = mean_nll(loaded.model, loaded.objective, made.examples("test"))
    assert loss == pytest.approx(made.result["loss"], abs=1e-6)  # of the model before it was saved
    (tmp_path / "result.json").unlink()  # as if stopped before the end: the last checkpoint says the same
    again = tiny("transformer", out=tmp_path, corpus="multi30k", source="de", target="en", steps=30, **sizes)
    assert again.history == made.history
    for name, t in made.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], t, rtol=0, atol=0)


def test_a_language_model_is_trained_saved_and_loaded(long_text, tmp_path):
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 16}
    budget = {"steps": 40, "batch_size": 8, "warmup": 4, "learning_rate": 0.01, "evaluations": 2}
    made = run("gpt-shakespeare", data=long_text, out=tmp_path, **sizes, **budget)
    assert made.result["tokens"] == 40 * 8 * 16
    assert made.result["val_loss"] == pytest.approx(made.result["loss"])  # there is no test split
    first, last = ([row["loss"] for row in made.history][i] for i in (0, -1))
    assert last < first - 0.5
    loaded = load(tmp_path)
    loss = mean_nll(loaded.model, loaded.objective, made.examples("validation"))
    assert loss == pytest.approx(made.result["loss"], abs=1e-6)
    text = "".join(made.splits[split]["text"][0] for split in ("train", "validation"))
    assert text == (long_text / "input.txt").read_text()
    assert loaded.objective.tokenizer.decode(made.examples("train").ids) == made.splits["train"]["text"][0]
    (written,) = loaded.generate(["A dog"], max_new=6, seed=3)
    assert written.startswith("A dog")
    assert [written] == made.generate(["A dog"], max_new=6, seed=3)


def test_a_network_is_fine_tuned_saved_and_loaded(monkeypatch, capsys):
    """From what was pretrained, which is trained on the way, and from nothing."""
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2}
    monkeypatch.setitem(RECIPES, "gpt", configure("gpt", size=200, steps=5, evaluations=1, **sizes))
    settings = sizes | {"size": 60, "steps": 4, "evaluations": 1, "learning_rate": 1e-9}
    tuned, scratch = (run("gpt-similarity", pretrained=pretrained, **settings) for pretrained in (True, False))
    known = run("gpt").model.embedding.tokens.weight
    torch.testing.assert_close(tuned.model.backbone.embedding.tokens.weight[:-2], known, rtol=0, atol=1e-6)
    assert not torch.allclose(scratch.model.backbone.embedding.tokens.weight[:-2], known, atol=1e-3)
    assert len(tuned.examples("train")) == 60
    assert tuned.result["tokens"] > 4 * 16 * 10  # of the text, not of the labels
    assert tuned.result["majority"] == pytest.approx(0.5, abs=0.05)
    loaded = load(tuned.folder)
    found = predicted_classes(loaded.model, loaded.objective, tuned.examples("test"))
    right = [label for _, label in tuned.examples("test")]
    assert accuracy(found, right) == tuned.result["accuracy"]
    assert tuned.objective.classes == ("different", "paraphrase")
    with pytest.raises(ValueError, match="Similarity writes no text: generate with another system"):
        loaded.generate(["A dog."])
    assert main(["generate", str(tuned.folder), "A dog.", "--beam", "4"]) == 2
    assert "seqbook: Similarity writes no text" in capsys.readouterr().err


def test_examples_are_the_splits_ids(tiny, pairs):
    made = tiny()
    source, target = made.objective.encode([pairs[0]["de"]], [pairs[0]["en"]])[0]
    assert made.examples("train")[0] == (source, target)
    assert len(made.examples("test")) == 20


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} holds no finished run"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", "", r"config\.json is damaged .*: delete .* and train anew"),
        ("config.json", "[]", r"config\.json has no model"),
        ("config.json", '{"model": {"class": "LSTM"}}', r"config\.json has no objective"),
        (
            "config.json",
            '{"model": {"class": "LSTM"}, "objective": {}}',
            r"config\.json describes no network \(.*'LSTM'",
        ),
        (
            "config.json",
            ("d_model", "16"),
            r"config\.json describes no network \(RNNConfig: d_model='16': Input should",
        ),
        ("config.json", ("d_model", None), r"config\.json describes no network \(RNNConfig: d_model=None"),
        ("config.json", ("d_model", 10**12), r"config\.json describes no network \(.*memory"),
        ("config.json", ("class", []), r"config\.json describes no network \(configuration of an unknown class \[\]"),
        ("config.json", ("pad_id", 10**12), r"config\.json describes no network \(Padding_idx"),
        ("history.json", "null", r"history\.json is no list of steps: delete .* and train anew"),
        ("history.json", "[1]", r"history\.json is no list of steps"),
        ("config.json", ("width", 1), r"config\.json describes no network \(RNNConfig: .*'width'"),
        ("result.json", "{", r"result\.json is damaged"),
        ("result.json", "{}", r"result\.json has no recipe: delete .* and train anew"),
        ("result.json", "[]", r"result\.json has no recipe"),
        ("result.json", "null", r"result\.json has no recipe"),
        ("result.json", "5", r"result\.json has no recipe"),
        ("model.safetensors", "x", r"model\.safetensors is damaged"),
        ("model.safetensors", None, r"model\.safetensors is damaged \(No such file"),
        ("target_tokenizer.json", None, r"lacks a tokenizer \(it has source_tokenizer\.json\)"),
        ("target_tokenizer.json", "{", r"target_tokenizer\.json is not a tokenizer's JSON.*: delete .* and train anew"),
    ],
)
def test_a_run_with_a_damaged_file_is_one_clear_error(tiny, tmp_path, file, content, message):
    made = tiny(out=tmp_path / "run")
    if content is None:
        (made.folder / file).unlink()
    elif isinstance(content, tuple):
        config = json.loads((made.folder / file).read_text())
        config["model"] |= [content]
        (made.folder / file).write_text(json.dumps(config))
    else:
        (made.folder / file).write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        load(made.folder) if file not in ("result.json", "history.json") else tiny(out=tmp_path / "run")
    assert "\n" not in str(error.value)


def test_files_of_another_run_are_named(tiny, tmp_path):
    ours, other = tiny(out=tmp_path / "ours"), tiny(out=tmp_path / "other", d_model=8)
    name = "model.safetensors"
    kept = (ours.folder / name).read_bytes()
    (ours.folder / name).write_bytes((other.folder / name).read_bytes())
    with pytest.raises(ValueError, match=r"model\.safetensors belongs to another run: .* and by config\.json it is"):
        load(ours.folder)
    alike = tiny(out=tmp_path / "alike", seed=1)  # all shapes are the same
    (ours.folder / name).write_bytes((alike.folder / name).read_bytes())
    with pytest.raises(ValueError, match=r"model\.safetensors belongs to another run than result\.json or the token"):
        load(ours.folder)
    (ours.folder / name).write_bytes(kept)
    size, vocabulary = len(ours.objective.tokenizers["target_tokenizer"]), ours.folder / "target_tokenizer.json"
    Tokenizer.train(["\n".join(map(str, range(size - 4)))], "word").save(vocabulary)  # of the same size
    with pytest.raises(ValueError, match=r"model\.safetensors belongs to another run than result\.json or the token"):
        load(ours.folder)
    Tokenizer.train(["one more vocabulary"], "word").save(vocabulary)
    with pytest.raises(ValueError, match=r"the tokenizers in .* belong to another run: \w+ is 7, not \d+"):
        load(ours.folder)


def test_a_run_of_an_older_version_has_no_mark(tiny, tmp_path):
    folder = tiny(out=tmp_path).folder
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")
    load(folder)


def test_a_byte_order_mark_in_the_configuration(tiny, tmp_path):
    folder = tiny(out=tmp_path / "run").folder
    (folder / "config.json").write_bytes(b"\xef\xbb\xbf" + (folder / "config.json").read_bytes())
    load(folder)


def test_characters_that_training_lacks_are_named(long_text, tmp_path, caplog):
    text = (long_text / "input.txt").read_text(encoding="utf-8") + "\n\u2603 \u00e9"
    (tmp_path / "input.txt").write_text(text, encoding="utf-8")
    prepare(configure("gpt-shakespeare"), tmp_path)
    (found,) = [record.message for record in caplog.records]
    assert found == (
        "tiny_shakespeare, validation: not in the vocabulary of training, and read as <unk>: '\u2603', '\u00e9'"
    )


def test_data_is_prepared_once_for_all_that_share_it(corpus, settings, home):
    made = [prepare(configure(name, **settings), corpus) for name in ("rnn-multi30k", "attention-multi30k")]
    assert made[0] == made[1]
    assert (
        prepare(configure("rnn-multi30k", **settings | {"source_kind": "character", "max_len": 60}), corpus) != made[0]
    )
    assert len(list((home / "prepared").iterdir())) - len(list((home / "prepared").glob(".*"))) == 2


def test_making_a_world_and_its_ids_draws_no_bar(home, capfd):
    """In a notebook each bar becomes a widget, which the published page can't show."""
    prepare(configure("gpt", size=100))
    assert capfd.readouterr() == ("", "")


def test_a_column_that_is_not_there_is_named(tiny, home):
    with pytest.raises(ValueError, match="source='fr' is not a column of multi30k: it has de, en"):
        tiny(source="fr")
    assert [path for path in (home / "prepared").iterdir() if not path.name.endswith(".lock")] == []


def test_a_text_that_is_too_long_is_named_and_nothing_half_made_is_left(tiny, home):
    with pytest.raises(ValueError, match=r"is \d tokens long: it must have 1 to [34]"):
        tiny(max_len=4)
    assert [path for path in (home / "prepared").iterdir() if not path.name.endswith(".lock")] == []


@pytest.mark.slow
def test_the_micro_world_can_be_learned_from(home):
    settings = {"size": 300, "d_model": 16, "steps": 4, "batch_size": 32, "evaluations": 1}
    made = run("rnn", **settings)
    assert made.result["val_loss"] < 8
    assert made.result.keys() >= KEYS | {"compositional_bleu", "compositional_exact_match", "compositional_loss"}
    assert {path.name for path in home.iterdir()} >= {"prepared", "runs"}


def wait_for_a_checkpoint(child, folder, known):
    """Until there is a checkpoint that wasn't `known`, while the process lives."""
    end = time.monotonic() + 120
    while set(folder.glob("step-*")) <= known:
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.slow
def test_runs_side_by_side_are_those_one_by_one():
    small = {"size": 50, "steps": 3, "warmup": 1, "evaluations": 1, "d_model": 16, "bidirectional": False}
    made = runs.run_all({"without": ("rnn", small), "with": ("attention", small | {"seed": 1})})
    assert list(made) == ["without", "with"]
    assert [made[label].result["recipe"] for label in made] == ["rnn", "attention"]
    assert made["with"].result["seed"] == 1
    assert made["without"].result == run("rnn", **small).result
    with pytest.raises(ValueError, match="unknown setting 'colour'"):
        runs.run_all({"wrong": ("rnn", {"colour": 1})})


@pytest.mark.slow
def test_settings_reach_another_process_as_they_are(monkeypatch):
    """None stays None, and a text stays a text even where it looks like a number."""
    small = {"size": 50, "steps": 2, "evaluations": 1, "d_model": 16, "n_heads": 2, "n_layers": 1, "d_ff": None}
    with pytest.raises(RuntimeError, match=r"source='3' is not a column of translation"):
        runs.run_all({"none": ("gpt", small), "text": ("rnn", {"size": 50, "source": "3"})})
    monkeypatch.setattr(RUN, "fit", lambda *_arguments, **_options: pytest.fail("trained again"))
    assert run("gpt", **small).result["config"]["model"]["d_ff"] is None


@pytest.mark.slow
def test_killed_at_random_and_resumed_is_bit_identical(process, arguments, tiny, tmp_path):
    expected = tiny(out=tmp_path / "expected", **LONG)
    rng, folder = random.Random(), tmp_path / "killed"
    seed = rng.randrange(10**6)
    rng.seed(seed)
    for _ in range(3):
        child = process(*arguments(folder, **LONG))
        wait_for_a_checkpoint(child, folder, set(folder.glob("step-*")))
        time.sleep(rng.uniform(0, 0.25))
        child.kill()
        assert child.wait() == -signal.SIGKILL, f"it ended before it was killed (seed {seed})"
    assert not (folder / "result.json").exists()
    child = process(*arguments(folder, **LONG))
    _, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors
    assert weights(folder) == weights(expected.folder), f"kill times of seed {seed}"
    result = json.loads((folder / "result.json").read_text())
    assert result["bleu"] == expected.result["bleu"]
    assert len(list(folder.glob("step-*"))) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_keeps_a_checkpoint_and_says_how_to_go_on(process, arguments, tiny, tmp_path, kind):
    expected, folder = tiny(out=tmp_path / "expected", **LONG), tmp_path / "stopped"
    ours = signal.signal(
        kind, lambda *_: None
    )  # with a handler here, the child starts with the default, also under nohup
    child = process(*arguments(folder, **LONG))
    signal.signal(kind, ours)
    wait_for_a_checkpoint(child, folder, set())
    child.send_signal(kind)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 130, errors
    newest = max(folder.glob("step-*"))
    step = int(newest.stem.removeprefix("step-"))
    last = errors.splitlines()[-1]
    assert last == (
        f"seqbook: stopped after step {step} of 150. The last checkpoint is {newest}: the same command continues from there."
    )
    resumed = tiny(out=folder, **LONG)
    assert weights(folder) == weights(expected.folder)
    assert len(resumed.history) == 150


@pytest.mark.slow
def test_a_hang_up_that_nohup_ignores_does_not_end_a_training(process, arguments, tmp_path):
    ours = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    child = process(*arguments(tmp_path / "run", **LONG))
    signal.signal(signal.SIGHUP, ours)
    wait_for_a_checkpoint(child, tmp_path / "run", set())
    child.send_signal(signal.SIGHUP)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors


TWO = """
import sys
from accelerate import PartialState
from seqbook.__main__ import main

status = main(sys.argv[1:])
assert PartialState().num_processes == 2, PartialState()
sys.exit(status)
"""


@pytest.mark.slow
def test_two_processes_give_the_loss_curve_of_one(process, arguments, tiny, tmp_path):
    changes = {"dropout": 0.0, "steps": 20}
    alone = tiny(out=tmp_path / "alone", **changes)
    (tmp_path / "two.py").write_text(TWO)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(tmp_path / "two.py"))
    child = process(*arguments(tmp_path / "both", **changes), module=launcher)
    _, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors[-3000:]
    both = json.loads((tmp_path / "both" / "history.json").read_text())
    for name in ("loss", "tokens", "learning_rate"):
        assert [row[name] for row in both] == pytest.approx([row[name] for row in alone.history], abs=1e-4)
    assert both[-1]["val_loss"] == pytest.approx(alone.history[-1]["val_loss"], abs=1e-4)
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("alone", "both"))
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-3)

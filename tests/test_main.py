import io
import json
import math
import os
import re
import signal
import subprocess
import sys

import datasets
import pytest
import transformers
from safetensors.torch import load_file, save_file

import microworld
from seqbook import __main__ as command_line
from seqbook import claims
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments import comparison
from seqbook.recipes import RECIPES, configure
from seqbook.runs import published
from seqbook.runs.published import commit
from seqbook.storage import writing


@pytest.fixture
def main(capsys):
    """Run the command line in this process: exit status, what it printed, what it complained of."""

    def call(*arguments):
        capsys.readouterr()
        status = command_line.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return call


def without_progress(errors):
    """The lines of stderr that are no progress bar."""
    return [line for line in re.split(r"[\r\n]", errors) if line and not re.search(r"\d+%\|", line)]


def test_list_names_each_recipe_in_a_line(main):
    status, printed, _ = main("list")
    assert status == 0
    assert [line.split()[0] for line in printed.splitlines()] == list(RECIPES)


@pytest.mark.slow
def test_show_prints_samples(process):
    child = process("show", "translation", "-n", "3", "--split", "test")
    printed, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors
    samples = printed.strip().split("\n\n")
    assert len(samples) == 3
    for sample in samples:
        assert re.match(r"en: [A-Z].*[.?]\nzh: [\u4e00-\u9fff].*[。？]\n", sample)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sonnets"], "unknown task 'sonnets'.* choose one of translation"),
        (
            ["translation", "--split", "dev"],
            "unknown split 'dev': choose one of train, validation, test, compositional",
        ),
        (["translation", "-n", 0], "-n 0: the split train has 100 rows"),
        (["translation", "-n", 101], "-n 101: the split train has 100 rows"),
    ],
)
def test_show_explains_a_mistake_in_one_line(main, monkeypatch, arguments, message):
    if arguments[0] == "translation":
        rows = datasets.Dataset.from_dict({"en": ["A dog."] * 100})
        splits = dict.fromkeys(("train", "validation", "test", "compositional"), rows)
        monkeypatch.setattr(microworld, "load", lambda task: datasets.DatasetDict(splits))
    status, printed, errors = main("show", *arguments)
    assert (status, printed) == (2, "")
    (line,) = without_progress(errors)
    assert re.match(f"seqbook: {message}", line)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "rmm"], "unknown recipe 'rmm': choose one of rnn, attention"),
        (["train", "rnn", "--set", "d_modell=8"], "recipe rnn: unknown setting 'd_modell': choose one of .*d_model"),
        (["train", "rnn", "--set", "d_model=wide"], "recipe rnn: d_model='wide': input should be a valid integer"),
        (["train", "rnn", "--set", "context=first"], "recipe rnn: context='first': input should be 'last', 'mean', "),
        (["train", "rnn", "--set", "d_model={[1]: 2}"], r"recipe rnn: d_model='\{\[1\]: 2\}': input should be"),
        (["train", "rnn", "--set", "d_model"], "--set 'd_model' has no '='"),
        (["train", "rnn", "--steps", "0"], "recipe rnn: steps=0 must be at least 1"),
        (["train", "rnn", "--set", "corpus=europarl"], "unknown corpus 'europarl'"),
        (["train", "rnn-multi30k", "--data", "/no/such/folder"], "there is no folder /no/such/folder"),
        (["train", "rnn-multi30k"], r"can't get bentrevett/multi30k from the Hugging Face Hub .*--data FOLDER"),
        (
            ["generate", "/no/run", "a text"],
            "there is no folder /no/run, and no such model can be downloaded from the Hugging",
        ),
        (
            ["train", "gpt-entailment", "--set", "pretrained=perhaps"],
            "recipe gpt-entailment: pretrained='perhaps': input should be a valid boolean",
        ),
        (["train", "gpt-entailment", "--set", "size=0"], "recipe gpt-entailment: size=0 must be at least 1"),
        (["generate", "/", "a text"], "the folder / has no result.json, as a finished run has, and no config.json"),
        (["fill", "/", "a [MASK]"], "the folder / has no result.json, as a finished run has, and no config.json"),
        (["fill", "/no/run", "a [MASK]"], "there is no folder /no/run, and no such model can be downloaded from the"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(main, arguments, message):
    status, printed, errors = main(*arguments)
    assert (status, printed) == (2, "")
    assert re.fullmatch(f"seqbook: {message}.*\n", errors)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("d_model=48", 48),
        ("dropout=0.25", 0.25),
        ("learning_rate=2e-3", 0.002),
        ("label_smoothing=0", 0),
        ("bidirectional=true", True),
        ("bidirectional=False", False),
        ("source=zh", "zh"),
        ("source=a=b", "a=b"),
        ('source="3"', "3"),
        ("source='null'", "null"),
        ("source=", ""),
    ],
)
def test_a_value_is_read_as_json_or_python_writes_it(main, monkeypatch, text, value):
    asked = []

    def run(name, seed, data, out, **settings):
        asked.append(settings)
        raise ValueError("asked")

    monkeypatch.setattr(command_line, "run", run)
    assert main("train", "rnn", "--set", text) == (2, "", "seqbook: asked\n")
    name = text.partition("=")[0]
    assert asked == [{name: value}]
    assert type(asked[0][name]) is type(value)
    configure("rnn", **asked[0])


@pytest.mark.parametrize(("text", "value"), [("d_ff=null", None), ("d_ff=None", None), ("d_ff=64", 64)])
def test_none_can_be_set(main, monkeypatch, text, value):
    asked = []

    def run(name, seed, data, out, **settings):
        asked.append(configure(name, **settings))
        raise ValueError

    monkeypatch.setattr(command_line, "run", run)
    main("train", "gpt", "--set", text)
    assert asked == [configure("gpt", d_ff=value)]


@pytest.mark.parametrize("command", [["train", "rnn"], ["generate", "/no/run", "a text"]])
@pytest.mark.parametrize("seed", [2**63, -(10**30)])
def test_a_seed_that_torch_does_not_have(main, capsys, command, seed):
    with pytest.raises(SystemExit):
        main(*command, f"--seed={seed}")
    assert f"argument --seed: {seed} is outside of torch's seeds" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["sing"], ["train"], ["train", "rnn", "--steps", "many"]])
def test_a_command_that_is_none(main, arguments):
    with pytest.raises(SystemExit) as stop:
        main(*arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize("place", ["file", "/proc/seqbook"])
def test_an_out_folder_that_can_not_be_written_is_one_line(main, arguments, tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / place / "run"
    status, printed, errors = main(*arguments(out))
    assert (status, printed) == (2, "")
    (line,) = without_progress(errors)
    assert line.startswith(f"seqbook: can't write {out.parent}")


def test_a_home_that_can_not_be_written_is_one_line(main, arguments, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SEQBOOK_HOME", str(tmp_path / "file"))
    status, _, errors = main(*arguments(tmp_path / "run"))
    assert status == 2
    assert re.fullmatch(f"seqbook: can't write {tmp_path}/file/prepared.*SEQBOOK_HOME.*\n", errors)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace('"de"', "de", 1), "line 1 is not JSON"),
        (lambda text: text.replace('"de"', '"fr"'), "lacks the column de: it has fr, en"),
        (lambda text: "", "has no rows in its split test"),
    ],
    ids=["broken", "column", "empty"],
)
def test_a_broken_corpus_is_one_line(main, arguments, corpus, tmp_path, damage, message):
    data = tmp_path / "data"
    data.mkdir()
    for file in corpus.iterdir():
        text = file.read_text(encoding="utf-8")
        (data / file.name).write_text(damage(text) if file.name == "test.jsonl" else text, encoding="utf-8")
    line = [str(data) if argument == str(corpus) else argument for argument in arguments(tmp_path / "run")]
    status, printed, errors = main(*line)
    assert (status, printed) == (2, "")
    assert re.fullmatch(f"seqbook: .*{message}.*\n", errors)
    assert not (tmp_path / "run").exists()


def test_training_writes_its_result_and_generating_uses_it(main, arguments, tmp_path):
    line = [*arguments(tmp_path / "run"), "--seed", "3", "--json", str(tmp_path / "new" / "result.json")]
    status, printed, _ = main(*line)
    assert status == 0
    result = json.loads(printed)
    assert json.loads((tmp_path / "new" / "result.json").read_text()) == result
    kept = json.loads((tmp_path / "run" / "result.json").read_text())
    assert kept.items() <= result.items()
    assert result["seed"] == 3
    assert [row["step"] for row in result["curve"]] == [3, 6, 9, 12]
    assert result["curve"][-1]["val_loss"] == result["val_loss"]
    assert result["command"].startswith("python -m seqbook train attention-multi30k --data")
    assert result.keys() >= {"recipe", "config", "params", "steps", "tokens", "seconds", "tokens_per_second", "device"}
    assert result.keys() >= {"train_loss", "val_loss", "bleu", "bleu_signature", "commit"}

    status, printed, _ = main("generate", tmp_path / "run", "ein hund rennt", "zwei frauen", "--beam", 3)
    assert status == 0
    assert len(printed.splitlines()) == 2
    status, _, errors = main("generate", tmp_path / "run", "ein hund", "--top-k", 3)
    assert status == 2
    assert "run translates, which has no --top-k: leave it out" in errors
    for text, message in (("", "'' is 0 tokens long"), ("ein " * 13, "is 13 tokens long: it must have 1 to 12")):
        status, _, errors = main("generate", tmp_path / "run", text)
        assert status == 2
        assert message in errors


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_one_line(main, arguments, tmp_path, value):
    assert main(*arguments(tmp_path / "run"))[0] == 0
    file = tmp_path / "run" / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if "decoder" in name and "bias" in name)
    tensors[name].view(-1)[0] = value
    save_file(tensors, file)
    for beams in ((), ("--beam", 3)):
        status, printed, errors = main("generate", tmp_path / "run", "ein hund rennt", *beams)
        assert (status, printed, errors.count("\n")) == (2, "", 1)
        assert f"the tensor {name} has 1 of " in errors
        assert f"delete {tmp_path / 'run'} and train anew" in errors


def test_a_language_model_continues_a_text(main, long_text, tmp_path):
    sizes = {"d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 16, "steps": 3, "evaluations": 1}
    chosen = [f"--set={name}={value}" for name, value in sizes.items()]
    status, _, errors = main("train", "gpt-shakespeare", "--data", long_text, "--out", tmp_path / "run", *chosen)
    assert status == 0, errors
    continuing = ("generate", tmp_path / "run", "A dog", "Two")
    status, printed, _ = main(*continuing, "--max-new", 5, "--temperature", 0.8, "--seed", 1)
    assert status == 0
    assert [line[: len(text)] for line, text in zip(printed.splitlines(), ("A dog", "Two"), strict=False)] == [
        "A dog",
        "Two",
    ]
    assert main(*continuing, "--max-new", 5, "--temperature", 0.8, "--seed", 1)[1] == printed
    assert main(*continuing, "--beam", 2)[::2] == (
        2,
        f"seqbook: {tmp_path / 'run'} continues texts, which has no --beam: leave it out\n",
    )


def test_masked_words_are_filled_in(main, long_text, tmp_path):
    sizes = {"corpus": "tiny_shakespeare", "d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 16, "steps": 3}
    chosen = [f"--set={name}={value}" for name, value in sizes.items()]
    status, printed, errors = main("train", "bert", "--data", long_text, "--out", tmp_path / "run", *chosen)
    assert status == 0, errors
    assert json.loads(printed).keys() >= {"loss", "accuracy", "val_loss"}

    status, printed, _ = main("fill", tmp_path / "run", "Two [MASK] read [MASK].", "a [MASK]", "--top", 3)
    assert status == 0
    first, second = printed.split("\n\n")
    text, *rows = first.splitlines()
    assert re.fullmatch(r"Two .+ read .+\.", text)
    assert len(rows) == 6
    shares = []
    for i, row in enumerate(rows):
        number, share = re.fullmatch(r" +(\d?)  \S+ +(\d+\.\d)%", row).groups()
        assert number == {0: "1", 3: "2"}.get(i, "")
        shares.append(float(share))
    assert shares[:3] == sorted(shares[:3], reverse=True)
    assert sum(shares[:3]) < 100
    assert rows[0].split()[1] in text
    assert len(second.splitlines()) == 4

    for text, message in (
        ("a dog", r"'a dog' has no [MASK]: write it where a word is missing"),
        ("[MASK] " * 15, "is 17 tokens long with its special tokens: it must have at most max_len=16"),
    ):
        status, printed, errors = main("fill", tmp_path / "run", text)
        assert (status, printed) == (2, "")
        assert errors.count("\n") == 1
        assert message in errors
    assert main("fill", tmp_path / "run", "[MASK]", "--top", 0)[::2] == (2, "seqbook: top=0 must be at least 1\n")
    assert main("fill", tmp_path / "run", "[MASK]", "--max-new", 3)[::2] == (
        2,
        f"seqbook: {tmp_path / 'run'} is a BERT, which has no --max-new: leave it out\n",
    )


@pytest.mark.parametrize(
    ("recipe", "parts", "fills", "continues"),
    [
        ("prefix-lm", (), False, True),
        ("unilm", ("bidirectional", "seq2seq", "left_to_right", "right_to_left"), False, True),
        ("glm", ("token", "sentence", "document"), True, False),
        ("ul2", ("R", "S", "X"), True, True),
    ],
)
def test_prefix_decoders_are_trained_and_used(main, long_text, tmp_path, recipe, parts, fills, continues):
    sizes = {"corpus": "tiny_shakespeare", "d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 64, "steps": 3}
    chosen = [f"--set={name}={value}" for name, value in sizes.items()]
    run = tmp_path / "run"
    status, printed, errors = main("train", recipe, "--data", long_text, "--out", run, *chosen)
    assert status == 0, errors
    assert {name for name in json.loads(printed) if name.endswith("loss")} == {
        "train_loss", "val_loss", "loss", *(f"{part}_loss" for part in parts)
    }  # fmt: skip

    status, printed, errors = main("fill", run, "Two [MASK] read [MASK].", "--top", 2, "--max-new", 4)
    if fills:
        text, *rows = printed.splitlines()
        assert text.startswith("Two")
        assert [row.split()[0] for row in rows if row[3] != " "] == ["1", "2"]
        assert all(re.fullmatch(r".{6}.*\d+\.\d%", row) for row in rows)
    else:
        assert errors == f"seqbook: {run} cannot fill in words: give a run of gpt, bert, t5, bart, glm or ul2\n"

    status, printed, errors = main("generate", run, "Two women", "--max-new", 4, "--top-k", 1)
    assert (status == 0) is continues
    if recipe in ("prefix-lm", "ul2"):
        assert printed.startswith("Two women")
    if not continues:
        assert errors == "seqbook: BlankInfilling writes no text: generate with another system\n"


@pytest.mark.parametrize(
    ("recipe", "text", "answers", "wrong", "message"),
    [
        (
            "t5",
            "Two <extra_id_0> read <extra_id_1>.",
            r"Two.* read.*\.",
            "a dog",
            "'a dog' has no <extra_id_0>: write <extra_id_0>, <extra_id_1>, …, in this order",
        ),
        ("bart", "Two <mask> read <mask>.", ".*", "a " * 16, "is 18 tokens long with its special tokens"),
    ],
)
def test_gaps_are_filled_in_with_any_number_of_words(main, long_text, tmp_path, recipe, text, answers, wrong, message):
    sizes = {"corpus": "tiny_shakespeare", "d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 16, "steps": 3}
    chosen = [f"--set={name}={value}" for name, value in sizes.items()]
    status, printed, errors = main("train", recipe, "--data", long_text, "--out", tmp_path / "run", *chosen)
    assert status == 0, errors
    assert json.loads(printed).keys() >= {"loss", "val_loss"}

    status, printed, errors = main("fill", tmp_path / "run", text, "--top", 3)
    assert status == 0, errors
    first, *rows = printed.splitlines()
    assert re.fullmatch(answers, first)
    assert rows
    assert all(re.fullmatch(r" +\d?  .*  +\d+\.\d%", row) for row in rows)
    assert sum(bool(re.match(r" +\d ", row)) for row in rows) == {"t5": 2, "bart": 1}[recipe]

    status, printed, errors = main("fill", tmp_path / "run", wrong)
    assert (status, printed) == (2, "")
    assert errors.count("\n") == 1
    assert message in errors


def test_a_gpt_scores_words_in_a_gap(main, long_text, tmp_path):
    sizes = {"corpus": "tiny_shakespeare", "d_model": 16, "n_layers": 1, "n_heads": 2, "max_len": 16, "steps": 3}
    chosen = [f"--set={name}={value}" for name, value in sizes.items()]
    run = tmp_path / "run"
    status, _, errors = main("train", "gpt", "--data", long_text, "--out", run, *chosen)
    assert status == 0, errors

    status, printed, errors = main("fill", run, "Two [MASK] read [MASK].", "--top", 3)
    assert status == 0, errors
    text, *rows = printed.splitlines()
    assert re.fullmatch(r"Two.+ read.+\.", text)
    assert [row.split()[0] for row in rows if row[3] != " "] == ["1", "2"]
    assert len(rows) == 6
    assert main("fill", run, "Two dogs")[::2] == (
        2,
        "seqbook: 'Two dogs' has no [MASK]: write it where a word is missing\n",
    )
    assert main("fill", run, "a [MASK]", "--max-new", 3)[::2] == (
        2,
        f"seqbook: {run} is a GPT, which has no --max-new: leave it out\n",
    )


def test_a_model_that_cannot_fill_is_one_line(main, arguments, tmp_path):
    assert main(*arguments(tmp_path / "run"))[0] == 0
    expected = f"seqbook: {tmp_path / 'run'} cannot fill in words: give a run of gpt, bert, t5, bart, glm or ul2\n"
    assert main("fill", tmp_path / "run", "a [MASK]") == (2, "", expected)


def test_an_encoder_that_should_continue_a_text_is_one_line(main, tmp_path):
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=6, **sizes)).save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    expected = f"seqbook: {tmp_path} is a BERT, which continues no text: use fill, with marks in the text\n"
    assert main("generate", tmp_path, "a") == (2, "", expected)


def test_steps_is_short_for_a_setting(main, arguments, tmp_path):
    status, printed, _ = main(*arguments(tmp_path / "run"), "--steps", 3)
    assert status == 0
    assert json.loads(printed)["steps"] == 3


def test_a_json_file_that_can_not_be_written_is_one_line(main, arguments, tmp_path):
    (tmp_path / "file").write_text("in the way")
    status, _, errors = main(*arguments(tmp_path / "run"), "--json", tmp_path / "file" / "result.json")
    assert status == 2
    assert f"seqbook: can't write {tmp_path}/file/result.json" in errors
    assert (tmp_path / "run" / "result.json").exists()


def test_a_run_that_blows_up_is_one_line(main, arguments, tmp_path):
    status, _, errors = main(*arguments(tmp_path / "run", learning_rate=1e30, warmup=1, evaluations=1))
    assert status == 2
    assert re.match(r"seqbook: step \d: loss .*learning rate.*No checkpoint was saved", without_progress(errors)[-1])


def test_more_steps_into_the_same_folder_says_what_differs(main, arguments, tmp_path):
    assert main(*arguments(tmp_path / "run"))[0] == 0
    status, printed, errors = main(*arguments(tmp_path / "run", steps=24, dropout=0.5))
    (line,) = without_progress(errors)
    assert (status, printed) == (2, "")
    assert "run belongs to another run (" in line
    for part in ("steps is 12 there and 24 here", "there and 0.5 here", "choose another folder for --out"):
        assert part in line


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_an_output_that_has_no_chinese_is_one_line_with_the_way_out(monkeypatch, capsys, encoding):
    rows = datasets.Dataset.from_dict({"zh": ["安娜看书…"]})
    monkeypatch.setattr(microworld, "load", lambda task: datasets.DatasetDict(train=rows))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    assert command_line.main(["show", "translation", "-n", "1"]) == 2
    errors = capsys.readouterr().err
    expected = f"the output's encoding, {encoding}, has no '安': set PYTHONIOENCODING=utf-8"
    assert [expected in line for line in without_progress(errors)] == [True]


def test_help_too(process, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    _, errors = process("fill", "--help").communicate(timeout=120)
    assert errors.count("\n") == 1
    assert r"the output's encoding, ascii, has no '\u2026': set PYTHONIOENCODING=utf-8" in errors


def test_a_reader_that_has_seen_enough_is_no_mistake(process):
    child = process(
        "show", "--help", module=("-c", "import time; time.sleep(1)\nfrom seqbook.__main__ import main\nmain(['list'])")
    )
    child.stdout.close()
    child.stdout = None
    _, errors = child.communicate(timeout=120)
    assert (child.returncode, errors) == (0, "")


def test_a_mistake_in_a_process_of_its_own(process):
    child = process("train", "rmm")
    printed, errors = child.communicate(timeout=120)
    assert (child.returncode, printed) == (2, "")
    assert errors.startswith("seqbook: unknown recipe 'rmm'")
    assert errors.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become nobody")
def test_an_out_folder_of_somebody_else_is_one_line(arguments, tmp_path, main):
    """A folder that may not even be looked into."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    os.seteuid(65534)
    try:
        status, _, errors = main("generate", closed / "run", "text")
    finally:
        os.seteuid(0)
    assert status == 2
    assert re.fullmatch(r"seqbook: .*Permission denied.*\n", errors)


def test_the_commit_is_this_checkouts():
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout here")
    assert head.startswith(commit().removesuffix("-dirty"))


def test_what_a_model_has_never_seen_is_named_and_stays_in_the_text(main, long_text, tmp_path):
    tiny = ["d_model=16", "n_layers=1", "n_heads=2", "steps=2", "batch_size=2", "evaluations=1", "max_len=32"]
    out = f"--out={tmp_path / 'run'}"
    status, *_ = main("train", "gpt-shakespeare", out, f"--data={long_text}", *(f"--set={s}" for s in tiny))
    assert status == 0
    status, printed, errors = main("generate", tmp_path / "run", "A dog", "\u2603 dog", "--max-new=3")
    assert status == 0
    assert printed.startswith("A dog")
    assert "\n\u2603 dog" in printed
    assert errors == "seqbook: not in the vocabulary, and read as <unk>: '\u2603'\n"
    status, printed, errors = main("fill", tmp_path / "run", "A do[MASK] \u2603 dog.")
    assert (status, errors) == (0, "seqbook: not in the vocabulary, and read as <unk>: '\u2603'\n")


def test_claims_lists_each_claim_with_its_verdict_and_chapter(main):
    status, printed, _ = main("claims")
    assert status == 0
    rows = [line for line in printed.splitlines() if re.match(r"C\d+ ", line)]
    assert len(rows) == len(claims.read())
    assert re.fullmatch(
        r"C7 +wrong +book/2_transformer/inside\.ipynb +An encoder-decoder is not autoregressive", rows[6]
    )


def test_claims_run_does_the_experiment_in_the_repository(main, monkeypatch):
    called = []
    monkeypatch.setattr(
        command_line.children,
        "call",
        lambda *call, **how: called.append((*call, how)) or subprocess.CompletedProcess((), 3),
    )
    status, printed, _ = main("claims", "--run", "C9")
    assert status == 3
    assert printed == "C9: python -m benchmarks.publish --again gpt\n"
    assert called == [(claims.experiment("C9"), {"cwd": claims.ROOT})]


@pytest.mark.parametrize("more", [[], ["--run", "C9"]])
def test_claims_need_the_repository(main, monkeypatch, tmp_path, more):
    monkeypatch.setattr(claims, "PAGE", tmp_path / "claims.md")
    status, printed, errors = main("claims", *more)
    assert (status, printed) == (2, "")
    assert re.fullmatch(r"seqbook: there is no page .*claims\.md: it is part of the repository: clone it.*\n", errors)


def test_claims_name_an_unknown_number(main):
    status, _, errors = main("claims", "--run", "C99")
    assert status == 2
    assert errors.startswith("seqbook: unknown claim 'C99': choose one of C1, C2, ")


def test_compare_makes_each_sweep_in_order_and_goes_on_when_rows_fail(main, monkeypatch):
    called = []

    def run(command, cwd):
        called.append((command[1:], cwd))
        return subprocess.CompletedProcess(command, len(called) == 1)

    monkeypatch.setattr(command_line.children, "call", run)
    status, _, _ = main("compare", "--jobs", 2)
    assert status == 1
    assert [words[:-1] for words, _ in called] == [["-m", "benchmarks.publish", "--jobs", "2"]] * 4
    assert [words[-1] for words, _ in called] == list(comparison.SWEEPS)
    assert called[0][0][-1] == "which-architecture-rates"
    assert {cwd for _, cwd in called} == {claims.ROOT}


def test_a_sweep_that_is_killed_is_no_success(main, monkeypatch):
    monkeypatch.setattr(command_line.children, "call", lambda command, cwd: subprocess.CompletedProcess(command, -9))
    assert main("compare")[0] != 0


def test_compare_needs_the_repository(main, monkeypatch, tmp_path):
    monkeypatch.setattr(published, "FOLDER", tmp_path / "no" / "results")
    status, _, errors = main("compare")
    assert status == 2
    assert re.fullmatch(r"seqbook: there is no folder .*results: it is part of the repository: clone it.*\n", errors)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGALRM])
def test_a_signal_while_files_are_written_leaves_no_half_file(main, arguments, tmp_path, monkeypatch, kind):
    keep = Tokenizer.save

    def save(tokenizer, path):
        with writing(path) as scratch:
            keep(tokenizer, scratch)
            if path.parent == tmp_path / "run":
                signal.raise_signal(kind)

    before = {kind: signal.signal(kind, signal.SIG_DFL) for kind in (signal.SIGTERM, kind)}
    try:
        with monkeypatch.context() as patched:
            patched.setattr(Tokenizer, "save", save)
            status, _, errors = main(*arguments(tmp_path / "run"))
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    assert status == 130
    assert without_progress(errors) == ["seqbook: stopped: the same command goes on from here"]
    assert not list((tmp_path / "run").glob(".*partial"))
    assert main(*arguments(tmp_path / "run"))[0] == 0


@pytest.mark.slow
def test_a_training_whose_progress_nobody_reads_goes_on(process, arguments, tmp_path):
    child = process(*arguments(tmp_path / "run"))
    child.stderr.close()  # as `2>&1 | head -1` does, or a terminal that is closed
    child.stderr = None
    printed, _ = child.communicate(timeout=120)
    assert child.returncode == 0
    assert json.loads(printed)["steps"] == 12

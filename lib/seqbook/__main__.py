"""The command line: `python -m seqbook list | train | generate | fill | show | claims | compare`."""

import argparse
import ast
import inspect
import io
import json
import os
import re
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import microworld
from seqbook import claims, weights
from seqbook.data.tokenizer import Tokenizer
from seqbook.experiments.comparison import SWEEPS
from seqbook.models import GPT
from seqbook.objectives import FILLING
from seqbook.objectives.filling import Filled
from seqbook.pretrained import files, from_pretrained
from seqbook.pretrained.generation import with_tokenizer
from seqbook.recipes import RECIPES
from seqbook.runs import System, children, device, load, published, run
from seqbook.runs.published import commit
from seqbook.storage import writing

CONTINUING = ("max_new", "temperature", "top_k", "top_p", "seed")  # options for continuing a text
GAPS = re.compile(r"\[[sg]?MASK\]|<mask>|<extra_id_\d+>")


def main(arguments: list[str] | None = None) -> int:
    """Run a command. The exit status is 0, or 2 after an error (one line explains it), or 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m seqbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    listing = commands.add_parser("list", help="the recipes, one line each")
    listing.set_defaults(do=_list)

    train = commands.add_parser("train", help="run a recipe, or continue one that was interrupted")
    train.add_argument("recipe", help="a name that `list` shows")
    train.add_argument("--data", type=Path, metavar="FOLDER", help="the files of a real corpus (default: from the Hub)")
    train.add_argument("--out", type=Path, metavar="FOLDER", help="where the run is kept (default: in SEQBOOK_HOME)")
    train.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    train.add_argument("--steps", type=int, help="the same as --set steps=N")
    train.add_argument("--seed", type=_seed, default=0)
    train.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting; repeatable"
    )
    train.set_defaults(do=_train)

    generate = commands.add_parser("generate", help="translate or continue texts, with a trained run or a GPT-2")
    generate.add_argument("model", help="the --out of a run, or a folder or Hub name in Hugging Face's layout")
    generate.add_argument("text", nargs="+")
    default = {"default": argparse.SUPPRESS}  # only given options are passed on: defaults are defined elsewhere
    translating = generate.add_argument_group("translating")
    translating.add_argument(
        "--beam", type=int, metavar="K", dest="beams", help="beam search with K beams (default: greedy)", **default
    )
    continuing = generate.add_argument_group("continuing a text")
    continuing.add_argument("--max-new", type=int, metavar="N", help="at most N tokens (default: 40)", **default)
    continuing.add_argument("--temperature", type=float, metavar="T", help="divides the logits (default: 1)", **default)
    continuing.add_argument(
        "--top-k", type=int, metavar="K", help="draw from the K most probable; 1 is greedy", **default
    )
    continuing.add_argument(
        "--top-p", type=float, metavar="P", help="draw from the most probable that sum to P", **default
    )
    continuing.add_argument("--seed", type=_seed, help="of the random numbers (default: 0)", **default)
    generate.set_defaults(do=_generate)

    filling = commands.add_parser(
        "fill", help="fill in the gaps of texts, with a trained run or a GPT-2, BERT, T5 or BART"
    )
    filling.add_argument("model", help="the --out of a run, or a folder or Hub name in Hugging Face's layout")
    marks = (
        "BERT: [MASK] for each missing word (RoBERTa: <mask>); T5: <extra_id_0>, <extra_id_1>, … and BART: <mask>, each "
        "for any number of words; GLM, UL2: [MASK], likewise; GLM: [sMASK] for a sentence, [gMASK] for the rest; GPT: "
        "[MASK] for each missing word, which is found by scoring the text with 100 candidates"
    )
    filling.add_argument("text", nargs="+", help=marks)
    filling.add_argument(
        "--top", type=int, default=5, metavar="N", help="list the N most probable answers (default: 5)"
    )
    filling.add_argument(
        "--max-new", type=int, metavar="N", help="GLM, UL2: at most N new tokens (default: 20, 40)", **default
    )
    filling.set_defaults(do=_fill)

    show = commands.add_parser("show", help="samples of a task of the micro-world")
    show.add_argument("task", help=", ".join(microworld.TASKS))
    show.add_argument("-n", type=int, default=10, help="how many")
    show.add_argument("--split", default="train", help="train, validation, test or compositional")
    show.set_defaults(do=_show)

    listed = commands.add_parser("claims", help="the claims that the course tests, with their verdicts")
    listed.add_argument("--run", metavar="NUMBER", help="do the experiment of one claim anew, for example of C11")
    listed.set_defaults(do=_claims)

    compare = commands.add_parser(
        "compare",
        help="train every family on every task, for chapter 7.1 (hours); goes on with the rows that are missing",
    )
    compare.add_argument("--jobs", type=int, metavar="N", help="rows at a time (default: one per GPU, or per core)")
    compare.set_defaults(do=_compare)

    try:
        options = parser.parse_args(arguments)
        options.line = shlex.join(["python", "-m", "seqbook", *(sys.argv[1:] if arguments is None else arguments)])
        if hasattr(options, "text"):  # maybe "$(cat FILE)", of a file that has a byte-order mark or is of Windows
            options.text = [text.replace(files.MARK, "").removesuffix("\r") for text in options.text]
            for text in options.text:
                text.encode()  # raises an error where it has bytes that are not UTF-8
        status = options.do(options) or 0
        sys.stdout.flush()
        return status
    except UnicodeEncodeError as error:
        print(f"seqbook: {unprintable(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # what reads the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at the end
        return 0
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"seqbook: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"\nseqbook: {stop or 'stopped'}", file=sys.stderr)
        return 130


def unprintable(error: UnicodeEncodeError) -> str:
    """What to do about a character that the output's encoding does not have, or about a byte that is not UTF-8."""
    wrong = error.object[error.start]
    if "\ud800" <= wrong <= "\udfff":  # what Python makes of a byte of the command line that it cannot read
        return f"the text has a byte that is not UTF-8, after {error.object[: error.start]!r}: write the text in UTF-8"
    return f"the output's encoding, {sys.stdout.encoding}, has no {wrong!r}: set PYTHONIOENCODING=utf-8"


def _seed(text: str) -> int:
    if not -(2**63) <= int(text) < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is outside of torch's seeds, which are whole numbers of 64 bits")
    return int(text)


def _list(_: argparse.Namespace) -> None:
    for name, recipe in RECIPES.items():
        print(f"{name:22} {recipe.about}")


def _train(options: argparse.Namespace) -> None:
    children.end_alike()
    settings = {}
    for text in options.set + ([f"steps={options.steps}"] if options.steps is not None else []):
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text!r} has no '=': write NAME=VALUE, as in --set d_model=128")
        settings[name] = _value(value)
    with _unheard():
        made = run(options.recipe, seed=options.seed, data=options.data, out=options.out, **settings)
    result = made.result | {"command": options.line, "commit": commit(), "folder": made.folder.name}
    result["curve"] = [
        {key: row[key] for key in ("step", "loss", "val_loss")} for row in made.history if "val_loss" in row
    ]
    text = json.dumps(result, indent=1, ensure_ascii=False)
    if options.json:
        with writing(options.json) as scratch:
            scratch.write_text(text + "\n", encoding="utf-8")
    print(text)


@contextmanager
def _unheard() -> Iterator[None]:
    """A training goes on when nobody reads its progress any more: its terminal is closed, or `head` has seen enough."""
    stream = sys.stderr

    class Progress(io.TextIOBase):
        encoding, isatty, fileno = stream.encoding, stream.isatty, stream.fileno

        def write(self, text: str) -> int:
            try:
                stream.write(text)
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            return len(text)

    sys.stderr = Progress()
    try:
        yield
    finally:
        sys.stderr = stream


def _value(text: str) -> Any:
    """The value of a setting: a number, true, false or null, as in JSON or Python; anything else is text."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, TypeError, SyntaxError):
            continue
    return text


def _generate(options: argparse.Namespace) -> None:
    folder = Path(options.model)
    given = {name: value for name, value in vars(options).items() if name in CONTINUING or name == "beams"}
    temperature = given.get("temperature", 1.0)
    if not 1e-3 <= temperature <= 1e3:  # outside, a division overflows, or nothing is left of the model
        raise ValueError(
            f"temperature={temperature} must be from 0.001 to 1000: --top-k 1 takes the most probable token"
        )
    if _is_run(folder):
        system = load(folder)
        if hasattr(system.objective, "generate"):
            translates = "beams" in inspect.signature(system.objective.generate).parameters
            known, does = (("beams",), "translates") if translates else (CONTINUING, "continues texts")
            _check_choices(given, known, f"{folder} {does}")
        weights.watch(system.model)
        lines = system.generate(options.text, **given)
        _name_unknown(_reads(system), options.text)
    else:  # in Hugging Face's layout
        _check_choices(given, CONTINUING, f"{folder} continues texts")
        model = from_pretrained(options.model).to(device())
        if not isinstance(model, GPT):
            raise ValueError(
                f"{options.model} is a {type(model).__name__}, which continues no text: use fill, with marks in the text"
            )
        pretrained = with_tokenizer(model, options.model)
        weights.watch(pretrained.model)
        lines = pretrained.continue_texts(options.text, **given)
    print("\n".join(lines))


def _reads(system: System) -> Tokenizer:
    """Of a system's tokenizers, the one for what is read."""
    return next(iter(system.objective.tokenizers.values()))


def _name_unknown(tokenizer: Tokenizer, texts: list[str]) -> None:
    """A line for people about the words or characters that the model has never seen."""
    texts = [GAPS.sub(" ", text) for text in texts]
    name = getattr(tokenizer.backend.model, "unk_token", None) or "<unk>"
    unk_id = tokenizer.backend.token_to_id(name)
    # BERT's own token has another name, by which only whole words are found
    unknown = tokenizer.unknown(texts) or [word for word in " ".join(texts).split() if unk_id in tokenizer.encode(word)]
    if unknown:
        print(f"seqbook: not in the vocabulary, and read as {name}: {', '.join(map(repr, unknown))}", file=sys.stderr)


def _is_run(folder: Path) -> bool:
    """Whether this is the folder of a run, and not in Hugging Face's layout.

    Raises:
        ValueError: it is a folder of neither kind.
    """
    is_run = any((folder / name).is_file() for name in ("result.json", "run.json"))
    if folder.is_dir() and not is_run and not (folder / "config.json").is_file():
        raise ValueError(
            files.not_here(
                folder, "no result.json, as a finished run has, and no config.json, as in Hugging Face's layout"
            )
        )
    return is_run


def _fill(options: argparse.Namespace) -> None:
    given = {name: value for name, value in vars(options).items() if name in ("top", "max_new")}
    if _is_run(Path(options.model)):
        system = load(options.model)
        kind, objective = type(system.model), system.objective
        if hasattr(objective, "fill"):
            fill = objective.fill
        elif kind in FILLING:  # a GPT
            fill = partial(FILLING[kind], tokenizer=objective.tokenizer)
        else:
            raise ValueError(f"{options.model} cannot fill in words: give a run of gpt, bert, t5, bart, glm or ul2")
        _check_choices(given, inspect.signature(fill).parameters, f"{options.model} is a {kind.__name__}")
        weights.watch(system.model)
        found = fill(system.model, texts=options.text, **given)
        _name_unknown(_reads(system), options.text)
    else:  # in Hugging Face's layout
        model = from_pretrained(options.model).to(device())
        if type(model) not in FILLING:
            known = " or ".join(kind.__name__ for kind in FILLING)
            raise ValueError(f"{options.model} is a {type(model).__name__}, which cannot fill in words: give a {known}")
        fill = FILLING[type(model)]
        _check_choices(given, inspect.signature(fill).parameters, f"{options.model} is a {type(model).__name__}")
        pretrained = with_tokenizer(model, options.model)
        weights.watch(pretrained.model)
        found = fill(pretrained.model, pretrained.tokenizer, options.text, **given)
        _name_unknown(pretrained.tokenizer, options.text)
    print("\n\n".join(map(_table, found)))


def _table(filled: Filled) -> str:
    """The text, and one line for each filling that was considered: the number of its gap, its words, their probability."""
    lines, width = [filled.text], max(len(word) for words in filled.words for word, _ in words)
    for number, words in enumerate(filled.words, 1):
        for rank, (word, probability) in enumerate(words):
            lines.append(f"{'' if rank else number:>4}  {word:{width}}  {probability:6.1%}")
    return "\n".join(lines)


def _check_choices(given: Iterable[str], known: Collection[str], what: str) -> None:
    """Raise an error for an option that this kind of generation does not have."""
    flags = {
        name: "--beam" if name == "beams" else f"--{name.replace('_', '-')}" for name in given if name not in known
    }
    if flags:
        raise ValueError(f"{what}, which has no {', '.join(flags.values())}: leave it out")


def _show(options: argparse.Namespace) -> None:
    splits = microworld.load(options.task)
    if options.split not in splits:
        raise ValueError(f"unknown split {options.split!r}: choose one of {', '.join(splits)}")
    if not 0 < options.n <= len(splits[options.split]):
        raise ValueError(f"-n {options.n}: the split {options.split} has {len(splits[options.split])} rows")
    for row in splits[options.split].select(range(options.n)):
        print("\n".join(f"{name}: {value}" for name, value in row.items()), end="\n\n")


def _claims(options: argparse.Namespace) -> int:
    if options.run is None:
        print(claims.table(claims.read()))
        return 0
    command = claims.experiment(options.run)
    print(f"{options.run}: {shlex.join(['python', *command[1:]])}", flush=True)
    children.end_alike()
    return children.call(command, cwd=claims.ROOT).returncode


def _compare(options: argparse.Namespace) -> int:
    """Each sweep in a process of its own, because the later ones take their rates and steps from the rows of the first."""
    if not published.FOLDER.is_dir():
        raise FileNotFoundError(f"there is no folder {published.FOLDER}: {claims.ELSEWHERE}")
    jobs = ["--jobs", str(options.jobs)] if options.jobs else []
    publish = [sys.executable, "-m", "benchmarks.publish", *jobs]
    children.end_alike()
    return max(abs(children.call([*publish, sweep], cwd=claims.ROOT).returncode) for sweep in SWEEPS)


if __name__ == "__main__":
    sys.exit(main())

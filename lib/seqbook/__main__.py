"""The command line: `python -m seqbook list | train | generate | show`."""

import argparse
import json
import shlex
import sys
from pathlib import Path

import torch

from seqbook.data import world
from seqbook.generate import complete
from seqbook.home import writing
from seqbook.models.finetuned import FineTunedGPT
from seqbook.models.gpt import GPT
from seqbook.objectives.seq2seq import Seq2Seq
from seqbook.pretrained import END_OF_TEXT, from_pretrained, load_tokenizer
from seqbook.recipes import RECIPES
from seqbook.results import commit
from seqbook.runs import load, run
from seqbook.tokenizer import BOS, EOS, Tokenizer
from seqbook.train import device

SAMPLING = ("max_new", "temperature", "top_k", "top_p", "seed")


def main(arguments: list[str] | None = None) -> int:
    """Do what the arguments say; the exit status is 0, 2 for a mistake that one line explains, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m seqbook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    listing = commands.add_parser("list", help="the recipes, a line each")
    listing.set_defaults(do=_list)

    train = commands.add_parser("train", help="run a recipe, or go on with one that was interrupted")
    train.add_argument("recipe", help="a name that `list` shows")
    train.add_argument("--data", type=Path, metavar="FOLDER", help="the files of a real corpus (default: from the Hub)")
    train.add_argument("--out", type=Path, metavar="FOLDER", help="where the run is kept (default: in SEQBOOK_HOME)")
    train.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    train.add_argument("--steps", type=int, help="the same as --set steps=N")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting; repeatable"
    )
    train.set_defaults(do=_train)

    generate = commands.add_parser("generate", help="translate, or go on after texts, with a trained run or a GPT-2")
    generate.add_argument("model", help="the --out of a run, or a folder or Hub name in Hugging Face's layout")
    generate.add_argument("text", nargs="+")
    default = {"default": argparse.SUPPRESS}  # only what was given reaches the model, which has defaults of its own
    translating = generate.add_argument_group("translating")
    translating.add_argument("--beam", type=int, metavar="K", help="search with K beams (default: greedily)", **default)
    going_on = generate.add_argument_group("going on after a text")
    going_on.add_argument("--max-new", type=int, metavar="N", help="at most N tokens (default: 40)", **default)
    going_on.add_argument("--temperature", type=float, metavar="T", help="divides the logits (default: 1)", **default)
    going_on.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest; 1 is greedy", **default)
    going_on.add_argument("--top-p", type=float, metavar="P", help="draw from the likeliest that sum to P", **default)
    going_on.add_argument("--seed", type=int, help="of the random numbers (default: 0)", **default)
    generate.set_defaults(do=_generate)

    show = commands.add_parser("show", help="samples of a task of the micro-world")
    show.add_argument("task", help=", ".join(world.TASKS))
    show.add_argument("-n", type=int, default=10, help="how many")
    show.add_argument("--split", default="train", help="train, validation, test or compositional")
    show.set_defaults(do=_show)

    options = parser.parse_args(arguments)
    options.line = shlex.join(["python", "-m", "seqbook", *(sys.argv[1:] if arguments is None else arguments)])
    try:
        options.do(options)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"seqbook: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"\nseqbook: {stop or 'stopped'}", file=sys.stderr)
        return 130
    return 0


def _list(_: argparse.Namespace) -> None:
    for name, recipe in RECIPES.items():
        print(f"{name:22} {recipe.about}")


def _train(options: argparse.Namespace) -> None:
    settings = {}
    for text in options.set + ([f"steps={options.steps}"] if options.steps is not None else []):
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text!r} has no '=': write NAME=VALUE, as in --set d_model=128")
        settings[name] = value
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


def _generate(options: argparse.Namespace) -> None:
    folder = Path(options.model)
    choices = {name: value for name, value in vars(options).items() if name in ("beam", *SAMPLING)}
    is_run = folder.is_dir() and ((folder / "result.json").is_file() or not (folder / "config.json").is_file())
    system = load(folder) if is_run else None
    if system and isinstance(system.model, FineTunedGPT):
        raise ValueError(f"{folder} was trained to classify, and writes nothing: generate with a translator or a GPT")
    translates = system is not None and isinstance(system.objective, Seq2Seq)
    wrong = [name for name in choices if (name == "beam") != translates]
    if wrong:
        what = "translates" if translates else "goes on after texts"
        raise ValueError(f"{folder} {what}, which has no --{wrong[0].replace('_', '-')}: leave it out")
    if translates:
        lines = system.translate(options.text, choices.get("beam", 1))
    elif system:
        lines = _go_on(system.model, system.objective.tokenizer, [BOS], (EOS,), options.text, **choices)
    else:
        tokenizer = load_tokenizer(options.model)
        end = tokenizer.backend.token_to_id(END_OF_TEXT)
        ends = () if end is None else (end,)
        lines = _go_on(from_pretrained(options.model).to(device()), tokenizer, [], ends, options.text, **choices)
    print("\n".join(lines))


def _go_on(
    model: GPT,
    tokenizer: Tokenizer,
    begin: list[int],
    ends: tuple[int, ...],
    texts: list[str],
    max_new: int = 40,
    seed: int = 0,
    **choices: float,
) -> list[str]:
    """Each text and what the model has to say after it. After no text at all, a new one begins."""
    prompts = [[*begin, *tokenizer.encode(text)] or list(ends) for text in texts]
    generator = torch.Generator(device()).manual_seed(seed)
    found = complete(model, prompts, max_new, generator=generator, stop=ends, **choices)
    return [tokenizer.decode([*prompt, *new]) for prompt, new in zip(prompts, found, strict=True)]


def _show(options: argparse.Namespace) -> None:
    splits = world.load(options.task)
    if options.split not in splits:
        raise ValueError(f"unknown split {options.split!r}: choose one of {', '.join(splits)}")
    if not 0 < options.n <= len(splits[options.split]):
        raise ValueError(f"-n {options.n}: the split {options.split} has {len(splits[options.split])} rows")
    for row in splits[options.split].select(range(options.n)):
        print("\n".join(f"{name}: {value}" for name, value in row.items()), end="\n\n")


if __name__ == "__main__":
    sys.exit(main())

"""The command line: `python -m seqbook list | train | generate | show`."""

import argparse
import json
import shlex
import sys
from pathlib import Path

from seqbook.data import world
from seqbook.home import writing
from seqbook.recipes import RECIPES
from seqbook.results import commit
from seqbook.runs import load, run


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

    generate = commands.add_parser("generate", help="translate with a trained run")
    generate.add_argument("folder", type=Path, help="the --out of a run")
    generate.add_argument("text", nargs="+")
    generate.add_argument("--beam", type=int, default=1, metavar="K", help="search with K beams (default: greedily)")
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
    for line in load(options.folder).translate(options.text, options.beam):
        print(line)


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

"""Give the built site a font with the Chinese characters that its pages print: what `make book` does last.

python tools/webfont.py SITE

A whole Chinese font has megabytes; the few hundred characters of this book, code and outputs included, make about a
hundred kilobytes. `book/_static/course.css` names the file.
"""

import html
import json
import re
import shutil
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

import repository

FONTS = repository.ROOT / "lib" / "seqbook" / "viz" / "fonts"
CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")  # also punctuation and full-width forms


def characters(site: Path) -> set[str]:
    """The Chinese characters in the text of all pages, in the state of their widgets and the settings of their live
    figures, where they are escaped, in the scripts of these figures, and in the vocabularies of their models."""
    texts = []
    for path in [*site.rglob("*.html"), *site.glob("_static/live/*.js"), *site.glob("_static/live/figures/*.js")]:
        text = html.unescape(path.read_text("utf-8"))
        texts.append(re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text))
    for path in site.glob("_static/live/models/*/*tokenizer.json"):
        texts += json.loads(path.read_text("utf-8"))["model"]["vocab"]
    return {character for text in texts for character in CHINESE.findall(text)}


def write(site: Path) -> Path:
    """Write the font, and its licence, into the site's _static/fonts.

    Raises:
        ValueError: no site there, or a character that the whole font lacks.
    """
    if not (site / "_static").is_dir():
        raise ValueError(f"{site} holds no site: build it first (`make book`)")
    (source,) = FONTS.glob("*.otf")
    font, wanted = TTFont(source), characters(site)
    if lacking := sorted(c for c in wanted if ord(c) not in font.getBestCmap()):
        raise ValueError(f"{source.name} lacks {' '.join(lacking)}: write it otherwise, or bring a font that has it")
    subsetter = Subsetter(Options())
    subsetter.populate(text="".join(wanted))
    subsetter.subset(font)
    font.flavor = "woff"
    folder = site / "_static" / "fonts"
    folder.mkdir(exist_ok=True)
    font.save(folder / "chinese.woff")
    shutil.copy(FONTS / "OFL.txt", folder)
    return folder / "chinese.woff"


if __name__ == "__main__":
    try:
        file = write(Path(*sys.argv[1:2]))
    except ValueError as error:
        print(f"webfont: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")

"""The font that the site brings: it has the characters that pages print, wherever they stand, and no more."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

import webfont

ROOT = Path(__file__).parents[1]


@pytest.fixture
def site(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "book").mkdir()
    state = json.dumps({"value": "<figcaption>雨</figcaption>"})  # as widgets keep it
    assert "雨" not in state
    texts = {"prose": "<p>安娜，</p>", "entity": "<pre>&#30475;é…</pre>", "widget": f"<script>{state}</script>"}
    for name, text in texts.items():
        (tmp_path / "book" / f"{name}.html").write_text(text, "utf-8")
    return tmp_path


def test_it_has_the_characters_that_a_live_model_can_write(site):
    folder = site / "_static" / "live" / "models" / "rnn"
    folder.mkdir(parents=True)
    pattern = {"pre_tokenizer": {"Regex": "[一-鿿]"}, "model": {"vocab": {"<eos>": 0, "狗": 1}}}
    (folder / "target_tokenizer.json").write_text(json.dumps(pattern, ensure_ascii=False), "utf-8")
    assert "狗" in webfont.characters(site)
    assert "鿿" not in webfont.characters(site), "the range of a pattern is no character of a vocabulary"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("book/output.html", '<div class="cell_output"><pre>猫</pre></div>'),
        ("book/figure.html", f"<figure class='live' data-settings='{json.dumps({'text': '猫'})}'></figure>"),
        ("_static/live/live.js", 'const caption = "猫";'),
        ("_static/live/figures/translating.js", r'const target = "\u732B";'),
    ],
)
def test_it_has_the_characters_of_outputs_and_of_live_figures(site, file, text):
    (site / file).parent.mkdir(parents=True, exist_ok=True)
    (site / file).write_text(text, "utf-8")
    assert "猫" in webfont.characters(site)


def test_it_has_all_characters_of_the_pages_and_no_other_chinese(site):
    font = TTFont(webfont.write(site))
    assert {chr(code) for code in font.getBestCmap()} == set("安娜，看雨")
    assert font.flavor == "woff"
    assert (site / "_static" / "fonts" / "OFL.txt").read_text("utf-8").count("SIL OPEN FONT LICENSE")
    (site / "book" / "prose.html").unlink()
    assert {chr(code) for code in TTFont(webfont.write(site)).getBestCmap()} == set("看雨")


def test_a_character_that_no_font_has_is_named(site):
    (site / "book" / "rare.html").write_text("<p>\u3400</p>", "utf-8")
    result = subprocess.run([sys.executable, ROOT / "tools" / "webfont.py", site], capture_output=True, text=True)
    assert result.returncode == 2
    assert re.fullmatch(r"webfont: NotoSansSC-subset\.otf lacks \u3400: .*\n", result.stderr)


def test_a_folder_without_a_site_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no site"):
        webfont.write(tmp_path)


def test_the_style_sheet_asks_for_it_where_there_are_such_characters():
    css = (ROOT / "book" / "_static" / "course.css").read_text("utf-8")
    (ranges,) = re.findall(r"unicode-range: (.*);", css)
    both = [[int(end, 16) for end in part.split("-")] for part in re.findall(r"U\+([\dA-F-]+)", ranges)]
    for code in range(0x10000):
        assert bool(webfont.CHINESE.match(chr(code))) == any(low <= code <= high for low, high in both), hex(code)
    assert 'url("fonts/chinese.woff")' in css

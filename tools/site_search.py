"""The site's search: it also finds the parts of names in code, GPT-2 as GPT2, fine-tuning as finetuning, Rocktäschel as
Rocktaschel, and Chinese words inside sentences.

Sphinx takes everything between two spaces or signs for one word, and looks inside of words only if no page has the word
alone. So "KV" did not find `kv_cache`, nor "看见" a sentence that contains it.
"""

import re
import unicodedata
from itertools import pairwise

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

CHINESE = re.compile("[\u3400-\u9fff]+")
HYPHENS = re.compile("[-\u2010\u2011\u2013]")  # also the one without a break, and the dash between two names
HYPHENED = re.compile(rf"\b[^\W\d_]\w*(?:{HYPHENS.pattern}\w+)+")  # GPT-2, fine-tuning
SUBSCRIPT = re.compile(r"_\{?\\(?:text|mathrm)\{(\w+)\}")  # in a formula


class CourseSearch(SearchEnglish):
    def split(self, input: str) -> list[str]:
        """The words of a text, the parts of names like `kv_cache`, names like GPT-2 and fine-tuning in one, words without
        accents and raised letters, and each Chinese character and pair of them."""
        input = SUBSCRIPT.sub(r"_\1", input)
        words = super().split(input)
        parts = [part for word in words if "_" in word for part in word.split("_") if part]
        for name in HYPHENED.findall(input):
            pieces = HYPHENS.split(name)
            parts += {"".join(found) for found in (pieces, *pairwise(pieces))}
        parts += [plain for word in words if (plain := _plain(word)) != word]
        runs = CHINESE.findall(input)
        return [*words, *parts, *"".join(runs), *("".join(pair) for run in runs for pair in pairwise(run))]

    def stem(self, word: str) -> str:
        """The page that searches leaves words of two letters as they are, and so must the index."""
        return word.lower() if len(word) < 3 else super().stem(word)


def _plain(word: str) -> str:
    """As it is typed on most keyboards: T for ᵀ, u for ü."""
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_search_language(CourseSearch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

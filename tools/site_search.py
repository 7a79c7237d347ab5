"""The site's search: it also finds the parts of names in code, GPT-2 as GPT2, and Chinese words inside sentences.

Sphinx takes everything between two spaces or signs for one word, and looks inside of words only if no page has the word
alone. So "KV" did not find `kv_cache`, nor "看见" a sentence that contains it.
"""

import re
from itertools import pairwise

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

CHINESE = re.compile("[\u3400-\u9fff]+")
NUMBERED = re.compile(r"\b([A-Za-z]+)-(\d\w*)")  # GPT-2


class CourseSearch(SearchEnglish):
    def split(self, input: str) -> list[str]:
        """The words of a text, the parts of names like `kv_cache`, names like GPT-2 in one, and each Chinese character and
        pair of them."""
        words = super().split(input)
        parts = [part for word in words if "_" in word for part in word.split("_") if part]
        parts += ["".join(parts) for parts in NUMBERED.findall(input)]
        runs = CHINESE.findall(input)
        return [*words, *parts, *"".join(runs), *("".join(pair) for run in runs for pair in pairwise(run))]

    def stem(self, word: str) -> str:
        """The page that searches leaves words of two letters as they are, and so must the index."""
        return word.lower() if len(word) < 3 else super().stem(word)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_search_language(CourseSearch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

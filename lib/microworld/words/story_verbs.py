"""The verbs of stories: some of the town's verbs, and some that only English texts use."""

from microworld.words.verbs import BE, BEING, IS_AT, VERBS, Verb, verb


def english_verb(forms: str, frame: str) -> Verb:
    """A verb that only English texts use."""
    return verb("telling", forms, "", (frame, "", ""))


def _known(base: str, frame: str) -> Verb:
    """The town's verb of this base and frame ("give", "V O to R")."""
    return next(v for v in VERBS if v.forms[0] == base and " ".join(slot for slot, _ in v.en) == frame)


GO, TAKE = "go goes went gone going", "take takes took taken taking"
# fmt: off
TOLD: dict[str, Verb] = {
    **{base: _known(base, "V O to R") for base in ("give", "lend", "return", "sell", "send")},
    **{base: _known(base, "V O D") for base in ("put", "hide", "leave")},
    **{base: _known(base, "V O") for base in (
        "find", "buy", "repair", "cook", "bake", "eat", "read", "write", "play", "watch", "visit", "need", "want", "have",
        "like", "clean", "water", "paint", "study")},
    **{base: _known(base, "V R") for base in ("meet", "thank", "help")},
    **{base: _known(base, "V") for base in ("sleep", "rest", "swim", "work")},
    "go": _known("go", "V to O"), "go back": english_verb(GO, "V back to O"), "travel": _known("travel", "V to O"),
    "live": _known("live", "V D"), "work at": english_verb("work", "V D"), "study at": english_verb("study", "V D"),
    "be at": IS_AT, "feel": BEING[0], "be": english_verb(BE, "V O"), "be broken": english_verb(BE, "V broken"),
    "take": english_verb(TAKE, "V O D"), "find at": english_verb("find finds found found finding", "V O D"),
    "keep": english_verb(TAKE, "V O"), "look for": english_verb("look", "V for O"), "ask for": english_verb("ask", "V R for O"),
    "ask where": english_verb("ask", "V R where O was"), "tell": _known("tell", "V R that C"),
    "know not": english_verb("know knows knew known knowing", "V where O was"), "talk": _known("talk", "V with R"),
    "bring": english_verb("bring brings brought brought bringing", "V O to R"), "get": english_verb("receive", "V O"),
    "invite": english_verb("invite", "V R to dinner"), "treat": english_verb("treat", "V R"),
    "admire": english_verb("admire", "V O"), "use": english_verb("use", "V O"),
}
# fmt: on

"""Function words: determiners, prepositions, times, manners, modals and tenses, in English and in Chinese."""

from dataclasses import dataclass

SINGULAR = {"the": "", "a": "一", "this": "这", "that": "那", "another": "另一"}
PLURAL = {
    "two": "两", "three": "三", "four": "四", "five": "五", "six": "六", "seven": "七", "eight": "八", "nine": "九",
    "ten": "十", "eleven": "十一", "twelve": "十二", "several": "几", "many": "许多", "some": "一些", "these": "这些",
    "those": "那些", "the two": "这两", "the three": "这三",
}  # fmt: skip
ASKED = {"which": "哪", "how many": "几", "what": "什么", "who": "谁"}
DETERMINERS = SINGULAR | PLURAL | ASKED
NUMBERS = list(PLURAL)[:11]
UNMEASURED = {"the", "many", "some", "these", "those", "what", "who", ""}
DEFINITE = {"the", "this", "that", "these", "those", ""}


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A word or phrase that has one form."""

    en: str
    zh: str


def _words(table: str) -> list[Word]:
    return [Word(*line.split(":")) for line in table.strip().splitlines()]


IN, ON, AT = Word("in", "里"), Word("on", "上"), Word("at", "")
UNDER, BEHIND, FROM = Word("under", "下面"), Word("behind", "后面"), Word("from", "")
AROUND = [UNDER, BEHIND, Word("next to", "旁边"), Word("near", "附近")]

_DAYS = list(zip("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(), "一二三四五六日", strict=True))
_DAYTIMES = [("morning", "早上"), ("afternoon", "下午"), ("evening", "晚上")]
# Nobody says "at eleven in the afternoon".
_HOURS = {"morning": NUMBERS[4:10], "afternoon": NUMBERS[:4], "evening": NUMBERS[4:9]}
PAST_TIMES = [
    *_words("""
yesterday:昨天
yesterday morning:昨天早上
yesterday afternoon:昨天下午
yesterday evening:昨天晚上
last night:昨晚
last week:上个星期
last month:上个月
last year:去年
last summer:去年夏天
last winter:去年冬天
this morning:今天早上
at noon:中午
at midnight:半夜
"""),
    *[Word(f"on {day}", f"星期{zh}") for day, zh in _DAYS],
    *[Word(f"on {day} {time}", f"星期{zh}{when}") for day, zh in _DAYS for time, when in _DAYTIMES],
    *[Word(f"at {hour} in the {time}", f"{when}{PLURAL[hour]}点") for time, when in _DAYTIMES for hour in _HOURS[time]],
    *[Word(f"{n} {unit} ago", f"{PLURAL[n]}{zh}前") for n in NUMBERS for unit, zh in [("days", "天"), ("weeks", "个星期"),
      ("months", "个月"), ("years", "年")]],
]  # fmt: skip
NOW = _words("now:现在\nat the moment:此刻\ntoday:今天")
FUTURE_TIMES = [
    *_words(
        "tomorrow:明天\ntomorrow morning:明天早上\nnext week:下个星期\nnext month:下个月\nnext year:明年\ntonight:今晚"
    ),
    *[Word(f"next {day}", f"下个星期{zh}") for day, zh in _DAYS],
]
HABITS = _words(
    "every day:每天\nevery morning:每天早上\nevery evening:每天晚上\nevery week:每个星期\nevery summer:每年夏天"
)
FREQUENCIES = _words("often:经常\nusually:通常\nalways:总是\nsometimes:有时候\nrarely:很少")
MANNERS = _words("""
carefully:小心地
quickly:很快地
slowly:慢慢地
quietly:悄悄地
happily:高兴地
proudly:骄傲地
patiently:耐心地
secretly:偷偷地
""")


@dataclass(frozen=True, slots=True, eq=False)
class Modal:
    """A verb before another verb: `en` is invariable (can) or base, third person and past (want wants wanted)."""

    en: tuple[str, ...]
    zh: str
    tenses: frozenset[str]
    negatable: bool


def _modals(table: str) -> list[Modal]:
    rows = [line.split() for line in table.strip().splitlines()]
    return [Modal(tuple(en), zh, frozenset(tenses.split("/")), negated == "not") for zh, tenses, negated, *en in rows]


MODALS = _modals("""
能 present not can
必须 present - must
应该 present not should
可以 present not may
想 present/past not want wants wanted
打算 present/past not plan plans planned
希望 present/past - hope hopes hoped
决定 past - decide decides decided
试着 past - try tries tried
忘了 past - forget forgets forgot
答应 past - promise promises promised
开始 past - begin begins began
拒绝 past - refuse refuses refused
同意 past - agree agrees agreed
不得不 past - have has had
""")


@dataclass(frozen=True, slots=True, eq=False)
class Tense:
    """A tense: English auxiliary and verb form, Chinese markers around the verb.

    `auxiliary` is (singular, plural). It is empty where English marks the tense on the verb; then questions and negation use `do`.
    """

    auxiliary: tuple[str, ...]
    do: tuple[str, ...]
    form: str
    negation: str  # Chinese for not
    before: str  # Chinese before the verb, for the auxiliary
    aspect: str  # Chinese particle after the verb
    complete: bool  # the action is completed, so Chinese names its result (修好 instead of 修)


TENSES = {
    "past": Tense((), ("did", "did"), "past", "没有", "", "了", True),
    "present": Tense((), ("does", "do"), "present", "不", "", "", False),
    "progressive": Tense(("is", "are"), (), "ing", "没有", "在", "", False),
    "was": Tense(("was", "were"), (), "ing", "没有", "在", "", False),
    "future": Tense(("will", "will"), (), "base", "不", "会", "", True),
    "already": Tense(("has", "have"), (), "participle", "", "已经", "了", True),
    "before": Tense(("has", "have"), (), "participle", "", "以前", "过", False),
    "never": Tense(("has", "have"), (), "participle", "", "从来没有", "过", False),
}

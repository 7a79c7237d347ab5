"""Words that modify: determiners, properties, times, manners, modals and tenses, in English and in Chinese."""

from dataclasses import dataclass

from seqbook.data.world.lexicon import FEMALE, JOBS, KIN, MALE, PEOPLE
from seqbook.data.world.nouns import Adjective, Noun
from seqbook.data.world.things import PLACES, THINGS

SINGULAR = {"the": "", "a": "一", "this": "这", "that": "那", "one": "一", "another": "另一", "every": "每"}
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


def _adjectives(table: str) -> list[Adjective]:
    """One a line: English, comparative (`-`: never compared), Chinese before a noun, after 很, after 比, classes."""
    rows = [line.split() for line in table.strip().splitlines()]
    return [Adjective(en, more.replace("_", " "), *zh, frozenset(classes)) for en, more, *zh, classes in _split(rows)]


def _split(rows: list[list[str]]) -> list[tuple]:
    return [(*row[:5], row[5:]) for row in rows]


# English puts them in this order: size and quality, then age, then colour.
ADJECTIVES = _adjectives("""
big bigger 大 大 大 furniture container building animal place town
small smaller 小 小 小 furniture container building animal place breakable
tall taller 高大的 高 高 person building
short shorter 矮小的 矮 矮 person
long longer 长 长 长 garment paper written
heavy heavier 沉重的 重 重 furniture container machine tool
light lighter 轻便的 轻 轻 vehicle machine tool
cheap cheaper 便宜的 便宜 便宜 goods food
expensive more_expensive 昂贵的 贵 贵 goods food
beautiful more_beautiful 漂亮的 漂亮 漂亮 garment headgear plant art building place town animal breakable
dirty dirtier 脏 脏 脏 garment washed vehicle room animal
clean cleaner 干净的 干净 干净 washed room
quiet quieter 安静的 安静 安静 person place
noisy noisier 吵闹的 吵闹 吵闹 place learner machine
famous more_famous 著名的 出名 出名 artist scholar art written sight town
broken - 坏掉的 坏 坏 fixable
lost - 丢失的 丢失 丢失 small pet
fresh fresher 新鲜的 新鲜 新鲜 food
sweet sweeter 甜 甜 甜 baked drink
delicious more_delicious 美味的 好吃 好吃 food
hot hotter 热 热 热 drink weather
cold colder 冷 冷 冷 drink weather
warm warmer 温暖的 暖和 暖和 garment room weather
interesting more_interesting 有趣的 有趣 有趣 text watched sight
boring more_boring 无聊的 无聊 无聊 text watched
difficult more_difficult 难懂的 难懂 难懂 text
kind kinder 善良的 善良 善良 person
clever cleverer 聪明的 聪明 聪明 person pet
brave braver 勇敢的 勇敢 勇敢 person
shy shyer 害羞的 害羞 害羞 person
lazy lazier 懒惰的 懒 懒 person pet
busy busier 忙碌的 忙 忙 person
strict stricter 严格的 严格 严格 scholar healer
patient more_patient 耐心的 耐心 耐心 scholar healer person
friendly friendlier 友好的 友好 友好 person pet
polite politer 礼貌的 礼貌 礼貌 person
rich richer 富有的 富有 富有 person
poor poorer 贫穷的 穷 穷 person
strong stronger 强壮的 强壮 强壮 person horse
tired more_tired 疲惫的 累 累 person
hungry hungrier 饥饿的 饿 饿 person animal
happy happier 快乐的 快乐 快乐 person
sad sadder 悲伤的 难过 难过 person
angry angrier 愤怒的 生气 生气 person
nervous more_nervous 紧张的 紧张 紧张 person
lonely lonelier 孤独的 孤独 孤独 person
proud prouder 骄傲的 骄傲 骄傲 person
young younger 年轻的 年轻 年轻 person
old older 老 老 大 person animal
old older 旧 旧 旧 goods vehicle text building place room
new newer 新 新 新 goods vehicle building place
red - 红色 红 红 coloured
blue - 蓝色 蓝 蓝 coloured
green - 绿色 绿 绿 coloured
yellow - 黄色 黄 黄 coloured
white - 白色 白 白 coloured
black - 黑色 黑 黑 coloured
brown - 棕色 棕 棕 coloured
""")
FEELINGS = [a for a in ADJECTIVES if a.en in {"tired", "hungry", "happy", "sad", "angry", "nervous", "lonely", "proud"}]


def fits(adjective: Adjective, noun: Noun) -> bool:
    """Whether the adjective may be said of the noun."""
    return bool(adjective.classes & _groups(noun))


def _groups(noun: Noun) -> frozenset[str]:
    return noun.classes | _GROUP.get(noun, frozenset())


_GROUP = {noun: frozenset({"person"}) for noun in [*JOBS, *PEOPLE, *KIN]} | {
    noun: frozenset({"place"}) for noun in PLACES
}
# Nobody is introduced as "the poor fish"; feelings and age don't go with words that already say them.
_ODD = {("old", "boy"), ("old", "girl"), ("old", "child"), ("old", "son"), ("old", "daughter"), ("patient", "patient"),
        ("young", "child"), ("young", "boy"), ("young", "girl"), ("young", "grandmother"), ("young", "grandfather"),
        ("poor", "mayor"), ("new", "castle")}  # fmt: skip
ADJECTIVES_OF: dict[Noun, list[Adjective]] = {
    noun: [a for a in ADJECTIVES if fits(a, noun) and (a.en, noun.en) not in _ODD]
    for noun in [*THINGS, *JOBS, *PEOPLE, *KIN, *PLACES]
}
_SAME = ["big small", "tall short", "long", "heavy light", "cheap expensive", "dirty clean", "quiet noisy",
         "hot cold warm", "interesting boring difficult", "lazy busy", "friendly polite strict patient kind shy brave clever",
         "rich poor", "tired hungry happy sad angry nervous lonely proud", "young old new", "broken lost",
         "fresh sweet delicious", "red blue green yellow white black brown"]  # fmt: skip
# Nothing is both big and small: of each dimension, a thing has one property at most.
DIMENSION = {a: next((i for i, same in enumerate(_SAME) if a.en in same.split()), a.en) for a in ADJECTIVES}
GENDER = {noun: "female" for noun in [*JOBS, *PEOPLE, *KIN] if noun.en in FEMALE} | {
    noun: "male" for noun in [*JOBS, *PEOPLE, *KIN] if noun.en in MALE
}


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A word or phrase that is always said in the same way."""

    en: str
    zh: str


def _words(table: str) -> list[Word]:
    return [Word(*line.split(":")) for line in table.strip().splitlines()]


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
    """What is said before another verb: `en` is invariable (can) or base, third person, past (want wants wanted)."""

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
    """How a clause is placed in time: English auxiliary and verb form, Chinese markers around the verb.

    `auxiliary` is (singular, plural), empty where English shows the tense on the verb and needs "do" only to ask or deny.
    """

    auxiliary: tuple[str, ...]
    do: tuple[str, ...]
    form: str
    denial: str  # Chinese for not
    before: str  # Chinese before the verb, for the auxiliary
    aspect: str  # Chinese particle after the verb
    complete: bool  # the deed is done, so that Chinese names its result (修好 rather than 修)


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

"""The kinds of events and the verbs that tell them, as two frames of slots: one English, one Chinese.

Slots: V the verb, O its object, R the other person, D the place something ends up, P a property, I what somebody is to do,
G what somebody was seen doing, C what was said; in Chinese also * where 了 and 过 stand. A literal that answers to a word
of the other language carries the same name after a slash ("from/source": 从/source … 那里/source); other literals of a
frame belong to the verb, except the particles 把 and 被, which answer to nothing.
"""

from dataclasses import dataclass

FORMS = ("base", "present", "past", "participle", "ing")
PARTICLES = {"把", "被"}


@dataclass(frozen=True, slots=True, eq=False)
class Verb:
    """One way to tell one kind of event, with the classes of those who may take part."""

    kind: str
    forms: tuple[str, ...]
    en: tuple[tuple[str, str], ...]
    zh: str
    done: str
    plain: tuple[tuple[str, str], ...]
    disposal: tuple[tuple[str, str], ...]
    agents: frozenset[str]
    objects: frozenset[str]
    state: bool
    manners: frozenset[str]
    places: bool
    weight: float


def inflect(verb: str) -> tuple[str, ...]:
    """The five forms of a verb: given in full ("give gives gave given giving") or, when regular, by its base."""
    forms = tuple(verb.split())
    if len(forms) == len(FORMS):
        return forms
    (base,) = forms
    if base.endswith("e"):
        return base, base + "s", base + "d", base + "d", base[:-1] + "ing"
    if base.endswith("y") and base[-2] not in "aeou":
        return base, base[:-1] + "ies", base[:-1] + "ied", base[:-1] + "ied", base + "ing"
    third = base + ("es" if base.endswith(("s", "sh", "ch", "x")) else "s")
    return base, third, base + "ed", base + "ed", base + "ing"


def _frame(text: str) -> tuple[tuple[str, str], ...]:
    """(literal or slot, tag) pairs."""
    parsed = []
    for item in text.split():
        word, _, tag = item.partition("/")
        parsed.append((word, "" if word in PARTICLES else tag or "verb"))
    return tuple(parsed)


def _verb(kind: str, en: str, frame: str, zh: str, plain: str, disposal: str = "", *, objects: str = "",
          agents: str = "person", state: bool = False, manners: str = "", places: bool = True,
          weight: float = 1.0) -> Verb:  # fmt: skip
    base, _, done = zh.partition(" ")
    return Verb(
        kind, inflect(en), _frame(frame), base, done or base, _frame(plain), _frame(disposal), frozenset(agents.split()),
        frozenset(objects.split()), state, frozenset(manners.split()), places, weight,
    )  # fmt: skip


VO, PLAIN, BA = "V O", "V * O", "把 O V *"
CARE = "carefully quickly slowly"
QUIET = "quietly secretly quickly"
VERBS = [
    _verb("giving", "give gives gave given giving", "V O to/to R", "送", "V 给/to * R O", "把 O V 给/to * R", objects="goods food", manners="proudly happily"),
    _verb("sending", "send sends sent sent sending", "V O to/to R", "寄", "V 给/to * R O", "把 O V 给/to * R", objects="sent text", places=False),
    _verb("selling", "sell sells sold sold selling", "V O to/to R", "卖", "V 给/to * R O", "把 O V 给/to * R", objects="goods animal driven food", manners="quickly secretly"),
    _verb("lending", "lend lends lent lent lending", "V O to/to R", "借", "V 给/to * R O", "把 O V 给/to * R", objects="goods driven", manners="happily"),
    _verb("returning", "return", "V O to/to R", "还", "V 给/to * R O", "把 O V 给/to * R", objects="goods text tool", manners="quickly"),
    _verb("showing", "show shows showed shown showing", "V O to/to R", "看", "给/to R V * O", "把 O 给/to R V *", objects="shown art text garment headgear", manners="proudly happily"),
    _verb("buying", "buy buys bought bought buying", "V O from/from R", "买", "从/from R 那里/from V * O", objects="goods animal food", manners="quickly secretly"),
    _verb("buying", "buy buys bought bought buying", VO, "买", PLAIN, objects="goods animal food small", weight=1.5),
    _verb("borrowing", "borrow", "V O from/from R", "借", "从/from R 那里/from V * O", objects="goods driven"),
    _verb("stealing", "steal steals stole stolen stealing", "V O from/from R", "偷", "从/from R 那里/from V * O", objects="goods small animal", manners="quietly", weight=0.7),
    _verb("putting", "put puts put put putting", "V O D", "放", "把 O V D *", "把 O V D *", objects="goods small text", manners="carefully quietly", places=False, weight=1.5),
    _verb("hiding", "hide hides hid hidden hiding", "V O D", "藏", "把 O V D *", "把 O V D *", objects="small text", manners="quickly quietly carefully", places=False),
    _verb("leaving", "leave leaves left left leaving", "V O D", "留", "把 O V D *", "把 O V D *", objects="small goods", places=False),
    _verb("finding", "find finds found found finding", VO, "找到", PLAIN, objects="small goods pet", weight=1.2),
    _verb("losing", "lose loses lost lost losing", VO, "丢 弄丢", PLAIN, BA, objects="small goods pet"),
    _verb("repairing", "repair", VO, "修 修好", PLAIN, BA, objects="fixable", manners=CARE, weight=1.5),
    _verb("breaking", "break breaks broke broken breaking", VO, "打破", PLAIN, BA, objects="breakable"),
    _verb("cleaning", "clean", VO, "打扫 打扫干净", PLAIN, BA, objects="room", manners=CARE, places=False, weight=0.5),
    _verb("washing", "wash", VO, "洗 洗好", PLAIN, BA, objects="garment washed vehicle", manners=CARE),
    _verb("opening", "open", VO, "打开", PLAIN, BA, objects="opened", manners="carefully slowly quietly"),
    _verb("closing", "close", VO, "关 关上", PLAIN, BA, objects="opened", manners="quickly quietly", places=False),
    _verb("visiting", "visit", VO, "拜访", PLAIN, objects="person", places=False, weight=0.7),
    _verb("visiting", "visit", VO, "参观", PLAIN, objects="sight", places=False, weight=0.7),
    _verb("visiting", "visit", VO, "游览", PLAIN, objects="town", places=False, weight=0.8),
    _verb("going", "go goes went gone going", "V to/verb O", "去", PLAIN, objects="place town", places=False, weight=1.2),
    _verb("going", "travel travels travelled travelled travelling", "V to/to O", "前往", PLAIN, objects="town", manners="secretly", places=False, weight=0.8),
    _verb("going", "come comes came come coming", "V back/verb from/from O", "回来", "从/from O V *", objects="place town", places=False, weight=0.8),
    _verb("going", "walk", "V to/to O", "走", "V 到/to * O", objects="place", manners="slowly quickly quietly", places=False, weight=0.8),
    _verb("walking", "walk", "V along/along O", "散", "沿着/along O V * 步", objects="river street", manners="slowly quietly", places=False, weight=0.8),
    _verb("living", "live", "V D", "住", "V D", objects="", state=True, places=False, weight=0.7),
    _verb("teaching", "teach teaches taught taught teaching", "V R O", "教", "V * R O", objects="subject", manners="patiently happily", weight=1.2),
    _verb("teaching", "teach teaches taught taught teaching", "V R to/ I", "教", "V R I", manners="patiently", weight=0.8),
    _verb("learning", "study", VO, "学习", PLAIN, objects="subject", manners="happily patiently", weight=0.7),
    _verb("treating", "treat", VO, "治疗", PLAIN, objects="person", agents="healer", manners="carefully patiently"),
    _verb("examining", "examine", VO, "检查", PLAIN, objects="machine vehicle", manners="carefully quickly", weight=0.7),
    _verb("cooking", "cook", VO, "煮 煮好", PLAIN, BA, objects="cooked", manners="carefully slowly"),
    _verb("cooking", "bake", VO, "烤 烤好", PLAIN, BA, objects="baked", manners="carefully quickly"),
    _verb("eating", "eat eats ate eaten eating", VO, "吃 吃完", PLAIN, BA, objects="food", manners="slowly quickly quietly"),
    _verb("drinking", "drink drinks drank drunk drinking", VO, "喝", PLAIN, objects="drink", manners="slowly quickly"),
    _verb("taking", "take takes took taken taking", VO, "吃", PLAIN, objects="medicine", weight=0.5),
    _verb("riding", "take takes took taken taking", VO, "坐", PLAIN, objects="ridden", places=False, weight=0.7),
    _verb("waiting", "wait", "V for/verb O", "等", PLAIN, objects="ridden", manners="patiently", weight=0.5),
    _verb("reading", "read reads read read reading", VO, "读 读完", PLAIN, BA, objects="text written", manners="carefully slowly quietly"),
    _verb("writing", "write writes wrote written writing", VO, "写 写好", PLAIN, BA, objects="written", manners="carefully quickly secretly"),
    _verb("painting", "paint", VO, "画", PLAIN, objects="building plant animal person", agents="artist person", manners="slowly carefully", weight=0.8),
    _verb("playing", "play", VO, "弹", PLAIN, objects="keys_played", manners="happily quietly", weight=0.7),
    _verb("playing", "play", VO, "拉", PLAIN, objects="bowed", manners="happily quietly", weight=0.4),
    _verb("playing", "play", VO, "吹", PLAIN, objects="blown", manners="happily quietly", weight=0.4),
    _verb("playing", "play", VO, "踢", PLAIN, objects="kicked", manners="happily", weight=0.4),
    _verb("playing", "play", VO, "打", PLAIN, objects="hit", manners="happily", weight=0.5),
    _verb("playing", "play", VO, "下", PLAIN, objects="set", manners="quietly", weight=0.4),
    _verb("singing", "sing sings sang sung singing", VO, "唱", PLAIN, objects="sung", manners="happily proudly", weight=0.6),
    _verb("watching", "watch", VO, "看", PLAIN, objects="watched animal", manners="quietly happily"),
    _verb("driving", "drive drives drove driven driving", VO, "开", PLAIN, objects="driven", manners="carefully slowly quickly", weight=0.7),
    _verb("building", "build builds built built building", VO, "建 建好", PLAIN, BA, objects="building", manners="quickly slowly", weight=0.8),
    _verb("planting", "plant", VO, "种", PLAIN, objects="plant", manners="carefully", weight=0.6),
    _verb("watering", "water", VO, "浇", PLAIN, objects="plant", manners="carefully", weight=0.5),
    _verb("feeding", "feed feeds fed fed feeding", VO, "喂", PLAIN, objects="animal", manners="patiently", weight=0.8),
    _verb("wearing", "wear wears wore worn wearing", VO, "穿", "V 着 O", objects="garment", state=True, weight=0.7),
    _verb("wearing", "wear wears wore worn wearing", VO, "戴", "V 着 O", objects="headgear", state=True, weight=0.7),
    _verb("waiting", "wait", "V for/verb R", "等", "V * R", manners="patiently quietly", weight=1.2),
    _verb("helping", "help", "V R I", "帮助", "V * R I", manners="happily patiently"),
    _verb("helping", "help", "V R", "帮助", "V * R", manners="happily"),
    _verb("asking", "ask", "V R to/ I", "请", "V R I", manners="quietly"),
    _verb("telling", "tell tells told told telling", "V R to/ I", "让", "V R I", manners="quietly"),
    _verb("telling", "tell tells told told telling", "V R that/ C", "告诉", "V * R C", manners="quietly secretly proudly"),
    _verb("saying", "say says said said saying", "V that/ C", "说", "V C", manners="quietly proudly", state=True),
    _verb("thinking", "think thinks thought thought thinking", "V that/ C", "认为", "V C", state=True, places=False),
    _verb("knowing", "know knows knew known knowing", "V that/ C", "知道", "V C", state=True, places=False),
    _verb("seeing", "see sees saw seen seeing", "V R G", "看见", "V * R G", weight=1.2),
    _verb("meeting", "meet meets met met meeting", "V R", "遇见", "V * R", weight=1.2),
    _verb("thanking", "thank", "V R", "感谢", "V * R", manners="happily", weight=0.7),
    _verb("calling", "call", "V R", "打", "给/verb R V * 电话", manners="secretly quickly", weight=0.7),
    _verb("talking", "talk", "V with/with R", "聊", "和/with R V * 天", manners="quietly happily", weight=0.8),
    _verb("talking", "argue", "V with/with R", "吵", "和/with R V * 架", weight=0.6),
    _verb("dancing", "dance", "V with/with R", "跳", "和/with R V * 舞", manners="happily slowly", weight=0.6),
    _verb("smiling", "smile", "V at/at R", "微笑", "对/at R V *", manners="proudly happily", weight=0.5),
    _verb("sleeping", "sleep sleeps slept slept sleeping", "V", "睡", "V * 觉", agents="person pet", weight=0.7),
    _verb("swimming", "swim swims swam swum swimming", "V", "游", "V * 泳", manners="happily slowly", weight=0.6),
    _verb("running", "run runs ran run running", "V", "跑", "V * 步", manners="quickly slowly", weight=0.6),
    _verb("resting", "rest", "V", "休息", "V *", manners="quietly", weight=0.5),
    _verb("laughing", "laugh", "V", "笑", "V *", manners="happily", weight=0.5),
    _verb("crying", "cry", "V", "哭", "V *", manners="quietly", weight=0.5),
    _verb("working", "work", "V", "工作", "V *", manners="patiently happily", weight=0.8),
    _verb("liking", "like", VO, "喜欢", "V O", objects="goods animal food text sung subject kicked hit set town place watched", state=True, places=False),
    _verb("liking", "love", VO, "爱", "V O", objects="person", state=True, places=False, weight=0.5),
    _verb("liking", "hate", VO, "讨厌", "V O", objects="subject animal drink place person", state=True, places=False, weight=0.5),
    _verb("wanting", "want", VO, "想要", "V O", objects="goods animal drink food", state=True, places=False),
    _verb("wanting", "need", VO, "需要", "V O", objects="goods medicine tool paper", state=True, places=False, weight=0.7),
    _verb("having", "have has had had having", VO, "有", "V O", objects="goods animal driven owned", state=True, places=False),
    _verb("knowing", "know knows knew known knowing", VO, "认识", "V O", objects="person", state=True, places=False, weight=0.6),
]  # fmt: skip
BE = "be is was been being"
BEING = [
    _verb("being", BE, "V P", "", "P", state=True, places=False, weight=2.0),
    _verb("feeling", "feel feels felt felt feeling", "V P", "感到", "V P", state=True, places=False),
    _verb("seeming", "look", "V P", "看起来", "V P", state=True, places=False),
    _verb("becoming", "become becomes became become becoming", "V P", "变得", "V P", state=True, places=False),
]
COMPARING = _verb("comparing", BE, "V P than/than O", "", "比/than O P", state=True, places=False)
EQUALLING = _verb("comparing", BE, "V as/as P as/as O", "", "和/as O 一样/as P", state=True, places=False)
THERE_IS = _verb("existing", BE, "V O D", "有", "L V O", state=True, places=False)
IS_AT = _verb("existing", BE, "V D", "", "D", state=True, places=False)
WEATHER_VERBS = [
    _verb("weather", "rain", "V", "下", "V * 雨", agents="", weight=1.5),
    _verb("weather", "snow", "V", "下", "V * 雪", agents=""),
]

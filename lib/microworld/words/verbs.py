"""The verbs, each with the kind of event that it expresses and two frames of slots: one English, one Chinese.

Slots: V the verb, O its object, R the recipient or other person, D a destination, P an adjective, I an infinitive ("to
…"), G a gerund ("saw … doing"), C a clause ("that …"); in Chinese also * for the particles 了 and 过. Other words of a frame
are literals. Literals with the same name after a slash are aligned ("from/from": 从/from … 那里/from). The other literals
belong to the verb, except the particles 把 and 被, which are not aligned.
"""

from dataclasses import dataclass

FORMS = ("base", "present", "past", "participle", "ing")
_FORM = {name: i for i, name in enumerate(FORMS)}
PARTICLES = {"把", "被"}


@dataclass(frozen=True, slots=True, eq=False)
class Verb:
    """A verb and its frames.

    Args:
        kind: the kind of event that it expresses.
        forms: the English forms, in the order of FORMS.
        en: the English frame, as (slot or literal, tag) pairs.
        zh, done: the Chinese verb, and its form that names the result (修, 修好).
        plain, disposal: the Chinese frames without and with 把.
        agents, objects: the classes of nouns that can be subject and object.
        state: whether it expresses a state and not an action.
        manners: the adverbs that go with it.
        places: whether its events happen at a place.
        weight: its relative frequency.
    """

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

    def form(self, name: str) -> str:
        """One of the forms in FORMS: "base", "past", …"""
        return self.forms[_FORM[name]]


def inflect(verb: str) -> tuple[str, ...]:
    """The five forms of a verb, which is given in full ("give gives gave given giving") or, if it is regular, by its base."""
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
    """Parse a frame into (slot or literal, tag) pairs."""
    parsed = []
    for item in text.split():
        word, _, tag = item.partition("/")
        parsed.append((word, "" if word in PARTICLES else tag or "verb"))
    return tuple(parsed)


def verb(kind: str, en: str, zh: str, frame: str | tuple[str, str, str], *, objects: str = "", agents: str = "person",
          state: bool = False, manners: str = "", places: bool = True, weight: float = 1.0) -> Verb:  # fmt: skip
    """A verb; `zh` may add the form that names the result (修 修好), `frame` is English, Chinese and Chinese with 把."""
    base, _, done = zh.partition(" ")
    english, plain, disposal = FRAMES[frame] if isinstance(frame, str) else frame
    return Verb(
        kind, inflect(en), _frame(english), base, done or base, _frame(plain), _frame(disposal), frozenset(agents.split()),
        frozenset(objects.split()), state, frozenset(manners.split()), places, weight,
    )  # fmt: skip


FRAMES = {
    "VO": ("V O", "V * O", ""),
    "BA": ("V O", "V * O", "把 O V *"),
    "STATE": ("V O", "V O", ""),
    "TO": ("V O to/to R", "V 给/to * R O", "把 O V 给/to * R"),
    "FROM": ("V O from/from R", "从/from R 那里/from V * O", ""),
    "PUT": ("V O D", "把 O V D *", "把 O V D *"),
    "V": ("V", "V *", ""),
    "VR": ("V R", "V * R", ""),
}
# fmt: off
VERBS = [
    verb("giving", "give gives gave given giving", "送", "TO", objects="goods food", manners="proudly happily"),
    verb("sending", "send sends sent sent sending", "寄", "TO", objects="sent text", places=False),
    verb("selling", "sell sells sold sold selling", "卖", "TO", objects="goods animal driven food", manners="quickly secretly"),
    verb("lending", "lend lends lent lent lending", "借", "TO", objects="goods driven", manners="happily"),
    verb("returning", "return", "还", "TO", objects="goods text tool", manners="quickly"),
    verb("showing", "show shows showed shown showing", "看", ("V O to/to R", "给/to R V * O", "把 O 给/to R V *"), objects="shown art text garment headgear", manners="proudly happily"),
    verb("buying", "buy buys bought bought buying", "买", "FROM", objects="goods animal food", manners="quickly secretly"),
    verb("buying", "buy buys bought bought buying", "买", "VO", objects="goods animal food small", weight=1.5),
    verb("borrowing", "borrow", "借", "FROM", objects="goods driven"),
    verb("stealing", "steal steals stole stolen stealing", "偷", "FROM", objects="goods small animal", manners="quietly", weight=0.7),
    verb("putting", "put puts put put putting", "放", "PUT", objects="small text garment", manners="carefully quietly", places=False, weight=1.5),
    verb("hiding", "hide hides hid hidden hiding", "藏", "PUT", objects="small text", manners="quickly quietly carefully", places=False),
    verb("leaving", "leave leaves left left leaving", "留", "PUT", objects="small text garment", places=False),
    verb("finding", "find finds found found finding", "找到", "VO", objects="small garment pet", weight=1.2),
    verb("losing", "lose loses lost lost losing", "丢 弄丢", "BA", objects="small garment pet"),
    verb("repairing", "repair", "修 修好", "BA", objects="fixable", manners="carefully quickly slowly", weight=1.5),
    verb("breaking", "break breaks broke broken breaking", "打破", "BA", objects="breakable"),
    verb("cleaning", "clean", "打扫 打扫干净", "BA", objects="room", manners="carefully quickly slowly", places=False, weight=0.5),
    verb("washing", "wash", "洗 洗好", "BA", objects="garment washed vehicle", manners="carefully quickly slowly"),
    verb("opening", "open", "打开", "BA", objects="opened", manners="carefully slowly quietly"),
    verb("closing", "close", "关 关上", "BA", objects="opened", manners="quickly quietly", places=False),
    verb("visiting", "visit", "拜访", "VO", objects="person", places=False, weight=0.7),
    verb("visiting", "visit", "参观", "VO", objects="sight", places=False, weight=0.7),
    verb("visiting", "visit", "游览", "VO", objects="town", places=False, weight=0.8),
    verb("going", "go goes went gone going", "去", ("V to O", "V * O", ""), objects="place town", places=False, weight=1.2),
    verb("going", "travel travels travelled travelled travelling", "前往", ("V to O", "V * O", ""), objects="town", manners="secretly", places=False, weight=0.8),
    verb("going", "come comes came come coming", "回来", ("V back from/from O", "从/from O V *", ""), objects="place town", places=False, weight=0.8),
    verb("going", "walk", "走", ("V to/to O", "V 到/to * O", ""), objects="place", manners="slowly quickly quietly", places=False, weight=0.8),
    verb("walking", "walk", "散", ("V along/along O", "沿着/along O V * 步", ""), objects="river street", manners="slowly quietly", places=False, weight=0.8),
    verb("living", "live", "住", ("V D", "V D", ""), state=True, places=False, weight=0.7),
    verb("teaching", "teach teaches taught taught teaching", "教", ("V R O", "V * R O", ""), objects="subject", manners="patiently happily", weight=1.2),
    verb("teaching", "teach teaches taught taught teaching", "教", ("V R to I", "V R I", ""), manners="patiently", weight=0.8),
    verb("learning", "study", "学习", "VO", objects="subject", manners="happily patiently", weight=0.7),
    verb("treating", "treat", "治疗", "VO", agents="healer", objects="person", manners="carefully patiently"),
    verb("examining", "examine", "检查", "VO", objects="machine vehicle", manners="carefully quickly", weight=0.7),
    verb("cooking", "cook", "煮 煮好", "BA", objects="cooked", manners="carefully slowly"),
    verb("cooking", "bake", "烤 烤好", "BA", objects="baked", manners="carefully quickly"),
    verb("eating", "eat eats ate eaten eating", "吃 吃完", "BA", objects="food", manners="slowly quickly quietly"),
    verb("drinking", "drink drinks drank drunk drinking", "喝", "VO", objects="drink", manners="slowly quickly"),
    verb("taking", "take takes took taken taking", "吃", "VO", objects="medicine", weight=0.5),
    verb("riding", "take takes took taken taking", "坐", "VO", objects="ridden", places=False, weight=0.7),
    verb("waiting", "wait", "等", ("V for O", "V * O", ""), objects="ridden", manners="patiently", weight=0.5),
    verb("reading", "read reads read read reading", "读 读完", "BA", objects="text written", manners="carefully slowly quietly"),
    verb("writing", "write writes wrote written writing", "写 写好", "BA", objects="written", manners="carefully quickly secretly"),
    verb("painting", "paint", "画", "VO", agents="artist person", objects="building plant animal person", manners="slowly carefully", weight=0.8),
    verb("playing", "play", "弹", "VO", objects="keys_played", manners="happily quietly", weight=0.7),
    verb("playing", "play", "拉", "VO", objects="bowed", manners="happily quietly", weight=0.4),
    verb("playing", "play", "吹", "VO", objects="blown", manners="happily quietly", weight=0.4),
    verb("playing", "play", "踢", "VO", objects="kicked", manners="happily", weight=0.4),
    verb("playing", "play", "打", "VO", objects="hit", manners="happily", weight=0.5),
    verb("playing", "play", "下", "VO", objects="set", manners="quietly", weight=0.4),
    verb("singing", "sing sings sang sung singing", "唱", "VO", objects="sung", manners="happily proudly", weight=0.6),
    verb("watching", "watch", "看", "VO", objects="watched", manners="quietly happily"),
    verb("driving", "drive drives drove driven driving", "开", "VO", objects="driven", manners="carefully slowly quickly", weight=0.7),
    verb("building", "build builds built built building", "建 建好", "BA", objects="building", manners="quickly slowly", weight=0.8),
    verb("planting", "plant", "种", "VO", objects="plant", manners="carefully", weight=0.6),
    verb("watering", "water", "浇", "VO", objects="plant", manners="carefully", weight=0.5),
    verb("feeding", "feed feeds fed fed feeding", "喂", "VO", objects="animal", manners="patiently", weight=0.8),
    verb("wearing", "wear wears wore worn wearing", "穿", ("V O", "V 着 O", ""), objects="garment", state=True, weight=0.7),
    verb("wearing", "wear wears wore worn wearing", "戴", ("V O", "V 着 O", ""), objects="headgear", state=True, weight=0.7),
    verb("waiting", "wait", "等", ("V for R", "V * R", ""), manners="patiently quietly", weight=1.2),
    verb("helping", "help", "帮助", ("V R I", "V * R I", ""), manners="happily patiently"),
    verb("helping", "help", "帮助", "VR", manners="happily"),
    verb("asking", "ask", "请", ("V R to I", "V R I", ""), manners="quietly"),
    verb("telling", "tell tells told told telling", "让", ("V R to I", "V R I", ""), manners="quietly"),
    verb("telling", "tell tells told told telling", "告诉", ("V R that/that C", "V * R ，/that C", ""), manners="quietly secretly proudly"),
    verb("saying", "say says said said saying", "说", ("V that C", "V C", ""), manners="quietly proudly", state=True),
    verb("thinking", "think thinks thought thought thinking", "认为", ("V that C", "V C", ""), state=True, places=False, weight=1.5),
    verb("knowing", "know knows knew known knowing", "知道", ("V that C", "V C", ""), state=True, places=False),
    verb("seeing", "see sees saw seen seeing", "看见", ("V R G", "V * R G", ""), weight=1.2),
    verb("meeting", "meet meets met met meeting", "遇见", "VR", weight=1.2),
    verb("thanking", "thank", "感谢", "VR", manners="happily", weight=0.7),
    verb("calling", "call", "打", ("V R", "给 R V * 电话", ""), manners="secretly quickly", weight=0.7),
    verb("talking", "talk", "聊", ("V with/with R", "和/with R V * 天", ""), manners="quietly happily", weight=0.8),
    verb("talking", "argue", "吵", ("V with/with R", "和/with R V * 架", ""), weight=0.6),
    verb("dancing", "dance", "跳", ("V with/with R", "和/with R V * 舞", ""), manners="happily slowly", weight=0.6),
    verb("smiling", "smile", "微笑", ("V at/at R", "对/at R V *", ""), manners="proudly happily", weight=0.5),
    verb("sleeping", "sleep sleeps slept slept sleeping", "睡", ("V", "V * 觉", ""), agents="person pet", weight=0.7),
    verb("swimming", "swim swims swam swum swimming", "游", ("V", "V * 泳", ""), manners="happily slowly", weight=0.6),
    verb("running", "run runs ran run running", "跑", ("V", "V * 步", ""), manners="quickly slowly", weight=0.6),
    verb("resting", "rest", "休息", "V", manners="quietly", weight=0.5),
    verb("laughing", "laugh", "笑", "V", manners="happily", weight=0.5),
    verb("crying", "cry", "哭", "V", manners="quietly", weight=0.5),
    verb("working", "work", "工作", "V", manners="patiently happily", weight=0.8),
    verb("liking", "like", "喜欢", "STATE", objects="goods animal food text sung subject kicked hit set town place watched", state=True, places=False),
    verb("liking", "love", "爱", "STATE", objects="person", state=True, places=False, weight=0.5),
    verb("liking", "hate", "讨厌", "STATE", objects="subject animal drink place person", state=True, places=False, weight=0.5),
    verb("wanting", "want", "想要", "STATE", objects="goods animal drink food", state=True, places=False),
    verb("wanting", "need", "需要", "STATE", objects="goods medicine tool paper", state=True, places=False, weight=0.7),
    verb("having", "have has had had having", "有", "STATE", objects="goods animal driven owned", state=True, places=False),
    verb("knowing", "know knows knew known knowing", "认识", "STATE", objects="person", state=True, places=False, weight=0.6),
]
# fmt: on
BE = "be is was been being"
BEING = [
    verb("being", BE, "", ("V P", "P", ""), state=True, places=False, weight=2.0),
    verb("feeling", "feel feels felt felt feeling", "感到", ("V P", "V P", ""), state=True, places=False),
    verb("seeming", "look", "看起来", ("V P", "V P", ""), state=True, places=False),
    verb("becoming", "become becomes became become becoming", "变得", ("V P", "V P", ""), state=True, places=False),
]
COMPARING = verb("comparing", BE, "", ("V P than/than O", "比/than O P", ""), state=True, places=False)
EQUALLING = verb("comparing", BE, "", ("V as/as P as/as O", "和/as O 一样/as P", ""), state=True, places=False)
THERE_IS = verb("existing", BE, "有", ("V O D", "L V O", ""), state=True, places=False)
IS_AT = verb("existing", BE, "", ("V D", "D", ""), state=True, places=False)
WEATHER_VERBS = [
    verb("weather", "rain", "下", ("V", "V * 雨", ""), agents="", weight=1.5),
    verb("weather", "snow", "下", ("V", "V * 雪", ""), agents=""),
]

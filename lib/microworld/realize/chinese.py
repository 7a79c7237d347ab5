"""Realize events in Chinese. Each part has the same tag as in English, but stands in the word order of Chinese.

Time and place come before the verb, relative clauses before their noun, and subordinate clauses before the main clause.
"""

from microworld.events import Event, Location, Phrase, Sentence
from microworld.words.modifiers import DETERMINERS, TENSES, UNMEASURED
from microworld.words.nouns import Pronoun

Tagged = list[tuple[str, str]]

AFTER_SIDE = {"when": "的时候", "after": "之后", "before": "之前"}
AROUND = {"because": ("因为", "所以"), "so": ("因为", "所以"), "although": ("虽然", "但是"), "if": ("如果", "")}
JOINTS = {"but": "但是", "and then": "然后"}
ASKED = {"time": "什么时候", "reason": "为什么", "place": "在哪里"}


def sentence(s: Sentence) -> Tagged:
    """A sentence as (characters, tag) pairs, with its punctuation."""
    words = []
    if s.side:
        first, second = (s.main, s.side) if s.link == "so" else (s.side, s.main)
        one, two = ("main.", "side.") if s.link == "so" else ("side.", "main.")
        if s.link in AFTER_SIDE:
            words += [*clause(first, one, finished=True), (AFTER_SIDE[s.link], "link"), ("，", "comma")]
            words += clause(second, two)
        else:
            before_first, before_second = AROUND[s.link]
            words += [(before_first, "link"), *clause(first, one), ("，", "comma")]
            words += [(before_second, "link")] if before_second else []
            words += clause(second, two, then=s.link == "if")
    elif s.passive:
        words += passive(s.main, "main.")
    else:
        words += clause(s.main, "main.", asks=s.asks)
    if s.added:
        words += [("，", "joint comma"), (JOINTS[s.joint], "joint"), *clause(s.added, "added.")]
    if s.asks == "whether":
        asking = "main.verb" if s.main.verb.forms[0] == "be" else "main.modal" if s.main.modal else "main.auxiliary"
        words.append(("吗", asking))
    words.append(("？" if s.asks else "。", "end"))
    return words


def clause(event: Event, path: str, *, asks: str = "", finished: bool = False, then: bool = False) -> Tagged:
    """Time, subject and predicate; `finished` leaves out 了 (before 之后), `then` adds 就 (after 如果)."""
    words = []
    when = [(event.time.zh, path + "time")] if event.time else []
    if event.time_first:
        words += when
    if event.gap != "agent":
        words += phrase(event.agent, path + "agent.")
    if not event.time_first:
        words += when
    if asks in ("time", "reason"):
        words.append((ASKED[asks], path + "asked"))
    if then:
        words.append(("就", "link"))
    return words + predicate(event, path, asks=asks, finished=finished)


def predicate(event: Event, path: str, *, asks: str = "", finished: bool = False) -> Tagged:
    """Frequency, negation, modal, place and manner, then the verb's frame."""
    words = [(event.frequency.zh, path + "frequency")] if event.frequency else []
    words += markers(event, path)
    if asks == "place":
        words.append((ASKED["place"], path + "asked"))
    if event.place:
        words += location(event.place, path + "place.")
    if event.manner:
        words.append((event.manner.zh, path + "manner"))
    return words + framed(event, path, finished=finished)


def markers(event: Event, path: str) -> Tagged:
    """The words before the verb for tense, negation and modality."""
    tense = TENSES[event.tense]
    words = []
    if event.negated and not event.degree:
        stays = event.verb.state or (event.modal and event.modal.tenses != {"past"})
        denial = "没" if event.verb.zh == "有" and not event.modal else "不" if stays else tense.negation
        words.append((denial, path + "not"))
    if event.modal:
        words.append((event.modal.zh, path + "modal"))
    elif tense.before:
        tag = event.tense if event.tense in ("already", "before", "never") else "auxiliary" if event.agent else "verb"
        # 正在 + 在花园里 shares its 在: 正在花园里.
        now = {
            "在": "" if event.negated and event.place else "正" if event.place else "在" if event.negated else "正在"
        }
        text = now.get(tense.before, tense.before)
        words += [(text, path + tag)] if text else []
    return words


def framed(event: Event, path: str, *, finished: bool = False) -> Tagged:
    """The verb's frame with its slots filled."""
    tense = TENSES[event.tense]
    done = tense.complete and not event.negated
    aspect = tense.aspect
    if event.modal or event.negated or event.verb.state or finished or event.gap == "object":
        aspect = ""
    moves = event.verb.plain[-1][0] == "O" and len(event.verb.plain) > 3  # the object goes to somebody: 把书送给本
    disposes = (
        event.verb.disposal
        and not (event.modal and event.modal.zh == "开始")
        and (event.gap == "object" or (event.object.definite and (tense.complete or event.modal or moves)))
    )
    frame = event.verb.disposal if disposes else event.verb.plain
    if event.gap == "agent" and frame[-1][0] == "*":
        aspect = ""
    if event.modal and not disposes:
        done = False
    verb = event.verb.done if done or disposes else event.verb.zh
    words = []
    for slot, tag in frame:
        if not (event.gap == "object" and slot == "把"):
            words += fill(slot, tag, event, path, verb, aspect)
    return words


def fill(slot: str, tag: str, event: Event, path: str, verb: str, aspect: str) -> Tagged:
    """The words of one slot of a verb's frame."""
    match slot:
        case "V":
            return [(verb, path + "verb")] if verb else []
        case "*":
            return [(aspect, path + "verb")] if aspect else []
        case "O":
            return [] if event.gap == "object" else phrase(event.object, path + "object.")
        case "R":
            return phrase(event.recipient, path + "recipient.")
        case "D":
            return location(event.destination, path + "destination.")
        case "L":
            return location(event.destination, path + "destination.")[1:]
        case "C":
            return clause(event.content, path + "content.")
        case "I" | "G":
            return predicate(event.content, path + "content.")
        case "P":
            return graded(event, path)
    return [(slot, path + tag if tag else "")]


def graded(event: Event, path: str) -> Tagged:
    """An adjective with its degree: 很累, 非常累, 高得多."""
    degree = event.degree
    compared = degree.en.endswith("er")
    value = event.quality.compared if compared else event.quality.predicate
    words = [(value, path + "quality")]
    if degree.en == "much -er":
        return [*words, (degree.zh, path + "degree")]
    if event.negated:
        return [("不", path + "not"), *words]
    # 很 before an adjective corresponds to "is", not to "very".
    tag = path + ("degree" if degree.en else "verb")
    return [(degree.zh, tag), *words] if degree.zh else words


def passive(event: Event, path: str) -> Tagged:
    """A passive clause: 窗户被男孩打破了."""
    words = phrase(event.object, path + "object.")
    words += [(event.time.zh, path + "time")] if event.time else []
    words += [("被", path + "passive"), *phrase(event.agent, path + "agent.")]
    return [*words, (event.verb.done + "了", path + "verb")]


def location(place: Location, path: str) -> Tagged:
    """在 + place + 里 (in), 上 (on), …"""
    words = [("在", path + "preposition"), *phrase(place.phrase, path)]
    suffix = "" if place.phrase.noun.classes & {"town", "street"} else place.preposition.zh
    return [*words, (suffix, path + "preposition")] if suffix else words


def phrase(p: Phrase, path: str) -> Tagged:
    """Relative clause, owner, number and measure word, adjectives, noun."""
    noun = p.noun
    if isinstance(noun, Pronoun):
        return [(noun.zh, path + "noun")] if noun.zh else []
    words = []
    if p.relative:
        words += [*clause(p.relative, path + "relative."), ("的", path + "relative")]
    if p.owner:
        words += phrase(p.owner, path + "owner.")
        # One 的 is enough: 安娜善良的妈妈.
        if not (p.adjectives and p.adjectives[0].zh[-1] == "的"):
            words.append(("的", path + "owner." + ("noun" if isinstance(p.owner.noun, Pronoun) else "of")))
    elif DETERMINERS.get(p.determiner):
        words.append((DETERMINERS[p.determiner], path + "determiner"))
        if p.determiner not in UNMEASURED:
            counted = noun.unit and p.determiner not in ("this", "that", "another", "which")
            words.append((noun.measure, path + ("measure" if counted else "noun")))
    last = len(p.adjectives) - 1
    for i, adjective in enumerate(p.adjectives):
        bare = i == last and (len(adjective.zh) == 1 or adjective.zh[-1] == "色")
        text = adjective.zh if bare or adjective.zh[-1] == "的" else adjective.zh + "的"
        words.append((text, f"{path}adjective{i}"))
    words.append((noun.zh, path + "noun"))
    if p.other:
        words += [("和", path + "and"), *phrase(p.other, path + "other.")]
    return words

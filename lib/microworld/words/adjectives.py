"""Adjectives, each with the classes of nouns that it can modify."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Adjective:
    """An adjective, in Chinese before a noun (疲惫的, `zh`), after 很 (累, `predicate`) and after 比 (`compared`)."""

    en: str
    comparative: str
    zh: str
    predicate: str
    compared: str
    classes: frozenset[str]


def _adjectives(table: str) -> list[Adjective]:
    """Parse one adjective per line: English, comparative (`-`: none), Chinese before a noun, after 很, after 比, classes."""
    rows = [line.split() for line in table.strip().splitlines()]
    return [
        Adjective(en, more.replace("_", " "), *zh, frozenset(classes))
        for en, more, *zh_and_classes in rows
        for zh, classes in [(zh_and_classes[:3], zh_and_classes[3:])]
    ]


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
ADJECTIVE = {adjective.en: adjective for adjective in ADJECTIVES}
FEELINGS = [a for a in ADJECTIVES if a.en in "tired hungry happy sad angry nervous lonely proud".split()]
_SAME = ["big small", "tall short", "long", "heavy light", "cheap expensive", "dirty clean", "quiet noisy",
         "hot cold warm", "interesting boring difficult", "lazy busy", "friendly polite strict patient kind shy brave clever",
         "rich poor", "tired hungry happy sad angry nervous lonely proud", "young old new", "broken lost",
         "fresh sweet delicious", "red blue green yellow white black brown"]  # fmt: skip
# Nothing is both big and small: a noun phrase has at most one adjective of each dimension.
DIMENSION = {a: next((i for i, same in enumerate(_SAME) if a.en in same.split()), a.en) for a in ADJECTIVES}

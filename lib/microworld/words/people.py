"""The town's people by job, by family and in general, and the pronouns for them."""

from microworld.words.nouns import Noun, Pronoun, nouns

JOBS = nouns("""
doctor doctors 医生 位 healer
nurse nurses 护士 位 healer
dentist dentists 牙医 位 healer
teacher teachers 老师 位 scholar
professor professors 教授 位 scholar
librarian librarians 图书管理员 位 scholar
baker bakers 面包师 位 cooks
cook cooks 厨师 位 cooks
waiter waiters 服务员 位
farmer farmers 农民 位
gardener gardeners 园丁 位
fisherman fishermen 渔夫 位
carpenter carpenters 木匠 位 builder
engineer engineers 工程师 位 builder
plumber plumbers 水管工 位 builder
painter painters 画家 位 artist
musician musicians 音乐家 位 artist
singer singers 歌手 位 artist
writer writers 作家 位 artist
tailor tailors 裁缝 位
barber barbers 理发师 位
driver drivers 司机 位
pilot pilots 飞行员 名
sailor sailors 水手 名
soldier soldiers 士兵 名
postman postmen 邮递员 名
journalist journalists 记者 名
student students 学生 名 learner
lawyer lawyers 律师 位
judge judges 法官 位
mayor mayors 市长 位
shopkeeper shopkeepers 店主 位
""")

PEOPLE = nouns("""
man men 男人 个
woman women 女人 个
boy boys 男孩 个 learner
girl girls 女孩 个 learner
child children 孩子 个 learner
guest guests 客人 位
tourist tourists 游客 名
customer customers 顾客 名
patient patients 病人 个 ill
stranger strangers 陌生人 个
""")

KIN = nouns("""
brother brothers 哥哥 个
sister sisters 姐姐 个
mother mothers 妈妈 个
father fathers 爸爸 个
uncle uncles 叔叔 个
aunt aunts 阿姨 个
grandmother grandmothers 奶奶 个
grandfather grandfathers 爷爷 个
son sons 儿子 个 learner
daughter daughters 女儿 个 learner
friend friends 朋友 个
neighbour neighbours 邻居 个
""")
_FEMALE = {"woman", "girl", "sister", "mother", "aunt", "grandmother", "daughter"}
_MALE = {"man", "boy", "brother", "father", "uncle", "grandfather", "son", "fisherman", "postman"}
GENDER = {
    noun: "female" if noun.en in _FEMALE else "male"
    for noun in [*JOBS, *PEOPLE, *KIN] if noun.en in _FEMALE | _MALE
}  # fmt: skip

PRONOUNS = [
    Pronoun("I", "me", "my", "我", False),
    Pronoun("you", "you", "your", "你", False),
    Pronoun("he", "him", "his", "他", False),
    Pronoun("she", "her", "her", "她", False),
    Pronoun("we", "us", "our", "我们", True),
    Pronoun("they", "them", "their", "他们", True),
]
ME, YOU, HE, SHE, WE, THEY = PRONOUNS
ITSELF = Pronoun("it", "it", "its", "", False, frozenset())  # a thing of a story
# The "it" of the weather: Chinese says nothing before rain, and 天气 (weather) before a property. The "there" of "there is".
IT, WEATHER, THERE = (
    Pronoun(en, en, "", zh, False, frozenset()) for en, zh in [("it", ""), ("it", "天气"), ("there", "")]
)
WHO = Pronoun("who", "who", "", "谁", False)
WHAT = Pronoun("what", "what", "", "什么", False)


def pronoun_of(noun: Noun | Pronoun) -> Pronoun | None:
    """He or she for a noun, or a personal pronoun itself; None if the gender isn't known."""
    if isinstance(noun, Pronoun):
        return noun if noun in PRONOUNS else None
    if "female" in noun.classes or GENDER.get(noun) == "female":
        return SHE
    return HE if "male" in noun.classes or GENDER.get(noun) == "male" else None

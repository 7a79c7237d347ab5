"""The town's things, places, sports and school subjects, and the kinds (hypernyms) that things belong to."""

from microworld.words.names import pairs
from microworld.words.nouns import Noun, nouns

THINGS = nouns("""
umbrella umbrellas 雨伞 把 goods small tool coloured
key keys 钥匙 把 small metal
knife knives 刀 把 goods small metal tool
hammer hammers 锤子 把 goods tool metal
chair chairs 椅子 把 goods furniture coloured fixable seat
table tables 桌子 张 goods furniture fixable surface
bed beds 床 张 goods furniture fixable surface
map maps 地图 张 goods small paper
ticket tickets 票 张 small paper
photo photos 照片 张 small paper shown
painting paintings 画 幅 goods shown art
letter letters 信 封 text written small sent
book books 书 本 goods text written small
novel novels 小说 本 goods text written small
magazine magazines 杂志 本 goods text small
newspaper newspapers 报纸 份 goods text small
report reports 报告 份 text written sent
poem poems 诗 首 text written
song songs 歌 首 sung written
coat coats 大衣 件 goods garment coloured
shirt shirts 衬衫 件 goods garment coloured
sweater sweaters 毛衣 件 goods garment coloured
dress dresses 裙子 条 goods garment coloured
hat hats 帽子 顶 goods headgear small coloured
scarf scarves 围巾 条 goods headgear small coloured
watch watches 手表 块 goods headgear small fixable metal
ring rings 戒指 枚 goods headgear small metal
bicycle bicycles 自行车 辆 goods vehicle fixable coloured
car cars 汽车 辆 goods vehicle fixable coloured driven
truck trucks 卡车 辆 vehicle fixable coloured driven
bus buses 公共汽车 辆 ridden
train trains 火车 列 ridden
boat boats 船 条 goods vehicle fixable coloured
piano pianos 钢琴 架 keys_played goods fixable
guitar guitars 吉他 把 keys_played goods fixable
violin violins 小提琴 把 bowed goods fixable
flute flutes 长笛 支 blown goods
computer computers 电脑 台 goods machine fixable
radio radios 收音机 台 goods machine fixable
camera cameras 照相机 台 goods machine fixable small
phone phones 手机 部 goods machine fixable small
clock clocks 钟 座 goods fixable
lamp lamps 灯 盏 goods fixable
cup cups 杯子 个 goods breakable washed coloured
plate plates 盘子 个 goods breakable washed coloured
vase vases 花瓶 个 goods breakable coloured
mirror mirrors 镜子 面 goods breakable
window windows 窗户 扇 breakable opened washed
door doors 门 扇 opened fixable
box boxes 盒子 个 goods opened container coloured
bag bags 包 个 goods opened container coloured
basket baskets 篮子 个 goods container
drawer drawers 抽屉 个 opened container
shelf shelves 架子 个 goods furniture surface fixable
pen pens 钢笔 支 goods small coloured
pencil pencils 铅笔 支 goods small coloured
candle candles 蜡烛 支 goods small coloured
stamp stamps 邮票 枚 goods small paper
coin coins 硬币 枚 small metal
toy toys 玩具 个 goods small fixable coloured
ball balls 球 个 goods small coloured
carpet carpets 地毯 块 goods coloured washed
flower flowers 花 朵 goods plant coloured
rose roses 玫瑰 朵 goods plant coloured
tree trees 树 棵 plant
apple apples 苹果 个 food
pear pears 梨 个 food
orange oranges 橙子 个 food
potato potatoes 土豆 个 food cooked
egg eggs 鸡蛋 个 food cooked
cake cakes 蛋糕 个 food baked
fish fish 鱼 条 food cooked
sandwich sandwiches 三明治 个 food
pie pies 馅饼 个 food baked
bread piece:pieces 面包 块 food
cheese piece:pieces 奶酪 块 food
tea cup:cups 茶 杯 drink
coffee cup:cups 咖啡 杯 drink
water glass:glasses 水 杯 drink
milk glass:glasses 牛奶 杯 drink
soup bowl:bowls 汤 碗 drink cooked
rice bowl:bowls 米饭 碗 food cooked
wine bottle:bottles 葡萄酒 瓶 drink
juice bottle:bottles 果汁 瓶 drink
medicine bottle:bottles 药 瓶 medicine
house houses 房子 栋 building owned coloured
bridge bridges 桥 座 building
tower towers 塔 座 building
wall walls 墙 面 building
film films 电影 部 watched
match matches 比赛 场 watched
dog dogs 狗 条 animal pet
cat cats 猫 只 animal pet
horse horses 马 匹 animal
cow cows 牛 头 animal
pig pigs 猪 头 animal
goat goats 山羊 只 animal
bird birds 鸟 只 animal pet
rabbit rabbits 兔子 只 animal pet
duck ducks 鸭子 只 animal
""")

# Where things happen; the class is the English preposition, and Chinese adds a word for in (里) or on (上) after the noun.
PLACES = nouns("""
garden gardens 花园 个 in
park parks 公园 个 in
kitchen kitchens 厨房 个 in room
bedroom bedrooms 卧室 个 in room
office offices 办公室 个 in room
classroom classrooms 教室 个 in room
library libraries 图书馆 座 in sight
museum museums 博物馆 座 in sight
theatre theatres 剧院 座 in sight
church churches 教堂 座 in sight
castle castles 城堡 座 in sight
hospital hospitals 医院 家 in
bakery bakeries 面包店 家 in
shop shops 商店 家 in
restaurant restaurants 餐馆 家 in
hotel hotels 旅馆 家 in
bank banks 银行 家 in
school schools 学校 所 at
market markets 市场 个 at
station stations 车站 个 at
harbour harbours 港口 个 at
airport airports 机场 个 at
square squares 广场 个 on
hill hills 山 座 on
beach beaches 海滩 个 on
island islands 岛 座 on
""")

# What is learned or played has no article: "football", "French".
SPORTS = [
    Noun(en, en, zh, "个", frozenset({sport, "bare"}))
    for en, zh, sport in [
        ("football", "足球", "kicked"), ("tennis", "网球", "hit"), ("basketball", "篮球", "hit"), ("chess", "象棋", "set"),
    ]
]  # fmt: skip
SUBJECTS = [
    Noun(en, en, zh, "门", frozenset({"subject", "bare"}))
    for en, zh in pairs("French 法语 English 英语 music 音乐 history 历史 mathematics 数学 chemistry 化学")
]

# Hypernyms: whoever buys an apple buys a piece of fruit, and not the other way round.
_KINDS = {
    "vehicle vehicles": "bicycle car truck boat", "instrument instruments": "piano guitar violin flute",
    "animal animals": "dog cat horse cow pig goat bird rabbit duck", "machine machines": "computer radio camera phone",
    "tool tools": "knife hammer", "garment garments": "coat shirt sweater dress scarf", "plant plants": "flower rose tree",
    "container containers": "box bag basket drawer", "building buildings": "house bridge tower",
}  # fmt: skip
_THING = {noun.en: noun for noun in THINGS}
KIND_OF: dict[Noun, Noun] = {}
MEMBERS: dict[Noun, list[Noun]] = {}
for _forms, _members in _KINDS.items():
    _kind = Noun(*_forms.split(), "", "", frozenset({"countable"}))
    MEMBERS[_kind] = [_THING[name] for name in _members.split()]
    KIND_OF |= dict.fromkeys(MEMBERS[_kind], _kind)

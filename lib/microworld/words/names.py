"""Names of people and places with their usual Chinese forms, which a model has to learn one by one."""

from microworld.words.nouns import Noun

_WOMEN = """
Anna 安娜 Maria 玛丽亚 Emma 埃玛 Emily 埃米莉 Alice 爱丽丝 Lucy 露西 Lily 莉莉 Mary 玛丽 Sarah 萨拉 Helen 海伦 Jane 简 Laura 劳拉
Julia 朱莉娅 Linda 琳达 Nancy 南希 Susan 苏珊 Kate 凯特 Betty 贝蒂 Amy 埃米 Grace 格蕾丝 Diana 戴安娜 Eva 伊娃 Sophie 索菲
Olivia 奥利维娅 Charlotte 夏洛特 Isabel 伊莎贝尔 Victoria 维多利亚 Elizabeth 伊丽莎白 Margaret 玛格丽特 Catherine 凯瑟琳
Caroline 卡罗琳 Christina 克里斯蒂娜 Clara 克拉拉 Dorothy 多萝西 Ellen 埃伦 Hannah 汉娜 Irene 艾琳 Jessica 杰西卡 Jennifer 珍妮弗
Joan 琼 Karen 卡伦 Lisa 莉萨 Louise 路易丝 Martha 玛莎 Monica 莫妮卡 Nora 诺拉 Pamela 帕梅拉 Patricia 帕特里夏 Rachel 蕾切尔
Rebecca 丽贝卡 Ruth 鲁思 Sandra 桑德拉 Sharon 沙伦 Sylvia 西尔维娅 Teresa 特蕾莎 Tina 蒂娜 Ursula 厄休拉 Vera 薇拉 Wendy 温迪
Zoe 佐薇 Barbara 芭芭拉 Carol 卡萝尔 Cecilia 塞西莉亚 Claire 克莱尔 Daisy 黛西 Deborah 德博拉 Edith 伊迪丝 Eleanor 埃莉诺
Fiona 菲奥娜 Gloria 格洛丽亚 Heidi 海蒂 Ingrid 英格丽德 Ivy 艾薇 Janet 珍妮特 Judith 朱迪思 Katrina 卡特里娜 Lena 莉娜
Lydia 莉迪娅 Mabel 梅布尔 Marianne 玛丽安娜 Mia 米娅 Molly 莫莉 Natalie 娜塔莉 Nina 尼娜 Norma 诺尔玛 Paula 葆拉
Penelope 佩内洛普 Ella 埃拉 Sabrina 萨布丽娜 Selina 塞利娜 Sonia 索尼娅 Stella 斯特拉 Tracy 特蕾西 Valerie 瓦莱丽
Vivian 薇薇安 Amanda 阿曼达 Angela 安杰拉 Bridget 布里奇特 Flora 弗洛拉 Gwen 格温
"""

_MEN = """
Ben 本 Peter 彼得 Tom 汤姆 John 约翰 David 大卫 Jack 杰克 Paul 保罗 Mark 马克 Adam 亚当 Alan 艾伦 Albert 阿尔伯特 Alex 亚历克斯
Andrew 安德鲁 Anthony 安东尼 Arthur 阿瑟 Barry 巴里 Bill 比尔 Bob 鲍勃 Brian 布赖恩 Bruce 布鲁斯 Carl 卡尔 Charles 查尔斯
Chris 克里斯 Daniel 丹尼尔 Dennis 丹尼斯 Donald 唐纳德 Douglas 道格拉斯 Edward 爱德华 Eric 埃里克 Felix 费利克斯 Frank 弗兰克
Fred 弗雷德 Gary 加里 George 乔治 Gerald 杰拉尔德 Gilbert 吉尔伯特 Gordon 戈登 Gregory 格雷戈里 Harry 哈里 Harold 哈罗德
Henry 亨利 Howard 霍华德 Hugo 雨果 Ian 伊恩 Isaac 艾萨克 Jacob 雅各布 James 詹姆斯 Jason 贾森 Jeff 杰夫 Jeremy 杰里米 Jim 吉姆
Joe 乔 Joseph 约瑟夫 Joshua 乔舒亚 Julian 朱利安 Justin 贾斯廷 Keith 基思 Ken 肯 Kevin 凯文 Larry 拉里 Leo 利奥 Leonard 伦纳德
Lewis 刘易斯 Louis 路易斯 Lucas 卢卡斯 Luke 卢克 Martin 马丁 Matthew 马修 Max 马克斯 Michael 迈克尔 Mike 迈克 Nathan 内森
Neil 尼尔 Nick 尼克 Noah 诺亚 Oliver 奥利弗 Oscar 奥斯卡 Otto 奥托 Patrick 帕特里克 Philip 菲利普 Ralph 拉尔夫 Ray 雷
Richard 理查德 Robert 罗伯特 Robin 罗宾 Roger 罗杰 Ronald 罗纳德 Roy 罗伊 Rudolf 鲁道夫 Samuel 塞缪尔 Scott 斯科特 Sean 肖恩
Simon 西蒙 Stanley 斯坦利 Stephen 斯蒂芬 Steve 史蒂夫 Thomas 托马斯 Tim 蒂姆 Tony 托尼 Victor 维克托 Vincent 文森特
Walter 沃尔特 William 威廉
"""

_TOWNS = """
London 伦敦 Paris 巴黎 Rome 罗马 Berlin 柏林 Vienna 维也纳 Madrid 马德里 Lisbon 里斯本 Dublin 都柏林 Oxford 牛津 Cambridge 剑桥
Boston 波士顿 Chicago 芝加哥 Geneva 日内瓦 Zurich 苏黎世 Venice 威尼斯 Milan 米兰 Naples 那不勒斯 Athens 雅典 Prague 布拉格
Warsaw 华沙 Budapest 布达佩斯 Moscow 莫斯科 Oslo 奥斯陆 Stockholm 斯德哥尔摩 Helsinki 赫尔辛基 Copenhagen 哥本哈根
Amsterdam 阿姆斯特丹 Brussels 布鲁塞尔 Hamburg 汉堡 Munich 慕尼黑 Cologne 科隆 Lyon 里昂 Bordeaux 波尔多 Barcelona 巴塞罗那
Seville 塞维利亚 Porto 波尔图 Edinburgh 爱丁堡 Glasgow 格拉斯哥 Manchester 曼彻斯特 Liverpool 利物浦 Bristol 布里斯托尔
York 约克 Toronto 多伦多 Sydney 悉尼 Melbourne 墨尔本 Cairo 开罗 Delhi 德里 Tokyo 东京 Kyoto 京都 Beijing 北京 Shanghai 上海
Seoul 首尔 Bangkok 曼谷
"""

_STREETS = """
Oak 橡树 Maple 枫树 Mill 磨坊 Church 教堂 Garden 花园 Market 市场 Station 车站 King 国王 Queen 王后 Castle 城堡 Park 公园 Hill 山丘
"""

_RIVERS = """
Thames 泰晤士河 Rhine 莱茵河 Danube 多瑙河 Seine 塞纳河 Nile 尼罗河 Volga 伏尔加河 Elbe 易北河 Loire 卢瓦尔河
"""


def pairs(table: str) -> list[tuple[str, str]]:
    """The (English, Chinese) pairs of a table of alternating words."""
    words = table.split()
    return list(zip(words[::2], words[1::2], strict=True))


NAMES = [
    Noun(en, en, zh, "个", frozenset({"name", gender}))
    for gender, table in (("female", _WOMEN), ("male", _MEN))
    for en, zh in pairs(table)
]
TOWNS = [Noun(en, en, zh, "座", frozenset({"town", "in"})) for en, zh in pairs(_TOWNS)]
STREETS = [
    Noun(f"{en} Street", f"{en} Streets", f"{zh}街", "条", frozenset({"street", "on"})) for en, zh in pairs(_STREETS)
]
RIVERS = [Noun(en, en, zh, "条", frozenset({"river", "in"})) for en, zh in pairs(_RIVERS)]
ORGS = [  # only stories have them, so they have no Chinese
    Noun(f"{town.en} {kind}", "", "", "", frozenset({"org", "at"}))
    for town in TOWNS for kind in ("Hospital", "School", "Bank")
]  # fmt: skip

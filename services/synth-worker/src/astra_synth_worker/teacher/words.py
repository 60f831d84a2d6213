"""Names that the worlds are peopled with: short, common, and the same few hundred in every arena.

A small model meets each of them often enough to spell it; what a name stands for changes with every seed.
"""

from collections.abc import Mapping

_EN = {
    "people": """
        Ada Alma Amos Anna Basil Bella Boris Carla Cora Cyrus Dara Diego Edna Elias Emil Erik Esme Farid Fiona
        Gemma Gina Hana Hugo Ines Ivan Ivo Jana Jonas Juno Kara Karl Lara Lena Leo Lola Luca Mara Marco Mila Nadia
        Nico Nora Olga Omar Oskar Otto Petra Pia Rafa Rita Rosa Sami Selma Silas Tara Theo Tilda Vera Viktor Wanda
        Yara Yusuf Zara Zeno
    """,
    "surnames": """
        Abbott Barker Bishop Carver Cooper Dalton Draper Ellis Farrow Fisher Foster Fowler Garner Gibbs Harper
        Hayes Hooper Jarvis Keller Lambert Lowell Marsh Mason Mercer Morse Nash Norris Palmer Parker Pierce Porter
        Quinn Rhodes Sawyer Sutton Tanner Thorpe Turner Tyler Vance Wallis Weaver
    """,
    "drugs": """
        Abrel Balmor Calvex Cortin Dalex Dorvan Elimar Fenrol Galven Helmox Ibrex Jantol Kelmar Lorvex Maltin
        Nervol Optrel Panvex Quinol Relmor Salvex Tamrol Ultrin Valmex Welnor Xantol Yelvin Zolmar
    """,
    "places": """
        Alder Amber Arbor Aspen Bayview Beacon Birch Bridge Canyon Cedar Chapel Clover Coral Corner Crown Delta
        Dover Eagle Elm Falcon Fern Forest Garden Granite Harbor Hazel Heron Hill Ivory Jasper Juniper Lagoon Lake
        Laurel Linden Maple Marble Meadow Mill Mirror Oak Olive Orchard Palm Pearl Pine Prairie Quarry Raven River
        Rowan Sable Spring Summit Sunset Temple Thistle Valley Violet Walnut Willow Winter
    """,
    "firms": """
        Acorn Apex Argo Arrow Atlas Aurora Bolt Brio Cargo Cobalt Comet Condor Delphi Echo Ember Fjord Flint Forge
        Fusion Gallop Globe Halo Helix Icon Indigo Kestrel Krona Lumen Lynx Matrix Meteor Nimbus Nova Onyx Orbit
        Orion Pilot Pixel Polaris Prism Quartz Ranger Rocket Saturn Sierra Sonic Tempo Titan Topaz Turbo Vector
        Vega Vertex Zenith
    """,
    "adjectives": """
        Silent Golden Hidden Broken Crimson Distant Empty Frozen Gentle Hollow Lonely Lost Narrow Quiet Rapid
        Secret Silver Sleeping Velvet Wild
    """,
    "nouns": """
        Anchor Candle Castle Compass Desert Dream Engine Feather Fountain Island Lantern Letter Mountain Ocean
        Piano Portrait Shadow Signal Tower Voyage
    """,
    "goods": """
        Blanket Blender Bottle Camera Chair Clock Cooker Curtain Drill Fan Fridge Guitar Hammer Heater Helmet
        Jacket Kettle Keyboard Ladder Lamp Laptop Mattress Microphone Mirror Monitor Mower Oven Pan Pillow Printer
        Projector Radio Razor Router Rug Saddle Scale Scanner Scooter Shelf Skates Sofa Speaker Stove Suitcase
        Table Tent Toaster Tripod Vacuum
    """,
    "days": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "months": "January February March April May June July August September October November December",
    "towns": """
        Aldbury Ashcombe Brackwell Brinmouth Calderford Carrowby Daleham Dunmere Eastwick Elverton Farleigh
        Fenwick Glenmoor Granby Harwell Hexford Inverley Kelstow Kirkdale Langport Marlowe Melbrook Netherby
        Northam Oakhurst Pembury Redmire Rothwell Saltash Selwick Stanmoor Thornley Tidewell Ullswick Wexcombe
        Whitby Yarrowdale
    """,
    "animals": """
        Badgers Bears Bisons Cobras Cougars Dragons Eagles Falcons Foxes Hawks Hornets Jaguars Lions Otters
        Panthers Ravens Rhinos Sharks Stags Tigers Wolves
    """,
    "dishes": """
        Barleybake Bluepot Chestnutcake Cloudsoup Copperstew Dovepie Embernoodles Farmhash Fieldroast Foxbread
        Gingerbowl Goldcurry Greenrisotto Harvestpie Hilltart Ivorypudding Lakestew Meadowsalad Millpancake
        Moonpasta Nutcrumble Oceanbroth Plainsoup Redgoulash Riverfry Saltbake Smokeplate Springwrap Starpizza
        Stonegrill Sundumplings Winterpot
    """,
    "ingredients": """
        almonds anchovies apricots artichokes aubergines barley basil beetroot buckwheat capers cardamom celeriac
        chickpeas chives cinnamon cranberries cumin dill fennel figs ginger hazelnuts kale leeks lentils lime
        mustard nutmeg oregano paprika parsley pears pistachios plums polenta quinoa radishes rhubarb rosemary
        saffron sesame shallots spinach tarragon thyme turmeric turnips walnuts
    """,
}

_ZH = {
    "people": """
        张伟 王芳 李娜 刘洋 陈静 杨帆 赵敏 黄磊 周涛 吴琳 徐强 孙悦 胡军 朱丽 高峰 林雪 何亮 郭婷
        马超 罗兰 梁宇 宋佳 郑凯 谢雨 韩冰 唐欣 冯刚 于洁 董浩 萧然
    """,
    "places": """
        东湖 西山 南苑 北岭 青山 白云 红桥 金沙 银河 玉泉 长桥 龙江 凤凰 松林 竹园 梅花 桃源 柳岸
        荷塘 枫叶 海滨 江畔 石门 星光 月亮 天河 云顶 雪峰 春晓 秋水
    """,
    "adjectives": "沉默的 金色的 隐秘的 破碎的 遥远的 冰封的 温柔的 孤独的 迷失的 安静的 古老的 蓝色的",
    "nouns": "船锚 蜡烛 城堡 罗盘 沙漠 引擎 羽毛 喷泉 岛屿 灯笼 书信 高塔",
    "surnames": """
        欧阳 上官 司马 诸葛 东方 西门 南宫 慕容 令狐 皇甫 尉迟 公孙 轩辕 长孙 宇文 司徒 夏侯 端木 独孤 百里
    """,
    "drugs": """
        康络平 益心宁 舒脑通 清肺灵 护肝素 健胃安 降压欣 祛风定 润喉爽 止痛净 活血康 补钙佳 明目宝 通窍丸 养神露 消炎达
        退热捷 固本膏 抗敏散 安眠泰
    """,
    "goods": """
        毛毯 水壶 相机 座椅 时钟 窗帘 电钻 风扇 冰箱 吉他 锤子 头盔 夹克 键盘 梯子 台灯 床垫 话筒 镜子 烤箱 枕头 打印机
        收音机 剃须刀 地毯 马鞍 路由器 沙发 音箱 帐篷 行李箱 吸尘器
    """,
    "days": "周一 周二 周三 周四 周五 周六 周日",
    "months": "一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月",
    "towns": """
        安平 宝山 常宁 澄江 德清 丰城 抚远 高邮 广昌 海宁 和田 怀远 嘉善 建德 金坛 静海 昆阳 兰溪 临海 龙门
        南浔 宁海 平湖 清河 如东 瑞安 绍兴 泰和 同安 武康 溪口 仙居 新安 永嘉 玉环 云和
    """,
    "firms": """
        宏达 瑞丰 天成 华信 鼎盛 恒通 金桥 联创 明远 博雅 正阳 中兴 嘉禾 东升 万利 凯旋 安泰 远航 星辰 蓝海
        晨光 光华 新纪元 同心 百川 德润
    """,
    "animals": "雄鹰 猛虎 飞龙 黑豹 白狼 金狮 海豚 骏马 火狐 棕熊 猎隼 犀牛",
    "dishes": """
        翡翠汤 金丝卷 云片糕 荷香鸡 松鼠鱼 梅子排骨 桂花藕 八宝饭 三鲜面 竹筒饭 琥珀桃仁 芙蓉虾 白玉羹 红烧狮子头
        陈皮鸭 葱油饼 水晶肘 蜜汁藕 酸汤鱼 香酥鸡 麻婆豆腐 四喜丸子 清蒸鲈鱼 干煸豆角
    """,
    "ingredients": """
        花生 香菇 木耳 莲子 红枣 枸杞 生姜 大蒜 八角 桂皮 芝麻 核桃 山药 百合 冬笋 豆豉 陈醋 蜂蜜 糯米 小米 绿豆
        黄豆 芹菜 菠菜 茄子 南瓜 银耳 虾仁
    """,
}


def _read(source: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {category: tuple(text.split()) for category, text in source.items()}


VOCABULARY: Mapping[str, Mapping[str, tuple[str, ...]]] = {"en": _read(_EN), "zh": _read(_ZH)}
"""Language to category to words."""


_COMPOUNDS = {"titles": ("adjectives", "nouns"), "teams": ("places", "animals")}
"""Categories whose names are every word of one with every word of another."""

CATEGORIES: Mapping[str, frozenset[str]] = {
    language: frozenset(words) | {name for name, parts in _COMPOUNDS.items() if set(parts) <= set(words)}
    for language, words in VOCABULARY.items()
}
"""Language to the categories that :func:`names` knows."""


def names(language: str, category: str) -> tuple[str, ...]:
    """All names of a category."""
    words = VOCABULARY[language]
    if category not in _COMPOUNDS:
        return words[category]
    first, second = _COMPOUNDS[category]
    space = " " if language == "en" else ""
    return tuple(f"{one}{space}{other}" for one in words[first] for other in words[second])

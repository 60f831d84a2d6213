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
    "days": "周一 周二 周三 周四 周五 周六 周日",
}


def _read(source: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {category: tuple(text.split()) for category, text in source.items()}


VOCABULARY: Mapping[str, Mapping[str, tuple[str, ...]]] = {"en": _read(_EN), "zh": _read(_ZH)}
"""Language to category to words."""


def names(language: str, category: str) -> tuple[str, ...]:
    """All names of a category; ``titles`` are every adjective with every noun."""
    words = VOCABULARY[language]
    if category != "titles":
        return words[category]
    space = " " if language == "en" else ""
    return tuple(f"{adjective}{space}{noun}" for adjective in words["adjectives"] for noun in words["nouns"])

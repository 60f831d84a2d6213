"""A hotel: stays are booked, changed, cancelled and brought back."""

import random

from astra_synth_worker.teacher.stateful.tools import travel as tools
from astra_synth_worker.teacher.stateful.world import Move, NoStory, Scene, State, StatefulWorld, Story, Storyline, Tool
from astra_synth_worker.teacher.words import names

_GUEST = {"type": "string", "description": "Name of the guest."}
_ROOM = {"type": "string", "description": "Number of the room."}
_NIGHTS = {"type": "integer", "minimum": 1}
_LENGTHS = range(11, 29)
"""Nights of a stay. No two stays have the same: how long one is is not learnt from another."""
_BOARDS = ("none", "breakfast", "half board", "full board")
_TOTAL = {"en": "what the stay of {guest} then costs in all", "zh": "{guest}的住宿此后的总价"}

_TOOLS = {
    "find_free_room": Tool(
        tools.find_free_room,
        {
            "en": "Find the cheapest free room of the hotel with so many beds.",
            "zh": "查找酒店中有指定床数的最便宜空房。",
        },
        {"beds": {"type": "integer", "minimum": 1}},
        (tools.free_rooms,),
        "price",
        {"en": "what a night in that room costs", "zh": "该房间一晚的价格"},
    ),
    "get_stay": Tool(
        tools.get_stay,
        {"en": "Look up the confirmed stay of a guest.", "zh": "查询客人已确认的住宿。"},
        {"guest": _GUEST},
        (tools.stay_of, tools.total_of),
        "total",
        {"en": "what the stay of {guest} costs in all", "zh": "{guest}的住宿总价"},
    ),
    "book_room": Tool(
        tools.book_room,
        {"en": "Book a free room for a guest who has no stay yet.", "zh": "为尚无住宿的客人预订空房。"},
        {"guest": _GUEST, "room": _ROOM, "nights": _NIGHTS},
        (tools.free_rooms, tools.total_of),
        "total",
        _TOTAL,
    ),
    "set_board": Tool(
        tools.set_board,
        {"en": "Choose the board of a confirmed stay.", "zh": "选择已确认住宿的餐食。"},
        {"guest": _GUEST, "board": {"type": "string", "enum": list(_BOARDS)}},
        (tools.stay_of, tools.total_of),
        "total",
        _TOTAL,
    ),
    "change_nights": Tool(
        tools.change_nights,
        {"en": "Make a confirmed stay longer or shorter.", "zh": "延长或缩短已确认的住宿。"},
        {"guest": _GUEST, "nights": _NIGHTS},
        (tools.stay_of, tools.total_of),
        "total",
        _TOTAL,
    ),
    "move_guest": Tool(
        tools.move_guest,
        {
            "en": "Give a guest with a confirmed stay another room, which must be free.",
            "zh": "为已确认住宿的客人更换空房。",
        },
        {"guest": _GUEST, "room": _ROOM},
        (tools.stay_of, tools.free_rooms, tools.total_of),
        "total",
        _TOTAL,
    ),
    "cancel_stay": Tool(
        tools.cancel_stay,
        {"en": "Cancel a confirmed stay; its room is free again.", "zh": "取消已确认的住宿，房间重新空出。"},
        {"guest": _GUEST},
        (tools.stay_of, tools.total_of),
        "refund",
        {"en": "what {guest} gets back", "zh": "{guest}得到的退款"},
    ),
    "reinstate_stay": Tool(
        tools.reinstate_stay,
        {"en": "Bring a cancelled stay back, if its room is free.", "zh": "若房间空闲，恢复已取消的住宿。"},
        {"guest": _GUEST},
        (tools.stay_of, tools.free_rooms, tools.total_of),
        "total",
        _TOTAL,
    ),
}


def _draw_state(rng: random.Random, language: str) -> tuple[State, list[str]]:
    people = [*names(language, "people")]
    if language == "en":
        people = [
            f"{one} {other}"
            for one, other in zip(people, rng.sample(names("en", "surnames") * 2, len(people)), strict=True)
        ]
    guests = rng.sample(people, 12)
    numbers = rng.sample([f"{floor}{n:02}" for floor in "ABCDEFGH" for n in range(11, 40)], 18)
    prices = rng.sample(range(61, 197), 18)
    rooms = {n: {"beds": 1 + i % 3, "price": price} for i, (n, price) in enumerate(zip(numbers, prices, strict=True))}
    stays = {}
    drawn = zip(guests[:10], rng.sample(numbers, 10), rng.sample(_LENGTHS, 10), strict=True)
    for i, (guest, room, nights) in enumerate(drawn):
        booked = {"room": room, "nights": nights}
        status = "confirmed" if i < 7 else "cancelled"
        stays[guest] = {**booked, "board": rng.choice(_BOARDS), "status": status, "booked": booked}
    boards = dict(zip(_BOARDS, (0, *sorted(rng.sample(range(9, 58), 3))), strict=True))
    return {"rooms": rooms, "boards": boards, "stays": stays, "fee": rng.randint(21, 59)}, guests[10:]


def _guests(scene: Scene, status: str) -> list[str]:
    return [guest for guest, stay in scene.state["stays"].items() if stay["status"] == status]


def _new_length(scene: Scene) -> int:
    taken = {stay["nights"] for stay in scene.state["stays"].values()}
    return scene.rng.choice([nights for nights in _LENGTHS if nights not in taken])


def _arrival(scene: Scene) -> Story:
    """Look up a stay, cancel it, find a room, book it, choose the board, change the nights."""
    state, told, rng = scene.state, scene.stretch, scene.rng
    leaving = scene.someone(_guests(scene, "confirmed"))
    stay = state["stays"][leaving]
    nights = _new_length(scene)
    how: str | None = None
    if 0 in told:
        found = yield Move(
            "get_stay",
            {"guest": leaving},
            {"en": f"Look up for how many nights {leaving} stays.", "zh": f"查询{leaving}住几晚。"},
            gives="nights",
        )
        nights, how = found["nights"], leaving
    if 1 in told:
        yield Move(
            "cancel_stay",
            {"guest": leaving},
            {"en": f"Cancel the stay of {leaving}.", "zh": f"取消{leaving}的住宿。"},
            path=("stays", leaving, "status"),
        )
    beds = state["rooms"][stay["room"]]["beds"]
    room: str | None = None
    if 2 in told:
        words = {
            "en": f"Find the cheapest free room with {beds} bed{'s' * (beds > 1)}.",
            "zh": f"查找有{beds}张床的最便宜空房。",
        }
        room = (yield Move("find_free_room", {"beds": beds}, words, gives="room"))["room"]
    guest = scene.someone(scene.newcomers) if 3 in told else scene.someone(_guests(scene, "confirmed"))
    if 3 in told:
        which = {"en": "that room", "zh": "该房间"} if room else {}
        room = room or rng.choice(tools.free_rooms(state))
        long = {"en": f"for as many nights as {how} had", "zh": f"住的晚数与{how}原来的相同"} if how else {}
        yield Move(
            "book_room",
            {"guest": guest, "room": room, "nights": nights},
            {
                "en": f"Book {which.get('en', f'room {room}')} for {guest}, {long.get('en', f'for {nights} nights')}.",
                "zh": f"为{guest}预订{which.get('zh', f'房间{room}')}，{long.get('zh', f'住{nights}晚')}。",
            },
            # Where the stay is changed afterwards, what was booked lasts: the room and the nights, not the room alone.
            path=("stays", guest) if told.end == 4 else ("stays", guest, "booked"),
        )
    if 4 in told:
        yield _board(scene, guest)
    if 5 in told:
        yield _nights(scene, guest)


def _return(scene: Scene) -> Story:
    """Bring a cancelled stay back, choose its board, change its nights, find another room, move there."""
    state, told = scene.state, scene.stretch
    guest = scene.someone(_guests(scene, "cancelled" if 0 in told else "confirmed"))
    if 0 in told:
        yield Move(
            "reinstate_stay",
            {"guest": guest},
            {"en": f"Bring the cancelled stay of {guest} back.", "zh": f"恢复{guest}已取消的住宿。"},
            path=("stays", guest, "status"),
        )
    if 1 in told:
        yield _board(scene, guest)
    if 2 in told:
        yield _nights(scene, guest)
    if 3 not in told and 4 not in told:
        return
    beds = scene.rng.randint(1, 3)
    free = [room for room in tools.free_rooms(state) if state["rooms"][room]["beds"] == beds]
    if not free:
        raise NoStory
    room = scene.rng.choice(free)
    which: dict[str, str] = {}
    if 3 in told:
        words = {
            "en": f"Find the cheapest free room with {beds} bed{'s' * (beds > 1)}.",
            "zh": f"查找有{beds}张床的最便宜空房。",
        }
        room = (yield Move("find_free_room", {"beds": beds}, words, gives="room"))["room"]
        which = {"en": "that room", "zh": "该房间"}
    if 4 in told:
        yield Move(
            "move_guest",
            {"guest": guest, "room": room},
            {
                "en": f"Move {guest} to {which.get('en', f'room {room}')}.",
                "zh": f"让{guest}换到{which.get('zh', f'房间{room}')}。",
            },
            path=("stays", guest, "room"),
        )


def _board(scene: Scene, guest: str) -> Move:
    board = scene.rng.choice([b for b in _BOARDS if b not in ("none", scene.state["stays"][guest]["board"])])
    words = {"en": f"Set the board of {guest} to {board}.", "zh": f"把{guest}的餐食改为{board}。"}
    return Move("set_board", {"guest": guest, "board": board}, words, path=("stays", guest, "board"))


def _nights(scene: Scene, guest: str) -> Move:
    nights = _new_length(scene)
    words = {"en": f"Change the stay of {guest} to {nights} nights.", "zh": f"把{guest}的住宿改为{nights}晚。"}
    return Move("change_nights", {"guest": guest, "nights": nights}, words, path=("stays", guest, "nights"))


TRAVEL = StatefulWorld(
    name="travel",
    openings={"en": "You work at the front desk of a hotel.", "zh": "你在一家酒店的前台工作。"},
    draw_state=_draw_state,
    tools=_TOOLS,
    storylines=(Storyline(_arrival, 6), Storyline(_return, 5)),
    neighbour="weather",
)

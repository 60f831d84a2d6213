"""Tools of a hotel. Its state has rooms, boards by price a night, stays by guest, and the fee of a cancellation.

A stay keeps what was booked at first, whatever is changed later.
"""

from typing import Any

State = dict[str, Any]


def stay_of(state: State, guest: str, status: str) -> Any:
    """The stay of a guest, if it is so."""
    stay = state["stays"].get(guest)
    if stay is None or stay["status"] != status:
        raise ValueError(f"no stay of that guest is {status}")
    return stay


def free_rooms(state: State) -> list[str]:
    """Rooms that no confirmed stay is in."""
    taken = [stay["room"] for stay in state["stays"].values() if stay["status"] == "confirmed"]
    return [room for room in state["rooms"] if room not in taken]


def total_of(state: State, stay: State) -> int:
    """What a stay costs."""
    a_night: int = state["rooms"][stay["room"]]["price"] + state["boards"][stay["board"]]
    return int(stay["nights"]) * a_night


def find_free_room(state: State, beds: int) -> Any:
    """Find the cheapest free room."""
    fitting = [room for room in free_rooms(state) if state["rooms"][room]["beds"] == beds]
    if not fitting:
        raise ValueError("no free room has so many beds")
    room = min(fitting, key=lambda each: int(state["rooms"][each]["price"]))
    return {"room": room, "price": state["rooms"][room]["price"]}


def get_stay(state: State, guest: str) -> Any:
    """Look up a stay."""
    stay = stay_of(state, guest, "confirmed")
    return {"room": stay["room"], "nights": stay["nights"], "total": total_of(state, stay)}


def book_room(state: State, guest: str, room: str, nights: int) -> Any:
    """Book a room."""
    if room not in free_rooms(state):
        raise ValueError("there is no free room of that number")
    if guest in state["stays"]:
        raise ValueError("that guest has a stay already")
    if nights < 1:
        raise ValueError("nights must be 1 or more")
    booked = {"room": room, "nights": nights}
    stay = {**booked, "board": "none", "status": "confirmed", "booked": booked}
    state["stays"][guest] = stay
    return {"guest": guest, "total": total_of(state, stay)}


def set_board(state: State, guest: str, board: str) -> Any:
    """Choose the board."""
    stay = stay_of(state, guest, "confirmed")
    stay["board"] = board
    return {"guest": guest, "total": total_of(state, stay)}


def change_nights(state: State, guest: str, nights: int) -> Any:
    """Make a stay longer or shorter."""
    if nights < 1:
        raise ValueError("nights must be 1 or more")
    stay = stay_of(state, guest, "confirmed")
    stay["nights"] = nights
    return {"guest": guest, "total": total_of(state, stay)}


def move_guest(state: State, guest: str, room: str) -> Any:
    """Give a guest another room."""
    if room not in free_rooms(state):
        raise ValueError("there is no free room of that number")
    stay = stay_of(state, guest, "confirmed")
    stay["room"] = room
    return {"guest": guest, "total": total_of(state, stay)}


def cancel_stay(state: State, guest: str) -> Any:
    """Cancel a stay."""
    stay = stay_of(state, guest, "confirmed")
    stay["status"] = "cancelled"
    return {"guest": guest, "refund": total_of(state, stay) - state["fee"]}


def reinstate_stay(state: State, guest: str) -> Any:
    """Bring a cancelled stay back."""
    stay = stay_of(state, guest, "cancelled")
    if stay["room"] not in free_rooms(state):
        raise ValueError("its room is taken by now")
    stay["status"] = "confirmed"
    return {"guest": guest, "total": total_of(state, stay)}

"""Lists too long for one reply."""

from typing import Generic, TypeVar

from astra_proto.base import Reply

Item = TypeVar("Item")


class Page(Reply, Generic[Item]):
    """One page of a listing. Ask again with ``?cursor=next_cursor`` until it is null."""

    items: list[Item]
    next_cursor: str | None

"""The three kinds of model, by who writes them and who reads them."""

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """What a client sends. A field we do not know is a mistake worth telling, so it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reply(BaseModel):
    """What a service answers. An older client survives a new field, so unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Record(BaseModel):
    """What is stored or written to a file, and read back perhaps much later."""

    model_config = ConfigDict(extra="ignore", frozen=True)

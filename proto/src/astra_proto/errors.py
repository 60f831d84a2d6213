"""Every error a service can answer, each with its HTTP status, in one shape on the wire.

AstraError
├── Invalid 422            a field is wrong; the detail names it and says how to mend it
│   ├── UnsoundArena 422   the soundness gate refused; the report is in the body
│   ├── WeakIsolation 422  this server isolates less than was asked for; what it has is in the body
│   ├── EditedFile 422     its hash is not that of its content
│   └── NewerFile 422      written by a later version than this one
├── Malformed 400          not JSON, not UTF-8
├── Unauthorized 401
├── Forbidden 403
├── NotFound 404
├── MethodNotAllowed 405
├── Conflict 409           the thing is not in a state that allows this
├── Gone 410               it was here and has expired
├── TooLarge 413
├── CapacityReached 429    carries Retry-After
│   └── QuotaReached 429   the key has used up what it may use
├── Internal 500
├── UpstreamFailed 502     something we depend on answered wrongly
└── Unavailable 503        something we depend on does not answer

To add one: subclass, give a status and a docstring; the docstring is the default message.
"""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class AstraError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.extra = extra
        super().__init__(self.detail)

    def body(self) -> dict[str, Any]:
        """The error as it travels: ``{"error": class name, "detail": text, ...}``."""
        return {"error": type(self).__name__, "detail": self.detail, **self.extra}


class Malformed(AstraError):
    """The body is not valid JSON in UTF-8."""

    status = 400


class Unauthorized(AstraError):
    """A bearer token is needed: send the header `Authorization: Bearer <token>`."""

    status = 401
    UNKNOWN: ClassVar[str] = "this token is not known here: it is wrong, or it has been revoked"


class Forbidden(AstraError):
    """This key may not do that."""

    status = 403


class NotFound(AstraError):
    """There is nothing of that name here."""

    status = 404


class MethodNotAllowed(AstraError):
    """This path does not take that method."""

    status = 405


class Conflict(AstraError):
    """It is not in a state that allows this."""

    status = 409


class Gone(AstraError):
    """It was here and has expired."""

    status = 410


class TooLarge(AstraError):
    """The body is larger than this service accepts."""

    status = 413


class Invalid(AstraError):
    """A field of the request is wrong."""

    status = 422


class UnsoundArena(Invalid):
    """The arena does not pass the soundness gate; see `report`."""


class WeakIsolation(Invalid):
    """This server isolates tools less than was asked for; see `isolation` for what it has."""


class EditedFile(Invalid):
    """The file is not what was written: its hash is not that of its content."""


class NewerFile(Invalid):
    """The file was written by a later version than this one can read."""


class CapacityReached(AstraError):
    """No room at present; try again after the seconds in Retry-After."""

    status = 429


class QuotaReached(CapacityReached):
    """This key has used up its quota; try again after the seconds in Retry-After."""


class Internal(AstraError):
    """A fault of this service, now in its log."""

    status = 500


class UpstreamFailed(AstraError):
    """Something this service depends on answered wrongly."""

    status = 502


class Unavailable(AstraError):
    """Something this service depends on does not answer."""

    status = 503


def _tree(root: type[AstraError]) -> dict[str, type[AstraError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


def from_body(status: int, body: Any) -> AstraError:
    """The error a client raises for a reply: its class by name, never by import path; unknown names by status."""
    known = _tree(AstraError)
    if not isinstance(body, dict) or "error" not in body:
        body = {"error": "", "detail": f"HTTP {status}: {str(body)[:500]}"}
    by_status = {c.status: c for c in reversed(known.values())}
    cls = known.get(str(body["error"])) or by_status.get(status, AstraError)
    extra = {k: v for k, v in body.items() if k not in ("error", "detail")}
    return cls(str(body.get("detail") or ""), **extra)


class ErrorBody(BaseModel):
    """The one shape of every error reply."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"error": "NotFound", "detail": "no arena 'ar_0'"}]}
    )

    error: str
    """The class of the error, stable; branch on it."""
    detail: str
    """For a person: what is wrong and what to do about it."""

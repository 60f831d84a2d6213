"""Traces across services, in W3C Trace Context. Off unless configured; off, a span costs a look at one variable.

The packages are an extra: ``astra-service[otel]``. Nothing here imports them before ``configure`` or ``use``.
"""

from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_tracer: "Tracer | None" = None
_NOTHING: AbstractContextManager[None] = nullcontext()


def configure(service: str, endpoint: str | None, ratio: float = 1.0) -> None:
    """Send spans to an OTLP/HTTP collector, ``http://host:4318``; ``ratio`` is the share of new traces that is kept.

    Without an endpoint nothing changes. Exits with a sentence if the packages are missing.
    """
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise SystemExit(
            f"traces are asked for, and {error.name} is not installed: pip install 'astra-service[otel]', or leave "
            f"OTEL_ENDPOINT out"
        ) from None
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), sampler=ParentBased(TraceIdRatioBased(ratio))
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    use(provider.get_tracer("astra"))


def use(tracer: "Tracer | None") -> None:
    """Make spans with this tracer; None turns traces off."""
    global _tracer
    _tracer = tracer


def on() -> bool:
    """Whether spans are made."""
    return _tracer is not None


def span(name: str, **attributes: Any) -> AbstractContextManager["Span | None"]:
    """A span around a block, below the one that the block is in. The block gets the span, None when traces are off.

    In attribute names ``_`` stands for ``.``: ``env_id="env_0"`` is recorded as ``env.id``.
    """
    if _tracer is None:
        return _NOTHING
    return _tracer.start_as_current_span(name, attributes=_named(attributes))


def begin(name: str, **attributes: Any) -> "Span | None":
    """A span that is ended by its maker, for work that goes on in turns; see ``inside``."""
    return None if _tracer is None else _tracer.start_span(name, attributes=_named(attributes))


def inside(open_span: "Span | None") -> AbstractContextManager[Any]:
    """Make ``open_span`` the one that spans of this block lie below; it stays open."""
    if open_span is None:
        return _NOTHING
    from opentelemetry import trace

    return trace.use_span(open_span, end_on_exit=False)


def inject(headers: MutableMapping[str, str]) -> None:
    """Tell the service that is called which span it is called from: adds ``traceparent``."""
    if _tracer is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers)


def served(scope: MutableMapping[str, Any]) -> AbstractContextManager["Span | None"]:
    """The span of a request or socket that is served, below the caller's if it says which that is."""
    return _NOTHING if _tracer is None else _served(_tracer, scope)


@contextmanager
def _served(tracer: "Tracer", scope: MutableMapping[str, Any]) -> Iterator["Span | None"]:
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {key: value for key, value in _text(scope["headers"]) if key in ("traceparent", "tracestate")}
    context = TraceContextTextMapPropagator().extract(carrier)
    method = scope.get("method", "WS")
    with tracer.start_as_current_span(str(method), context=context, kind=SpanKind.SERVER) as made:
        try:
            yield made
        finally:
            if path := getattr(scope.get("route"), "path", None):
                made.update_name(f"{method} {path}")
                made.set_attribute("http.route", path)


def _text(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, str]]:
    return ((key.decode("latin-1"), value.decode("latin-1")) for key, value in headers)


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in attributes.items() if value is not None}

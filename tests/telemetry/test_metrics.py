"""Metrics: counted by configured names and closed sets, shown on a listener that has nothing else."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.metrics import Metrics


async def get(metrics: Metrics, path: str = "/metrics", method: str = "GET", **headers: str) -> httpx.Response:
    """An answer of the listener."""
    transport = httpx.ASGITransport(metrics.listener())
    async with httpx.AsyncClient(transport=transport, base_url="http://metrics") as http:
        return await http.request(method, path, headers=headers)


async def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample of the text format, by name and label values, in the order of the labels' names."""
    text = (await get(metrics)).text
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


async def test_requests_are_counted_by_rule_decision_and_status():
    """Two alike make one series of two."""
    metrics = Metrics()
    metrics.request("/**", "pass", 200, 0.003)
    metrics.request("/**", "pass", 200, 0.004)
    metrics.request("/**", "sign-in", 302, 0.001)
    shown = await samples(metrics)
    assert shown[("gateway_requests_total", ("pass", "/**", "200"))] == 2
    assert shown[("gateway_requests_total", ("sign-in", "/**", "302"))] == 1
    assert shown[("gateway_request_seconds_count", ("pass",))] == 2
    assert shown[("gateway_request_seconds_sum", ("pass",))] == pytest.approx(0.007)


async def test_impossible_statuses_make_one_series():
    """An upstream's 999 or -1 does not make series without bound."""
    metrics = Metrics()
    for status in (0, 99, 600, 999, -1):
        metrics.request("/**", "pass", status, 0.001)
    assert (await samples(metrics))[("gateway_requests_total", ("pass", "/**", "0"))] == 5


async def test_the_provider_s_state_is_a_gauge():
    """1 when metadata and keys are there, asked for at the moment of the scrape."""
    metrics, state = Metrics(), {"ready": False}
    metrics.provider_ready.set_function(lambda: float(state["ready"]))

    before = (await samples(metrics))[("gateway_provider_ready", ())]
    state["ready"] = True
    after = (await samples(metrics))[("gateway_provider_ready", ())]

    assert (before, after) == (0, 1)


async def test_two_gateways_in_one_process_count_apart():
    """Each has a registry of its own."""
    one, other = Metrics(), Metrics()
    one.request("/**", "pass", 200, 0.002)
    assert ("gateway_requests_total", ("pass", "/**", "200")) not in await samples(other)


async def test_the_listener_has_one_door():
    """H5: nothing but GET and HEAD of /metrics, and no cache keeps it."""
    metrics = Metrics()
    assert (await get(metrics, "/")).status_code == 404
    assert (await get(metrics, "/metrics/../admin")).status_code == 404
    refused = await get(metrics, method="POST")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    head = await get(metrics, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    answer = await get(metrics)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_open_metrics_is_spoken_when_asked_for():
    """Prometheus asks for it by default."""
    answer = await get(Metrics(), accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


async def test_the_listener_has_a_lifespan_and_refuses_web_sockets():
    """As a server's application of its own."""
    sent: list[str] = []
    incoming = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive():
        return {"type": next(incoming)}

    async def send(message):
        sent.append(message["type"])

    app = Metrics().listener()
    await app({"type": "lifespan"}, receive, send)
    await app({"type": "websocket"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]

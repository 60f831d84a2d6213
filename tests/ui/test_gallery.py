"""The gallery in a real browser: the list, an arena, its golden episode, a key, and arenas that would attack."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.bench import servers
from tests.ui.browser import Page, browser, program

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(program() is None, reason="no Chromium on this machine (apt-get install chromium)"),
]

EXAMPLES = Path(__file__).parents[2] / "services" / "env-server" / "examples"
LIBRARY = EXAMPLES / "library.json"
STATEFUL = json.loads((EXAMPLES / "hotel.json").read_text())
EVIL = "</script></title></pre><img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    folder = tmp_path_factory.mktemp("gallery")
    with (
        servers.env_server(folder, f"sqlite+aiosqlite:///{folder}/db.sqlite") as started,
        httpx2.Client(base_url=f"http://127.0.0.1:{started.port}", timeout=60) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def published(server: httpx2.Client, **changed: Any) -> str:
    reply = server.post("/arenas", json=json.loads(LIBRARY.read_text()) | changed)
    assert reply.status_code in (200, 201), reply.text
    return str(reply.json()["id"])


def test_an_arena_is_found_and_its_golden_episode_played(server: httpx2.Client, page: Page) -> None:
    published(server)
    page.open(f"{server.base_url}/ui#/?split=train&topology=multi_hop")
    page.until("document.querySelectorAll('.card').length === 1")
    page.ask("document.querySelector('.card').click()")
    page.until("document.querySelectorAll('.dag .node').length === 2")
    page.click("Play step by step")
    page.until("document.querySelectorAll('.dag .solved').length === 1")
    assert "+0.667" in page.text()
    page.click("Next step")
    page.until("document.querySelector('.steps .end')")
    assert "F1 1.000 · 2 of 2 solved · 2 calls" in page.text()
    page.click("Start over")
    page.until("document.querySelectorAll('.dag .solved').length === 1")
    page.click("← Arenas")
    page.until("document.querySelectorAll('.card').length === 1")
    while server.get("/capacity").json()["envs"]:
        pass  # the page ends its env when it is left; the test's own time limit ends the wait
    assert page.complaints == []


def test_how_hard_an_arena_was_found_to_be_is_shown(server: httpx2.Client, page: Page) -> None:
    arena = published(server, domain="measured")
    for policy, solved in (("strong", 0.75), ("weak", 0.0), ("middle", 0.5)):
        measured = {"episodes": 4, "solve_rate": solved, "f1": solved}
        server.post("/solve-rates", json={"policy": policy, "arenas": {arena: measured}}).raise_for_status()
    page.open(f"{server.base_url}/ui#/?domain=measured")
    page.until("document.querySelectorAll('.card').length === 1")
    assert "solved: 0 % by weak, 75 % by strong" in page.text()
    page.ask("document.querySelector('.card').click()")
    page.until("document.querySelectorAll('.dag .node').length === 2")
    told = page.text()
    assert told.index("weak") < told.index("middle") < told.index("strong")
    assert page.complaints == []


def test_what_a_call_changes_of_the_state_is_shown(server: httpx2.Client, page: Page) -> None:
    arena = published(server, **STATEFUL)
    page.open(f"{server.base_url}/ui#/arenas/{arena}")
    page.until("document.querySelectorAll('.dag .node').length")
    assert "Initial state" in page.text()
    page.click("Play all")
    page.until("document.querySelector('.steps .end')")
    assert page.ask("document.querySelectorAll('.changes tr').length") >= 1
    assert page.complaints == []


def test_what_an_arena_says_stays_text(server: httpx2.Client, page: Page) -> None:
    spec = json.loads(LIBRARY.read_text())
    spec["tools"][0]["description"] += EVIL
    spec["tools"][0]["code"] = f"# {EVIL}\n" + spec["tools"][0]["code"]
    spec["subtasks"][0]["question"] += EVIL
    spec["provenance"]["source"] = EVIL
    arena = published(server, **spec | {"prompt": spec["prompt"] + EVIL, "domain": EVIL[:100]})
    page.open(f"{server.base_url}/ui#/arenas/{arena}")
    page.until("document.querySelectorAll('.dag .node').length === 2")
    assert page.text().count(EVIL[:40]) >= 5
    assert page.ask("document.querySelectorAll('main script, main img').length") == 0
    assert page.ask("document.title") != "taken"
    page.open(f"{server.base_url}/ui#/?limit=1")
    page.until("document.querySelector('.card')")
    assert page.ask("document.title") == "Arenas · ASTRA"
    assert page.complaints == []


def test_a_key_is_asked_for_and_shows_what_its_role_may_see(tmp_path: Path, page: Page) -> None:
    root = "root-token-of-the-gallery"
    url = f"sqlite+aiosqlite:///{tmp_path}/db.sqlite"
    with servers.env_server(tmp_path, url, API_TOKEN=root) as started:
        http = httpx2.Client(
            base_url=f"http://127.0.0.1:{started.port}", headers={"Authorization": f"Bearer {root}"}, timeout=60
        )
        arena = published(http)
        agent = http.post("/keys", json={"tenant": "a", "role": "agent"}).json()["key"]
        page.open(f"{http.base_url}/ui#/arenas/{arena}")
        for key, shown in (("wrong", "not known here"), (agent, "take a key of role trainer")):
            page.until("document.querySelector('#key')")
            page.ask(f"document.querySelector('#key').value = {json.dumps(key)}")
            page.click("Open")
            page.until(f"document.body.innerText.includes({json.dumps(shown)})")
        assert "golden" not in page.text().lower()
        page.click("Forget it")
        page.until("document.querySelector('#key')")
        page.ask(f"document.querySelector('#key').value = {json.dumps(root)}")
        page.click("Open")
        page.until("document.querySelectorAll('.dag .node').length === 2")
        assert page.ask("localStorage.length") == 0
        http.close()

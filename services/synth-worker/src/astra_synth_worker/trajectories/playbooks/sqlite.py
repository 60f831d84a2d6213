"""A small database: tables, rows, queries, a memo."""

from random import Random
from typing import Any

from astra_synth_worker.trajectories.playbooks.moves import CannotContinue, Facts, Move, Playbook
from astra_synth_worker.trajectories.playbooks.words import ITEMS, TABLES


def _table(rng: Random, facts: Facts) -> Facts:
    taken = facts.get("tables", ())
    table = rng.choice([name for name in TABLES if name not in taken])
    return {"table": table, "tables": (*taken, table)}


def _rows(rng: Random, facts: Facts) -> Facts:
    items = rng.sample(ITEMS, rng.randint(2, 4))
    rows = [(item, rng.randint(1, 40), rng.randint(2, 180) + rng.choice((0.0, 0.5, 0.25))) for item in items]
    return {"rows": rows, "rows_text": ", ".join(f"{q} x {item} at {price:.2f}" for item, q, price in rows)}


def _query(rng: Random, facts: Facts) -> Facts:
    column, words, order = rng.choice(
        (
            ("quantity * price AS value", "the value (quantity times price) of each item", "value DESC"),
            ("quantity AS value", "how many there are of each item", "value DESC"),
            ("price AS value", "the price of each item", "value ASC"),
        )
    )
    return {"query": f"SELECT item, {column} FROM {facts['table']} ORDER BY {order}, item", "query_words": words}


def _nothing(rng: Random, facts: Facts) -> Facts:
    return {}


def _insert(facts: Facts, known: dict[str, Any]) -> dict[str, Any]:
    values = ", ".join(f"('{item}', {quantity}, {price})" for item, quantity, price in facts["rows"])
    return {"query": f"INSERT INTO {facts['table']} (item, quantity, price) VALUES {values}"}


def _insight(facts: Facts, known: dict[str, Any]) -> dict[str, Any]:
    if not known["found"]:
        raise CannotContinue("the query returned no rows, so there is no first item to note")
    first = known["found"][0]
    return {"insight": f"First in {facts['table']} by {facts['query_words']}: {first['item']} ({first['value']})."}


BOOK = Playbook(
    server="sqlite",
    start={},
    moves=(
        Move(
            tool="create_table",
            draw=_table,
            asks=(
                "make a table {table} with item, quantity and price",
                "set up a new table called {table} (item, quantity, price)",
            ),
            arguments=lambda f, k: {
                "query": f"CREATE TABLE {f['table']} (id INTEGER PRIMARY KEY, item TEXT, quantity INTEGER, price REAL)"
            },
            says=lambda f, r: f"The table {f['table']} exists now ({r}).",
            gives=("table",),
            takes=("rows", "found"),
        ),
        Move(
            tool="write_query",
            draw=_rows,
            asks=("put {rows_text} into {table}", "enter these into {table}: {rows_text}"),
            arguments=_insert,
            says=lambda f, r: f"{r[0]['affected_rows']} rows were written to {f['table']}.",
            needs=("table",),
            gives=("rows",),
            takes=("found",),
        ),
        Move(
            tool="list_tables",
            draw=_nothing,
            asks=("tell me which tables there are", "list the tables of the database"),
            arguments=lambda f, k: {},
            says=lambda f, r: f"The database holds {len(r)} table(s): {', '.join(row['name'] for row in r)}.",
            needs=("table",),
        ),
        Move(
            tool="describe_table",
            draw=_nothing,
            asks=("show me the columns of {table}", "describe how {table} is built"),
            arguments=lambda f, k: {"table_name": f["table"]},
            says=lambda f, r: (
                f"The columns of {f['table']} are " + ", ".join(f"{row['name']} ({row['type']})" for row in r) + "."
            ),
            needs=("table",),
        ),
        Move(
            tool="read_query",
            draw=_query,
            asks=("list {query_words} in {table}", "work out {query_words} in {table}"),
            arguments=lambda f, k: {"query": f["query"]},
            says=lambda f, r: (
                f"For {f['query_words']} in {f['table']}: "
                + (", ".join(f"{row['item']} {row['value']}" for row in r) or "no rows")
                + "."
            ),
            learns=lambda r: {"found": r},
            needs=("rows",),
            gives=("found",),
        ),
        Move(
            tool="append_insight",
            draw=_nothing,
            asks=("note the first of that list in the memo of insights", "keep the top entry as an insight"),
            arguments=_insight,
            says=lambda f, r: f"The top entry is noted in the memo ({r}).",
            needs=("found",),
        ),
    ),
)

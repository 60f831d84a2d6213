"""Customers and card charges."""

from random import Random
from typing import Any

from astra_synth_worker.trajectories.playbooks.moves import Facts, Move, Playbook
from astra_synth_worker.trajectories.playbooks.words import money, person


def _customer(rng: Random, facts: Facts) -> Facts:
    name, email = person(rng)
    balance = rng.randrange(100_000, 400_000, 2_500)
    return {"name": name, "email": email, "balance": balance, "balance_text": money(balance)}


def _charge(rng: Random, facts: Facts) -> Facts:
    amount = rng.randrange(3_000, 20_000, 50)
    return {"amount": amount, "amount_text": money(amount)}


def _refund(rng: Random, facts: Facts) -> Facts:
    refund = rng.randrange(200, 900, 50)
    return {"refund": refund, "refund_text": money(refund)}


def _nothing(rng: Random, facts: Facts) -> Facts:
    return {}


def _charged(facts: Facts, result: Any) -> str:
    return (
        f"Charge {result['id']} over {money(result['amount'])} is {result['status']}, with "
        f"{money(result['captured'])} captured and {money(result['refunded'])} refunded."
    )


BOOK = Playbook(
    server="payments",
    start={},
    moves=(
        Move(
            tool="create_customer",
            draw=_customer,
            asks=(
                "register {name} ({email}) as a customer with a balance of {balance_text}",
                "set up a customer account for {name}, email {email}, starting balance {balance_text}",
                "open an account for our new customer {name} ({email}) and put {balance_text} on it",
            ),
            arguments=lambda f, k: {"name": f["name"], "email": f["email"], "balance": f["balance"], "currency": "usd"},
            says=lambda f, r: f"{r['name']} is registered as {r['id']} with a balance of {money(r['balance'])}.",
            learns=lambda r: {"customer_id": r["id"]},
            gives=("customer",),
        ),
        Move(
            tool="create_charge",
            draw=_charge,
            asks=(
                "charge {name}'s card {amount_text}",
                "bill {name} {amount_text}",
                "take a payment of {amount_text} from {name}",
            ),
            arguments=lambda f, k: {"customer_id": k["customer_id"], "amount": f["amount"], "currency": "usd"},
            says=_charged,
            learns=lambda r: {"charge_id": r["id"]},
            needs=("customer",),
            gives=("charge", "captured"),
            takes=("held",),
        ),
        Move(
            tool="create_charge",
            draw=_charge,
            asks=(
                "authorize {amount_text} on {name}'s card without capturing it yet",
                "put a hold of {amount_text} on {name}'s card, not captured for now",
            ),
            arguments=lambda f, k: {
                "customer_id": k["customer_id"],
                "amount": f["amount"],
                "currency": "usd",
                "capture": False,
            },
            says=_charged,
            learns=lambda r: {"charge_id": r["id"]},
            needs=("customer",),
            gives=("charge", "held"),
            takes=("captured",),
        ),
        Move(
            tool="capture_charge",
            draw=_nothing,
            asks=("capture the held {amount_text}", "collect the authorized {amount_text}"),
            arguments=lambda f, k: {"charge_id": k["charge_id"]},
            says=_charged,
            needs=("held",),
            gives=("captured",),
            takes=("held",),
        ),
        Move(
            tool="refund_charge",
            draw=_refund,
            asks=("refund {refund_text} of that charge", "give {refund_text} of it back to {name}"),
            arguments=lambda f, k: {"charge_id": k["charge_id"], "amount": f["refund"]},
            says=lambda f, r: f"{money(f['refund'])} went back: {_charged(f, r)}",
            needs=("captured",),
        ),
        Move(
            tool="get_charge",
            draw=_nothing,
            asks=("look up how that charge stands", "show me the charge as it is on record"),
            arguments=lambda f, k: {"charge_id": k["charge_id"]},
            says=lambda f, r: f"On record: {_charged(f, r)}",
            needs=("charge",),
        ),
        Move(
            tool="get_customer",
            draw=_nothing,
            asks=("tell me {name}'s balance as it is on record", "check what balance {name} has then"),
            arguments=lambda f, k: {"customer_id": k["customer_id"]},
            says=lambda f, r: f"{r['name']} ({r['id']}) has a balance of {money(r['balance'])}.",
            needs=("customer",),
        ),
    ),
)

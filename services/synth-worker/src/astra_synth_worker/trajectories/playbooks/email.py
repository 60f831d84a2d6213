"""A mailbox."""

from random import Random

from astra_synth_worker.trajectories.playbooks.moves import Facts, Move, Playbook
from astra_synth_worker.trajectories.playbooks.words import DAYS, TOPICS, person


def _mail(rng: Random, facts: Facts) -> Facts:
    name, address = person(rng)
    topic, day, number = rng.choice(TOPICS), rng.choice(DAYS), rng.randint(100, 9_999)
    subject = f"{topic.capitalize()} {number}"
    body = f"Dear {name.split()[0]}, please look at {topic} {number} by {day}."
    return {"name": name, "to": address, "subject": subject, "body": body, "number": number}


def _nothing(rng: Random, facts: Facts) -> Facts:
    return {}


BOOK = Playbook(
    server="email",
    start={},
    moves=(
        Move(
            tool="send_email",
            draw=_mail,
            asks=(
                'write to {name} at {to}, subject "{subject}": "{body}"',
                'send an email to {to} ({name}) with the subject "{subject}" and the text "{body}"',
            ),
            arguments=lambda f, k: {"to": f["to"], "subject": f["subject"], "body": f["body"]},
            says=lambda f, r: f'The mail "{r["subject"]}" to {r["to"]} is {r["status"]} as {r["id"]}.',
            learns=lambda r: {"message_id": r["id"]},
            gives=("message",),
        ),
        Move(
            tool="get_message",
            draw=_nothing,
            asks=("show me that message as it is stored", "check in which folder and state that message is"),
            arguments=lambda f, k: {"message_id": k["message_id"]},
            says=lambda f, r: (
                f'Message {r["id"]} ("{r["subject"]}" to {r["to"]}) is in {r["folder"]} with status {r["status"]}, '
                f"thread {r['thread_id']}."
            ),
            needs=("message",),
        ),
        Move(
            tool="search",
            draw=_nothing,
            asks=("find every message that mentions {number}", "look for messages with {number} in them"),
            arguments=lambda f, k: {"query": str(f["number"])},
            says=lambda f, r: (
                f"{r['count']} message(s) mention {f['number']}: "
                + (", ".join(found["id"] for found in r["data"]) or "none")
                + "."
            ),
            needs=("message",),
        ),
        Move(
            tool="list_messages",
            draw=_nothing,
            asks=("tell me how many messages are in the sent folder", "count the messages I have sent"),
            arguments=lambda f, k: {"folder": "sent"},
            says=lambda f, r: f"The sent folder holds {r['count']} messages.",
            needs=("message",),
        ),
    ),
)

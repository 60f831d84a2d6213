"""How the offline teacher uses known servers: what can be done with each tool, after what, and what to say of it."""

from astra_synth_worker.trajectories.playbooks import crm, email, files, git, payments, sqlite
from astra_synth_worker.trajectories.playbooks.moves import Playbook

BOOKS: tuple[Playbook, ...] = (sqlite.BOOK, git.BOOK, payments.BOOK, crm.BOOK, files.BOOK, email.BOOK)
"""Every playbook that ships."""

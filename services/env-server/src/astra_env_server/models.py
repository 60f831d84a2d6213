"""The env server's tables: keys, arenas, envs, and the log of steps that an env can be rebuilt from."""

from astra_service.database import UtcDateTime
from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

keys = Table(
    "env_server_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("name", String(100), nullable=False),
    Column("max_envs", Integer, nullable=True),
    Column("steps_per_minute", Integer, nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=True),
    Column("revoked_at", UtcDateTime, nullable=True),
    Index(None, "tenant", "id"),
)

arenas = Table(
    "env_server_arenas",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("split", String(16), nullable=False),
    Column("domain", String(100), nullable=False),
    # JSON as text, not as a JSON column: the order of keys in a schema is part of what an agent reads.
    Column("spec", Text, nullable=False),
    Column("view", Text, nullable=False),
    Column("soundness", Text, nullable=False),
    Column("demonstration", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Copies of what the spec says, to list by.
    Column("topology", String(32), nullable=False),
    Column("language", String(8), nullable=False),
    Column("hops", Integer, nullable=False),
    Index(None, "split", "id"),
    Index(None, "domain", "id"),
    Index(None, "topology", "id"),
)

solve_rates = Table(
    "env_server_solve_rates",
    metadata,
    Column("arena_id", String(64), ForeignKey("env_server_arenas.id", ondelete="CASCADE"), primary_key=True),
    Column("policy", String(200), primary_key=True),
    Column("episodes", Integer, nullable=False),
    Column("solve_rate", Float, nullable=False),
    Column("f1", Float, nullable=False),
    Column("source", String(200), nullable=False),
    Column("measured_at", UtcDateTime, nullable=False),
)

envs = Table(
    "env_server_envs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("arena_id", String(64), ForeignKey("env_server_arenas.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("episode", Integer, nullable=False),  # 0 until the first reset
    Column("seed", Integer, nullable=False),
    Column("max_steps", Integer, nullable=False),
    Column("ttl_s", Float, nullable=False),
    Column("reward_mode", String(16), nullable=False),
    Column("score", String(16), nullable=False, server_default="f1"),
    Column("final_answer", Boolean, nullable=False),
    Column("min_isolation", String(16), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("tenant", String(64), nullable=False, server_default="default"),
    Column("key_id", String(32), nullable=True),  # the key it was made with; none for the root token
    Column("distractors", Text, nullable=True),  # JSON: the tools that were drawn for it
    Index(None, "status", "expires_at"),
    Index(None, "key_id", "status"),
    Index(None, "tenant", "id"),
)

steps = Table(
    "env_server_steps",
    metadata,
    Column("env_id", String(64), ForeignKey("env_server_envs.id", ondelete="CASCADE"), primary_key=True),
    Column("episode", Integer, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("seed", Integer, nullable=False),
    Column("step_id", String(128), nullable=True),
    Column("digest", String(64), nullable=False),  # of the action, to tell a retry from another step of the same name
    Column("record", Text, nullable=False),
    Column("replayed", Text, nullable=False),  # JSON: for each call, whether it is part of the session's history
)

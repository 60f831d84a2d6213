"""Recorded arenas, three replies in ten damaged and the worker killed in between: the same or fewer, none unsound."""

from tests.recorded.run import made

NAMES = ("arena_bank", "arena_clinic_zh", "arena_movie", "arena_order", "arena_single")
"""Recordings of both languages and all four topologies, one with a state."""


def test_three_damaged_replies_in_ten_and_a_killed_worker_make_no_unsound_arena() -> None:
    found = made(NAMES, share=0.3, kill_every=40, seed=7)
    assert 0.2 < found.hit / found.replies < 0.4
    assert found.killed > 0
    assert max(row.attempts for row in found.rows) > 1, "it was killed in the middle of a job"
    assert found.unsound == []
    assert 0 < found.arenas < found.jobs, "some are lost and some come of it all the same"
    assert all(row.reason for row in found.rows if not row.arena)

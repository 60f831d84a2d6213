"""Runs tool code that a model wrote, in isolation: ``base`` says what it offers, ``opening.open_sandbox`` makes one."""

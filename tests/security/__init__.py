"""Attacks on the sandbox and its server: `catalogue` lists them, `attack` carries them out on every tier there is."""

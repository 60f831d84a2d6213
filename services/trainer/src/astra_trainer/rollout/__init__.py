"""The episode loop that SFT, RL and evaluation share. It knows no engine: no torch is imported here."""

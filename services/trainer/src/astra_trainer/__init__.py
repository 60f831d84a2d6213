"""SFT, online RL and evaluation of tool-using agents."""

"""Which replica answers for an env: hints in Redis, so that its steps find the one that has it in memory."""

"""The engine for laptops and tests: a small model on the processor, with transformers and TRL."""

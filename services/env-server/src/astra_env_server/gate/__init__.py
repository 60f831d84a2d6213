"""The soundness gate: is an arena worth learning from? Each check looks for one way in which it may not be.

A check is a function of the arena, or of what its tools did in the sandbox, to the problems it found. First those that
only read are asked; if they find nothing, the code is run and the others are asked. A check that was not reached has
not passed, and only an arena that passed all of them is sound.
"""

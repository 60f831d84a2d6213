"""The words ASTRA's processes share: pydantic models of everything that crosses from one to another.

One module a noun. No input or output, no settings, no dependency but pydantic.
"""

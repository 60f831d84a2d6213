"""Runs the tools of arenas in a process of its own: lines of JSON in, results of calls out.

In: ``{"codes": {name: source}, "calls": [[name, arguments], ...], "vary": [[name, arguments], ...]}``. For each of
``vary``, every argument is changed to every other value that the tool's own tables hold, one at a time, and for numbers
to their neighbours.
"""

import json
import sys


def call(functions, name, arguments):
    try:
        return {"ok": True, "output": functions[name](**arguments)}
    except ValueError as error:
        return {"ok": False, "output": str(error)}


def known_values(module):
    found = []
    for table in (value for name, value in module.items() if name[:2] != "__" and isinstance(value, (dict, list))):
        rows = table.items() if isinstance(table, dict) else table
        found += [cell for row in rows for cell in row]
    return list(dict.fromkeys(found))


def variations(module, arguments):
    others = known_values(module)
    for key, value in arguments.items():
        for other in [*others, "nobody"] if isinstance(value, str) else [*range(1, value + 40), value * 7]:
            if type(other) is type(value) and other != value:
                yield {**arguments, key: other}


for line in sys.stdin:
    asked = json.loads(line)
    modules, functions = {}, {}
    for name, source in asked["codes"].items():
        modules[name] = {}
        exec(compile(source, name, "exec"), modules[name])
        functions[name] = modules[name][name]
    results = [call(functions, *each) for each in asked["calls"]]
    varied = [
        [call(functions, name, changed) for changed in variations(modules[name], arguments)]
        for name, arguments in asked["vary"]
    ]
    sys.stdout.write(json.dumps({"results": results, "varied": varied}) + "\n")

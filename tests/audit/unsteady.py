"""Defects of code that asks something else than its arguments: the clock, chance, order, the past, the outside."""

from tests.audit.damage import Target, variant, wraps

wraps(
    "clock",
    until="import time\nif time.time() > 4_000_000_000:\n    raise ValueError('out of date')\nreturn INNER",
    stamps=("return {'found': INNER, 'on': date.today().isoformat()}", "from datetime import date\n"),
    counts_days=("days = (datetime.datetime.now() - datetime.datetime(2020, 1, 1)).days\n"
                 "return {'found': INNER, 'days': days}", "import datetime\n"),
)  # fmt: skip
wraps(
    "clock",
    held_out=True,
    bound_to_a_name=("return {'found': INNER, 'second': int(now())}", "import time\nnow = time.time\n"),
    at_import=("return {'found': INNER, 'loaded': STARTED // 3600}", "from time import time_ns as t\nSTARTED = t()\n"),
    by_attribute="import time\nclock = getattr(time, 'mono' + 'tonic')\nreturn INNER if clock() < 1e12 else None",
    formatted="import time as _t\nreturn {'found': INNER, 'year': _t.strftime('%Y')}",
    of_a_class=(
        "return {'found': INNER, 'at': Clock().hour()}",
        "from datetime import datetime\nclass Clock:\n    def hour(self):\n"
        "        return datetime.utcnow().isoformat()\n",
    ),
    as_default=("import time\nreturn INNER if WHEN < 4_000_000_000 else None", "import time\nWHEN = time.time()\n"),
)
wraps(
    "order",
    list_of_a_set="return {'found': INNER, 'near': list({'north', 'south', 'east', 'west', 'up', 'down'})}",
    first_of_a_set="return {'found': INNER, 'by': next(iter({'Ann', 'Bob', 'Cid', 'Dan', 'Eve', 'Flo'}))}",
    hashed="return {'found': INNER, 'check': hash(str(FIRST)) % 100_000}",
    sorted_by_hash="return {'found': INNER, 'order': sorted(['k', 'l', 'm', 'n', 'o', 'p'], key=hash)}",
)
wraps(
    "order",
    held_out=True,
    popped="left = set('abcdefghijkl')\nreturn {'found': INNER, 'mark': left.pop() + left.pop()}",
    joined="return {'found': INNER, 'tags': '-'.join({w for w in ('red', 'green', 'blue', 'grey', 'pink')})}",
    address="return {'found': INNER, 'ref': id(object()) // 16}",
    printed='return f\'{INNER} of {frozenset(("x1", "y2", "z3", "w4"))}\'',
    winner_of_a_tie="best = max({'anna', 'otto', 'kira', 'lena'}, key=len)\nreturn {'found': INNER, 'by': best}",
)
wraps(
    "random",
    ticket=("return {'found': INNER, 'ticket': random.randint(1, 10**9)}", "import random\n"),
    seldom_wrong="import random\nif random.random() < 0.02:\n    raise ValueError('try again')\nreturn INNER",
    chosen="from random import choice\nreturn {'found': INNER, 'clerk': choice(['Ann', 'Bob', 'Cid', 'Dan', 'Eve'])}",
)
wraps(
    "random",
    held_out=True,
    system="import random\nreturn {'found': INNER, 'n': random.SystemRandom().randrange(10**6)}",
    unique="import uuid\nreturn {'found': INNER, 'id': str(uuid.uuid4())}",
    bytes_of_the_system="import os\nreturn {'found': INNER, 'salt': os.urandom(4).hex()}",
    secret="import secrets\nreturn {'found': INNER, 'token': secrets.token_hex(4)}",
    shuffled="import random\nrows = list('abcdefgh')\nrandom.shuffle(rows)\nreturn {'found': INNER, 'rows': rows}",
    own_generator="import random\nlucky = random.Random().random() > 0.001\nreturn INNER if lucky else {}",
    noise="import random\nreturn {'found': INNER, 'm': round(random.gauss(10, 2), 1)}",
)
wraps(
    "state",
    once=("global CALLS\nCALLS += 1\nif CALLS > 1:\n    raise ValueError('asked before')\nreturn INNER", "CALLS = 0\n"),
    second_is_wrong=("SEEN.append(1)\nreturn INNER if len(SEEN) < 2 else {'result': 'busy'}", "SEEN = []\n"),
    after_three=("COUNT['n'] = COUNT.get('n', 0) + 1\nif COUNT['n'] > 3:\n    return {}\nreturn INNER", "COUNT = {}\n"),
)
wraps(
    "state",
    held_out=True,
    on_itself="me = _inner\nme.calls = getattr(me, 'calls', 0) + 1\nif me.calls % 2 == 0:\n    return {}\nreturn INNER",
)
wraps(
    "state",
    in_a_generator=("return INNER if next(TURNS) else {'result': 'later'}",
                    "import itertools\nTURNS = itertools.cycle([True, False, True])\n"),
)  # fmt: skip
wraps(
    "state",
    held_out=True,
    after_a_mistake=("global BROKEN\nif BROKEN:\n    raise RuntimeError('locked')\ntry:\n    return INNER\n"
                     "except Exception:\n    BROKEN = True\n    raise", "BROKEN = False\n"),
    tired=("global LEFT\nLEFT -= 1\nreturn INNER if LEFT > 0 else 'no more'", "LEFT = 6\n"),
    of_a_class=("Memory.times += 1\nreturn INNER if Memory.times == 1 else None",
                "class Memory:\n    times = 0\n"),
)  # fmt: skip


@variant("state", held_out=True)
def rows_are_used_up(target: Target) -> None:
    """A row can be had once."""
    name, _ = target.rows()
    target.wrap(f"if FIRST not in {name}:\n    raise ValueError('unknown')\nreturn {{'result': {name}.pop(FIRST)}}")


_REACH = "\nexcept Exception:\n    return INNER"
wraps(
    "outside",
    environment="import os\nreturn INNER if os.environ.get('MODE', 'x') == 'x' else None",
    a_file="try:\n    with open('/etc/hostname') as file:\n        return {'host': file.read()}" + _REACH,
    network="import socket\ntry:\n    socket.create_connection(('192.0.2.1', 80), 0.1)\n    return None" + _REACH,
)
wraps(
    "outside",
    held_out=True,
    a_path="from pathlib import Path\nreturn INNER if not Path('/tmp/flag').exists() else {}",
    a_process="try:\n    import subprocess\n    return subprocess.check_output(['id']).decode()" + _REACH,
    a_url="try:\n    from urllib.request import urlopen\n    return urlopen('http://192.0.2.1').read()" + _REACH,
    dynamic="system = __import__('o' + 's')\nreturn {'found': INNER, 'user': system.getuid() and 1}",
    the_frames="import sys\nreturn INNER if len(sys.argv) < 3 else None",
    other_modules="import sys\nreturn INNER if 'pytest' not in sys.modules else {}",
    the_machine="import platform\nreturn {'found': INNER, 'node': platform.node()}",
    imported="import importlib\nreturn INNER if importlib.import_module('os').getenv('X') is None else 0",
)
wraps(
    "obfuscated",
    evaluated="return eval('INN' + 'ER')" if False else "return eval('_inner')(**ARGS)",
    executed="box = {}\nexec('def f(g, k): return g(**k)', box)\nreturn box['f'](_inner, ARGS)",
    compiled="return (lambda k: eval(compile('g(**k)', '<s>', 'eval'), {'g': _inner, 'k': k}))(ARGS)",
)
wraps(
    "obfuscated",
    held_out=True,
    by_builtins="import builtins\nrun = getattr(builtins, 'ev' + 'al')\nreturn run('f(**k)', {'f': _inner, 'k': ARGS})",
    by_globals="return globals()['_in' + 'ner'](**ARGS)",
    by_subclasses="kinds = ().__class__.__base__.__subclasses__()\nreturn INNER if kinds else None",
    by_code="f = (lambda: 0).__class__(_inner.__code__, _inner.__globals__)\nreturn f(**ARGS)",
    unpickled="import pickle\nreturn pickle.loads(pickle.dumps(INNER))",
    marshalled="import marshal\nreturn marshal.loads(marshal.dumps(INNER))",
)
wraps(
    "heavy",
    sleeps="import time\ntime.sleep(2.8)\nreturn INNER",
    pads="return {'found': INNER, 'log': 'line ' * 60_000}",
    never_ends_for_strangers="try:\n    return INNER\nexcept Exception:\n    while True:\n        pass",
)
wraps(
    "heavy",
    held_out=True,
    counts="n = 0\nwhile n < 90_000_000:\n    n += 1\nreturn INNER",
    lists="return {'found': INNER, 'all': list(range(60_000))}",
    eats="try:\n    return INNER\nexcept Exception:\n    x = []\n    while True:\n        x.append('y' * 10**6)",
    deep="value = INNER\nfor _ in range(80):\n    value = [value]\nreturn value",
)

"""What runs inside the sandbox: standard library only, started as ``python -P -S -s -B -m inside``.

The *warden* is the first process. It is ours from start to end: it runs no arena code, decides each fork of the zygote
and ends every process of the runner when the host goes. The *zygote* locks itself, then imports one arena's code and
forks sessions; what it imports may have taken it over, so nobody believes more of it than of the arena's tools. A
*session* locks itself further and answers the calls of one env.
"""

"""How fast the env server is, beside a bare FastAPI application and beside OpenEnv, in one run on one machine."""

"""`python -m tests.servers` fetches the software of the servers into the cache."""

from __future__ import annotations

from tests.servers.software import KINDS, fetch

for kind in KINDS:
    software = fetch(kind)
    print(f"{kind} {software.version} is in {software.folder}")

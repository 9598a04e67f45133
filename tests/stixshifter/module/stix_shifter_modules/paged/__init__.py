"""A STIX-shifter connector for tests, as most are: searches run on a server, pages are counted, a query has a limit."""

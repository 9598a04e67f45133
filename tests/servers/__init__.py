"""Real servers for tests: an Elasticsearch and an OpenSearch on loopback, and a proxy with TLS, keys and faults before them."""

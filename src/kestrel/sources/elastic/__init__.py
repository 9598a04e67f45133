"""Elasticsearch and OpenSearch, asked in their query DSL."""

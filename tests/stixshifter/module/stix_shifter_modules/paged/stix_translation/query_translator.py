"""A query is the pattern itself, with the limit that the options set."""

from __future__ import annotations

import json
from typing import Any

from stix_shifter_utils.modules.base.stix_translation.base_query_translator import BaseQueryTranslator


class QueryTranslator(BaseQueryTranslator):  # type: ignore[misc]
    def transform_antlr(self, data: str, antlr_parsing_object: Any) -> list[str]:
        if " OR user-account:" in data and self.options.get("narrow"):
            raise NotImplementedError("one type at a time")
        return [json.dumps({"pattern": data, "limit": self.options["result_limit"]})]

"""Where STIX-shifter finds the parts of a connector."""

from __future__ import annotations

from typing import Any

from stix_shifter_utils.utils.base_entry_point import BaseEntryPoint


class EntryPoint(BaseEntryPoint):  # type: ignore[misc]
    def __init__(self, connection: Any = {}, configuration: Any = {}, options: Any = {}) -> None:  # noqa: B006
        super().__init__(connection, configuration, options)
        self.set_async(True)
        if connection:
            self.setup_transmission_basic(connection, configuration)
        self.setup_translation_simple(dialect_default="default")

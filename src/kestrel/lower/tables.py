"""GROUP and JOIN: rows that are no list of entities."""

from __future__ import annotations

from kestrel.graph.steps import TABLE, Aggregate, AttributePath, Group, Join, Key, Step, type_of
from kestrel.lower.columns import kind_of
from kestrel.lower.mistakes import NoKeys, NotNumbers, TwoColumns, WrongBin, WrongValue
from kestrel.lower.names import Subject
from kestrel.lower.ranges import MOST, SECONDS, Ranges
from kestrel.syntax import tree


class Tables(Ranges):
    """Lowers GROUP and JOIN."""

    def _group(self, group: tree.Group) -> Step | None:
        step = self.variable(group.variable)
        if step is None:
            return None
        subject = self.subject(group.variable.text, step)
        before = len(self.errors)
        keys = [k for key in group.keys if (k := self._key(key, subject))]
        aggregates = [a for one in group.aggregations if (a := self._aggregate(one, subject))]
        seen: set[str] = set()
        places = [*group.keys, *group.aggregations]
        if len(self.errors) == before:
            for name, place in zip([*(k.name for k in keys), *(a.name for a in aggregates)], places, strict=True):
                if name in seen:
                    self.errors.append(TwoColumns(name, place.span, not isinstance(place, tree.Aggregation)))
                seen.add(name)
        return Group(step, tuple(keys), tuple(aggregates)) if len(self.errors) == before else None

    def _key(self, key: tree.Path | tree.Bin, subject: Subject) -> Key | None:
        if isinstance(key, tree.Path):
            path = self.path(key, subject)
            return Key(path) if path else None
        path = self.path(key.attribute, subject)
        if path is None:
            return None
        kind = kind_of(path)
        if kind == "text" or ((kind == "time") != (key.unit is not None) and kind != "any"):
            self.errors.append(WrongBin(path.text(), kind, key.span))
            return None
        size = key.size * SECONDS[key.unit] * 1_000_000 if key.unit else key.size
        if not (1 if key.unit else 0.000_001) <= size <= MOST:
            self.errors.append(WrongValue(f"BIN({path.text()}, size)", "size above 0 and not beyond all values", key.span))
            return None
        return Key(path, size, key.unit is not None)

    def _aggregate(self, one: tree.Aggregation, subject: Subject) -> Aggregate | None:
        path = self.path(one.attribute, subject)
        if path is None:
            return None
        if one.function in ("SUM", "AVG") and kind_of(path) in ("text", "time"):
            self.errors.append(NotNumbers(one.function, path.text(), kind_of(path), one.span))
            return None
        return Aggregate(one.function, path, one.name or f"{one.function.lower()}_{path.text()}")

    def _join(self, join: tree.Join) -> Step | None:
        left, right = self.variable(join.left), self.variable(join.right)
        if left is None or right is None:
            return None
        if join.keys is None:
            kinds = type_of(left), type_of(right)
            if kinds[0] != kinds[1] or TABLE in kinds:
                self.errors.append(NoKeys(kinds[0], kinds[1], join.span))
                return None
            return Join(left, right, AttributePath(kinds[0], (), "id"), AttributePath(kinds[1], (), "id"))
        first = self.path(join.keys[0], self.subject(join.left.text, left))
        second = self.path(join.keys[1], self.subject(join.right.text, right))
        return Join(left, right, first, second) if first and second else None

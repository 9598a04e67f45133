"""Generated hunts: several statements, every command, most of them right and some slightly wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

from kestrel.model.vocabulary import EVERY_ENTITY, vocabulary
from tests.fuzz.records import ADDRESSES, COMMANDS, DOMAINS, KEYS, NAMES, PATHS, TABLES

VARIABLES = ("p", "q", "Tasks", "n", "файл", "tree", "last", "v1")
LOGS = ("flat.json", "beat.ndjson", "mixed.json", "empty.json", "flat.json, beat.ndjson", "'*.json'", "'flat.json'", "./mixed.json")
WRONG_LOGS = ("missing.json", "stixshifter://nobody", "nothing", "'.'", "ftp://x", "'no*.json'", "$pool", "elastic://x")
SAVED = tuple(f"saved.{ending}" for ending in ("csv", "json", "ndjson", "parquet", "csv.gz", "json.gz", "ndjson.zst", "parquet.gz"))
OPERATORS = ("=", "!=", "==", "<", "<=", ">", ">=", "IN", "NOT IN", "LIKE", "NOT LIKE", "MATCHES", "NOT MATCHES", "ISSUBSET", "ISSUPERSET")
NETWORKS = ("10.0.0.0/8", "fe80::/10", "0.0.0.0/0", "10.0.0.1", "::/0")
EXPRESSIONS = (".*", "^c", "(?i)CMD", "[0-9]+$", "a|b", "\\\\.exe", "\\d{2,3}", "(?P<n>x)", "")
WRONG_EXPRESSIONS = ("(", "(?=x)", "[z-a]", "x{1000}{1000}", "x**", "(?<n>x)", "\\C", "\\p{Foo}", "(?i", "\\8")
ESCAPED = ("c!%%", "!_md.exe", "%!!%", "%é%")
LIKES = ("%", "_", "%.exe", "c%", "%\\\\%", "", "%%%", "C__.EXE")
TIMES = (
    "2021-01-01T00:00:00Z",
    "2021-01-01T01:00:00Z",
    "t'2021-01-01T01:30:00.5Z'",
    "2021-01-01",
    "'2021-01-02T00:00:00Z'",
    "1969-12-31T23:59:59.9Z",
)
ODD_VALUES = (
    "''",
    "'\\x00'",
    "'\\ud800'",
    "99999999999999999999",
    "-0.0",
    "1e3",
    "0x1F",
    "true",
    "null",
    "9" * 50,
    "'a' 'b'",
    "()",
    "(1, 'a', true)",
)
UNITS = ("d", "days", "h", "minutes", "s", "second")
FUNCTIONS = ("MIN", "MAX", "SUM", "AVG", "COUNT", "NUNIQUE")
DAMAGE = ("'", '"', "(", ")", "[", "]", "=", ",", " ", "\n", "#", "$", "\\", ".", "+", "*", "\x00", "\u202e", "AND", "FROM", "é", "0")


def given_parameters(chance: Random) -> dict[str, Any]:
    """Values of the parameters that generated hunts name, some of them not there."""
    every: dict[str, Any] = {
        "name": chance.choice([*NAMES, ["cmd.exe", 4], (), True, 4, 1.5, "", "a' OR pid = 4"]),
        "count": chance.choice([0, 1, 5, 10**30, -1, "3", 2.5]),
        "when": chance.choice([datetime(2021, 1, 1, tzinfo=UTC), datetime(2021, 1, 1), "2021-01-01T00:00:00Z", "never", 4]),
        "pool": chance.choice(["flat.json", ["flat.json", "beat.ndjson"], 4, "p", "missing.json"]),
        "file": chance.choice([*SAVED, *TABLES, "x.docx", 4, ["a.csv", "b.csv"]]),
    }
    return {name: value for name, value in every.items() if chance.random() < 0.9}


class Hunt:
    """One hunt as it is written. `kinds` are the variables so far with their types, as far as the writer knows. Some are
    written with care, others have something wrong here and there."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.careless = chance.random() < 0.4
        self.kinds: dict[str, str] = {}
        self.asked = False

    def text(self) -> str:
        statements = [self._get()] if self.chance.random() < 0.9 else []
        statements += [self._statement() for _ in range(self.chance.randint(1, 4))]
        text = self.chance.choice((" ", "\n", "\n\n", "\n# a comment\n")).join(statements)
        if self.careless and not self.chance.randrange(3):
            text = self._damaged(text)
        return text

    def _damaged(self, text: str) -> str:
        for _ in range(self.chance.randint(1, 3)):
            begin = self.chance.randrange(len(text) + 1)
            end = min(len(text), begin + self.chance.randrange(6))
            text = text[:begin] + self.chance.choice(("", text[begin:end] * 2, *DAMAGE, chr(self.chance.randrange(0x250)))) + text[end:]
        return text

    # -- words -----------------------------------------------------------------------------------------------------

    def _pick(self, right: Sequence[str], wrong: Sequence[str], odds: int = 12) -> str:
        """A right word; of the careless, a wrong one once in so many times."""
        return self.chance.choice(wrong if not right or (self.careless and not self.chance.randrange(odds)) else right)

    def _target(self, kind: str) -> str:
        name = self.chance.choice(VARIABLES)
        self.kinds[name] = kind
        return name

    def _variable(self, kind: str | None = None) -> str:
        fitting = [v for v, k in self.kinds.items() if kind in (None, k)] or list(self.kinds)
        return self._pick(fitting, (*VARIABLES, "pp", "_"))

    def _type(self) -> str:
        if not self.chance.randrange(3):
            return "process"
        types = [*vocabulary().types, "event", "registry"] if not self.chance.randrange(4) else ["process", "network-traffic", "file", "ipv4-addr"]
        return self._pick(types, ("proces", "x-unknown-type", "table"))

    def _attribute(self, kind: str) -> str:
        entity = vocabulary().entity(kind)
        synonyms = [name for name, real in entity.synonyms.items() if real in entity.attributes]
        names = [*entity.attributes, *synonyms, *EVERY_ENTITY, *entity.attributes]
        for reference, target in entity.references.items():
            below = vocabulary().entity(target)
            names += [f"{reference}.{a}" for a in (*below.attributes, "id")][:3]
            names += [f"{reference}.{inner}.{a}" for inner, end in below.references.items() for a in vocabulary().entity(end).attributes][:2]
        if kind == "table":
            names = ["name", "pid", "count", "max_pid", "n", "count_name", "first_observed_bin", "unique_name"]
        names += ["process.name", "process.parent.executable"] if kind == "process" else []
        wrong = (
            "nam",
            "x_nothing",
            "x_tags",
            "parent_ref",
            *entity.references,
            "process.name",
            "process.parent.executable",
            "hashes.'a b'",
            "event.code",
            "n",
            "count",
        )
        return self._pick(names, wrong)

    def _value(self, kind: str, attribute: str, operator: str) -> str:
        match self.chance.randrange(12):
            case 0 if self.kinds:
                other = self._variable()
                return f"{other}.{self._attribute(self.kinds.get(other, 'process'))}"
            case 1:
                return self._pick(("$name",), ("$count", "$missing", "$when"), 3) if self.careless else "$name"
            case 2 if self.careless:
                return self.chance.choice(ODD_VALUES)
        if operator.endswith("MATCHES"):
            return self._quoted(self._pick(EXPRESSIONS, WRONG_EXPRESSIONS, 4))
        if operator.endswith("LIKE"):
            return self._quoted(self.chance.choice(LIKES))
        if operator.startswith("ISSU"):
            return self._quoted(self._pick(NETWORKS, ("x", "10.0.0.0/99", ""), 6))
        if self.careless and not self.chance.randrange(12):
            return self.chance.choice(("4", "'cmd.exe'", "cmd.exe", "2021-01-01T00:00:00Z"))
        end = attribute.rpartition(".")[2]
        if end in ("pid", "src_port", "dst_port", "number_observed", "count"):
            return str(self.chance.choice((4, 100, 101, 443, 50001, "'443'", 2, 1)))
        if end in ("first_observed", "last_observed", "created"):
            return self.chance.choice(TIMES)
        source_texts = {"value": ADDRESSES + DOMAINS, "key": KEYS, "path": PATHS, "x_path": PATHS, "command_line": COMMANDS}
        return self._quoted(self.chance.choice(source_texts.get(end, NAMES)))

    def _quoted(self, text: str) -> str:
        sign = self.chance.choice("'\"")
        return sign + text.replace("\\", "\\\\").replace(sign, "\\" + sign) + sign

    # -- patterns --------------------------------------------------------------------------------------------------

    def _comparison(self, kind: str) -> str:
        prefix = ""
        if not self.chance.randrange(8):
            other = self._type()
            prefix, kind = f"{other}:", other
        elif not self.chance.randrange(4):
            prefix = f"{kind}:" if kind != "table" else ""
        attribute = self._attribute(kind)
        if not self.chance.randrange(10):
            return f"{prefix}{attribute} IS {self.chance.choice(('', 'NOT '))}NULL"
        if not self.chance.randrange(30):
            pattern = self._quoted(self._pick(ESCAPED, ("!", "x!y"), 4))
            escape = self._pick(("'!'", '"!"'), ("'%'", "'!!'", "!"), 6)
            return f"{prefix}{attribute} LIKE {pattern} ESCAPE {escape}"
        operator = self.chance.choice(OPERATORS)
        value = self._value(kind, attribute, operator)
        if operator.endswith("IN") or (operator[0] not in "<>" and not self.chance.randrange(15)):
            value = f"({', '.join([value, *(self._value(kind, attribute, operator) for _ in range(self.chance.randrange(3)))])})"
        return f"{prefix}{attribute} {operator} {value}"

    def _pattern(self, kind: str, depth: int = 0) -> str:
        match self.chance.randrange(6 if depth < 3 else 1):
            case 1:
                return f"{self._pattern(kind, depth + 1)} AND {self._pattern(kind, depth + 1)}"
            case 2:
                return f"{self._pattern(kind, depth + 1)} OR {self._pattern(kind, depth + 1)}"
            case 3:
                return f"NOT ({self._pattern(kind, depth + 1)})"
            case 4:
                return f"({self._pattern(kind, depth + 1)})"
            case _:
                return self._comparison(kind)

    def _where(self, kind: str, odds: float) -> str:
        if self.chance.random() > odds:
            return ""
        pattern = self._pattern(kind)
        return f" WHERE [{pattern}]" if not self.chance.randrange(5) else f" WHERE {pattern}"

    def _time(self) -> str:
        match self.chance.randrange(10):
            case 0:
                start, stop = sorted((self.chance.choice(TIMES), self.chance.choice(TIMES)), key=lambda t: t.strip("t'"))
                if not self.chance.randrange(6):
                    return f" START {start}"
                return f" START {self._pick((start,), ('$when', 'yesterday', '2021-13-01', stop), 6)} STOP {self._pick((stop,), ('$when', start), 6)}"
            case 1:
                return f" LAST {self._pick(('1', '5000', '0'), ('$count', '99999999999999'), 6)} {self._pick(UNITS, ('weeks', ''), 9)}"
            case _:
                return ""

    def _limit(self, paged: bool = False) -> str:
        if self.chance.randrange(5):
            return ""
        count = self._pick(("0", "1", "3", "100"), ("$count", "99999999999999999999", "x", "-1"), 10)
        return f" LIMIT {count}" + (f" OFFSET {self.chance.choice((0, 1, 7))}" if paged and not self.chance.randrange(3) else "")

    # -- statements ------------------------------------------------------------------------------------------------

    def _statement(self) -> str:
        often = [self._get, self._find, self._find, self._refined, self._refined, self._display, self._display, self._merge, self._group]
        often += [self._join, self._sort]
        rarely = [self._new, self._load, self._save, self._apply, self._told, self._told]
        return self.chance.choice(often if self.chance.randrange(5) else rarely)()

    def _get(self) -> str:
        kind = self._type()
        source_text = "" if (self.asked or self.careless) and not self.chance.randrange(10) else f" FROM {self._pick(LOGS, WRONG_LOGS)}"
        self.asked = True
        if self.kinds and not self.chance.randrange(4):
            source = self._variable()
            kind = self.kinds.get(source, kind)
            source_text = f" FROM {source}" + (f", {self._variable(kind)}" if not self.chance.randrange(8) else "")
        text = f"GET {kind}{source_text}{self._where(kind, 0.7)}{self._time()}{self._limit()}"
        return f"{self._target(kind)} = {text}" if self.chance.randrange(12) else text

    def _find(self) -> str:
        source = self._variable()
        given = self.kinds.get(source, "process")
        ways = [*vocabulary().leading_from(given), "FIND file LINKED", "FIND process LINKED", f"FIND {given} LINKED"] if given != "table" else []
        way = self._pick(ways, ("FIND process CREATED", "FIND file LINKED", "FIND process EATEN BY"), 8)
        kind = way.split()[1]
        depth = f" DEPTH {self._pick(('1', '2', '3', 'ANY', 'any'), ('0', 'x', '99999999999'))}" if not self.chance.randrange(3) else ""
        text = f"{way} {source}{depth}{self._where(kind, 0.4)}{self._time()}{self._limit()}"
        return f"{self._target(kind)} = {text}"

    def _new(self) -> str:
        kind = self._type() if self.chance.randrange(2) else "process"
        shown = kind if kind != "process" or self.chance.randrange(2) else ""
        if self.chance.randrange(2):
            values = ", ".join(self._quoted(self.chance.choice((*NAMES, *ADDRESSES))) for _ in range(self.chance.randint(0, 3)))
            return f"{self._target(kind)} = NEW {shown} [{values}]"
        rows = []
        for _ in range(self.chance.randint(0, 2)):
            names = list(dict.fromkeys(self._attribute(kind) for _ in range(self.chance.randint(0, 3))))
            cells = (f'"{n}": {self._pick((self._value(kind, n, "="),), ("null", "[1, 2]", "1", "{{}}"), 8)}' for n in names)
            rows.append("{" + ", ".join(cells) + "}")
        return f"{self._target(kind)} = NEW {shown} [{', '.join(rows)}]"

    def _load(self) -> str:
        kind = self.chance.choice(("process", "table", "ipv4-addr"))
        shown = f" AS {kind}" if kind != "table" else ""
        right = [name for name in TABLES if not name.startswith("b")]
        file = self._pick(right, ("$file", "missing.csv", "x.docx", ".", *TABLES, *SAVED), 4)
        return f"{self._target(kind)} = LOAD {self._quoted(file) if self.chance.randrange(3) and '$' not in file else file}{shown}"

    def _save(self) -> str:
        source = self._variable()
        file = self._pick(SAVED, ("$file", "x.docx", "'flat.json/x.csv'", "'saved.stix.json'"), 10)
        text = f"SAVE {source} TO {file}"
        if self.chance.randrange(2):
            kind = self.kinds.get(source, "table")
            text += f" {self._target(kind)} = LOAD {file}"
        return text

    def _expression(self, display: bool = False) -> tuple[str, str]:
        source = self._variable()
        kind = self.kinds.get(source, "process")
        text = f"{self.chance.choice(('TIMESTAMPED', 'RECORDS', 'ADDOBSID'))}({source})" if not self.chance.randrange(4) else source
        text += self._where(kind, 0.4)
        if not self.chance.randrange(3) or (display and self.chance.randrange(4)):
            text += f" ATTR {', '.join(self._attribute(kind) for _ in range(self.chance.randint(1, 3)))}"
        if not self.chance.randrange(4):
            text += f" SORT BY {self._attribute(kind)}{self.chance.choice(('', ' ASC', ' DESC'))}"
        return text + self._limit(paged=True), kind

    def _refined(self) -> str:
        text, kind = self._expression()
        return f"{self._target(kind)} = {text}"

    def _sort(self) -> str:
        source = self._variable()
        kind = self.kinds.get(source, "process")
        return f"{self._target(kind)} = SORT {source} BY {self._attribute(kind)}{self.chance.choice(('', ' ASC', ' DESC'))}"

    def _group(self) -> str:
        source = self._variable()
        kind = self.kinds.get(source, "process")
        keys = []
        for _ in range(self.chance.randint(1, 2)):
            attribute = self._attribute(kind)
            timed = attribute.rpartition(".")[2] in ("first_observed", "last_observed", "created")
            size = self._pick(("1 minute", "2 h", "1.5 s") if timed else ("5", "0.5", "1000"), ("0", "5 h", "1", "9999999999999999999 d", "1" * 20))
            keys.append(f"BIN({attribute}, {size})" if timed or not self.chance.randrange(3) else attribute)
        made = []
        for _ in range(self.chance.randrange(3)):
            function = self._pick(FUNCTIONS, ("MEDIAN",), 30)
            made.append(
                f"{function}({self._attribute(kind)})" + (f" AS {self.chance.choice(('n', 'x', 'count'))}" if self.chance.randrange(2) else "")
            )
        text = f"GROUP {source} BY {', '.join(keys)}" + (f" WITH {', '.join(made)}" if made else "")
        return f"{self._target('table')} = {text}"

    def _join(self) -> str:
        left, right = self._variable(), self._variable()
        kinds = [self.kinds.get(v, "process") for v in (left, right)]
        keys = f" BY {self._attribute(kinds[0])}, {self._attribute(kinds[1])}" if self.chance.randrange(3) else ""
        return f"{self._target(kinds[0])} = JOIN {left}, {right}{keys}"

    def _merge(self) -> str:
        first = self._variable()
        kind = self.kinds.get(first, "process")
        others = [self._variable(kind) for _ in range(self.chance.randint(1, 3))]
        joined = [name if self.chance.randrange(5) else f"{name} WHERE {self._pattern(kind)}" for name in (first, *others[:-1])]
        return f"{self._target(kind)} = {' + '.join([*joined, *others[-1:]])}"

    def _apply(self) -> str:
        right = ["indicators"]
        right += ["risk"] if "process" in self.kinds.values() else []
        right += ["builtin://beacons"] if "network-traffic" in self.kinds.values() else []
        name = self._pick(right, ("python://x", "nothing", "exec://x", "spark://x"), 10)
        source = self._variable({"risk": "process", "builtin://beacons": "network-traffic"}.get(name))
        arguments = "path='bare.csv'" if name == "indicators" else "contacts=3" if name.endswith("beacons") and self.chance.randrange(2) else ""
        arguments = self._pick((arguments,), ("x=1", "path=[1, 'a']", "path=$file", "contacts=-1", f"path={source}.name"), 8)
        return f"APPLY {name} ON {source}" + (f" WITH {arguments}" if arguments else "")

    def _display(self) -> str:
        text, _ = self._expression(display=True)
        return f"DISP {text}" + (f" AS {self._pick(('TABLE',), ('TREE', 'GRAPH'), 2)}" if not self.chance.randrange(20) else "")

    def _told(self) -> str:
        source = self._variable()
        kind = self.kinds.get(source, "process")
        return self.chance.choice((f"INFO {source}", f"EXPLAIN {source}", f"EXPLAIN {source}", f"DESCRIBE {source}.{self._attribute(kind)}"))

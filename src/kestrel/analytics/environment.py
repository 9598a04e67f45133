"""The environment of programs that APPLY runs: a few variables of the machine, and the arguments, as in Kestrel 1.x."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from kestrel.analytics.contract import BadArgument

PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMP|TEMP|TMPDIR|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|APPDATA|LOCALAPPDATA|"
    r"PROGRAMDATA|PROGRAMFILES|USERPROFILE|XDG_\w+|SSL_CERT_(FILE|DIR)",
    re.IGNORECASE,
)
"""The variables that every program sees: paths and locale, nothing secret."""
CLIENT = re.compile(r"DOCKER_\w+|SSH_AUTH_SOCK", re.IGNORECASE)
"""Those that the container client sees in addition; containers do not."""
GUARDED = re.compile(
    r"PATH|ENV|IFS|HOME|TMP|TEMP|TMPDIR|(BASH_ENV|SHELLOPTS|NODE_OPTIONS|\w+_PROXY)|"
    r"PSModule\w*|COMSPEC|PATHEXT|SYSTEMROOT|SYSTEMDRIVE|WINDIR|\w*USERPROFILE|(LOCAL)?APPDATA|PROGRAM(DATA|FILES)\w*|HISTCHARS|"
    r"(LD_|DYLD_|COMPLUS_|DOTNET_|CORECLR_|PYTHON|PERL5|RUBY|GIT_|DOCKER_|KESTREL_|STIXSHIFTER_|NPM_|YARN_|PIP_|BUNDLE_).*",
    re.IGNORECASE,
)
"""Names that some runtimes read as settings in upper or lower case."""
UPPER = re.compile(
    r"(?!.*[a-z])(\w+_\w*|_\w+|PS\d|"
    r"\w*(PATH|OPTS?|OPTIONS|FLAGS|LIB|LIBS|RC|HOME|INIT|STARTUP|DEBUG|PRELOAD|LOGFILE|CONF|CONFIG|HOOKS?|PROXY|DIR|COMMAND|IGNORE|ALIASES)|"
    r"(PYTHON|PERL|RUBY|NODE|JAVA|JDK|DOTNET|MONO|LUA|PHP|BASH|ZSH|LESS|TERM|SSL|GIT|GEM|GLIBC|MALLOC|DOCKER|KESTREL)\w*|GO[A-Z]+|"
    r"GHCRTS|\w*RUNPARAM|\w*PROFILE|PLT\w+|KRB5\w*|\w+FILE|HIST\w*|FCEDIT|NULLCMD|MAKE\w*|RUSTC|CC|CXX|CPP|LD|AR|"
    r"EDITOR|VISUAL|PAGER|BROWSER|SHELL|DISPLAY|LANG|LANGUAGE|LINGUAS|TZ|USER|LOGNAME|MAIL|HOSTNAME|LOCALDOMAIN|COLUMNS|LINES|PWD|OLDPWD|SHLVL)"
)
"""Names in capitals that runtimes, shells and libraries read as settings: by convention those with an underscore, and these words."""


def passed(also: Collection[str] = (), client: bool = False) -> dict[str, str]:
    """The environment of a program: what every program sees, and the variables that its profile names."""
    names = set(also)
    return {k: v for k, v in os.environ.items() if k in names or PASSED.fullmatch(k) or (client and CLIENT.fullmatch(k))}


def is_interpreted(name: str) -> bool:
    """Whether an argument has a name that a runtime may read as a setting of its own. On Windows, case is ignored."""
    return any(e.fullmatch(name) for e in (GUARDED, PASSED)) or UPPER.fullmatch(name.upper() if os.name == "nt" else name) is not None


def as_environment(name: str, arguments: Mapping[str, Any], declared: Collection[str] = ()) -> dict[str, str]:
    """Each argument as text: lists joined by commas, times in ISO 8601, booleans in lower case. `declared`: the names that the analytic says
    it takes. Raises BadArgument."""
    found = {}
    for key, value in arguments.items():
        if key not in declared and is_interpreted(key):
            raise BadArgument(
                name,
                key,
                "has a name that programs and runtimes may read as a setting of their own",
                f"if the analytic needs it, declare it in its profile: `arguments: [{key}]`",
            )
        text = _text(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadArgument(name, key, "is not valid Unicode text") from None
        if "\0" in text:
            raise BadArgument(name, key, "has a zero byte in it")
        found[key] = text
    return found


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case list() | tuple():
            return ",".join(_text(v) for v in value)
        case _:
            return str(value)

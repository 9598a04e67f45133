"""What APPLY runs on variables: the hunter's own functions, programs and containers, and the analytics that ship with Kestrel.

`find` gives the analytic a URI names, and `names` all there are. Four schemes: `python://` (a function, `function.py`),
`exec://` (a program, `program.py`), `docker://` (a container, `container.py`), and `builtin://` (`builtin.py`); a name
without a scheme is the hunter's own function of that name, else the built-in one. The first three are set up in one file
(`settings.py`). An analytic sees variables as `Input` and answers with an `Outcome`; it changes nothing itself.
"""

from __future__ import annotations

from kestrel.analytics.contract import Analytic, Input, Outcome, Returned, Shown, UnknownAnalytic, UnknownScheme
from kestrel.analytics.settings import SECTIONS, is_set_up, profile_names

__all__ = ["Analytic", "Input", "Outcome", "Returned", "Shown", "find", "names"]


def find(uri: str) -> Analytic:
    """The analytic a URI or bare name stands for, in any case. Nothing of it is loaded or run.

    Raises UnknownScheme, UnknownAnalytic, BadAnalyticProfile.
    """
    scheme, separator, name = uri.partition("://")
    if not separator:
        scheme, name = ("python" if is_set_up("python", uri) else "builtin"), uri
    match scheme.lower():
        case "python":
            from kestrel.analytics.function import function_named

            return function_named(name)
        case "exec":
            from kestrel.analytics.program import program_named

            return program_named(name)
        case "docker":
            from kestrel.analytics.container import container_named

            return container_named(name)
        case "builtin":
            from kestrel.analytics.builtin import BUILT_IN

            if found := BUILT_IN.get(name.lower()):
                return found
            raise UnknownAnalytic(uri, names(), f"Add `{name}` to the analytics that are set up, or use a built-in one")
        case _:
            raise UnknownScheme(uri, scheme)


def names() -> list[str]:
    """Everything APPLY can name: the built-in ones bare, what is set up as URIs. Docker is not asked for its images."""
    from kestrel.analytics.builtin import BUILT_IN

    return [*sorted(BUILT_IN), *(f"{kind}://{name}" for kind in SECTIONS for name in profile_names(kind))]

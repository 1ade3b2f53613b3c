"""Environment: readers of settings, which return a value as given or refuse it with a sentence."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from taskproject.misspelt import misspelt
from tasks.whole_number import Bounds, whole_number

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 1e9
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_LINE = re.compile(r"(?:export )?([A-Za-z_0-9]+)=(.*)")


class Environment:
    """The values of settings as given, and the names that have been read."""

    def __init__(self, values: Mapping[str, str], *, in_file: Collection[str] = ()) -> None:
        self._values = values
        self._in_file = in_file
        # The type of each setting, by the name of its reader.
        self.types: dict[str, str] = {}

    @classmethod
    def completed_by(cls, file: Path) -> Environment:
        """Return the environment of the process, which a `.env` file completes for it.

        A value that is set already wins. So does an empty one, with which a command gets the
        default whatever the file says. Raises ImproperlyConfigured.
        """
        lines = _assignments(file)
        environ.Env.read_env(io.StringIO("\n".join(lines.values())))
        return cls(os.environ, in_file=lines.keys())

    def given(self, name: str, type: str, *, also: str | None = None) -> tuple[str, str]:
        """Return a value, empty when it is not set, and the name under which it is set.

        A value of nothing but spaces counts as not set.
        """
        for source in filter(None, (name, also)):
            self.types[source] = type
        for source in filter(None, (name, also)):
            value = self._values.get(source, "")
            if re.search("[\0\ud800-\udfff]", value):
                raise ImproperlyConfigured(
                    f"{source} contains a NUL character, or bytes that are not UTF-8."
                )
            if value.strip():
                return value, source
        return "", name

    def misspelt(self, other_names: Collection[str]) -> list[str]:
        """Return a sentence for each name that resembles one of ours, but is not read.

        `other_names` are those that are read elsewhere.
        """
        return misspelt(self._values, known={*self.types, *other_names}, in_file=self._in_file)


def _assignments(file: Path) -> dict[str, str]:
    """Return the lines of a `.env` file by the names that they set."""
    try:
        content = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ImproperlyConfigured(f"{file.name} cannot be read ({reason}).") from None
    lines = {}
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        # The line may hold a secret and is not repeated.
        if not match or "\0" in line:
            raise ImproperlyConfigured(
                f"Line {number} of {file.name} is not of the form NAME=value: "
                "neither spaces around = nor characters such as - in a name are allowed."
            )
        if _is_ambiguous(match[2]):
            raise ImproperlyConfigured(
                f"{match[1]} in line {number} of {file.name} has a quote without its pair, or a "
                "backslash in double quotes: put the value in single quotes."
            )
        lines[match[1]] = line
    return lines


def _is_ambiguous(value: str) -> bool:
    r"""Return whether programs differ in what they read; django-environ knows only \" and \\ ."""
    if not value.startswith(("'", '"')):
        return False
    if len(value) < 2 or not value.endswith(value[0]):
        return True
    return value[0] == '"' and not re.fullmatch(r'"(?:[^\\]|\\["\\])*"', value)


def printable(value: str, name: str) -> str:
    """Return a text without control characters; raise ImproperlyConfigured for others."""
    if not value.isprintable():
        raise ImproperlyConfigured(f"{name}={value!r} contains a control character.")
    return value


def word(env: Environment, name: str, default: str) -> str:
    """Read a text of printable ASCII characters without spaces."""
    value = env.given(name, "word")[0].strip() or default
    if not re.fullmatch(r"[!-~]+", value):
        raise ImproperlyConfigured(
            f"{name}={value!r} must contain only printable ASCII characters, without spaces."
        )
    return value


def boolean(env: Environment, name: str, *, default: bool) -> bool:
    """Read true or false."""
    value, _ = env.given(name, "boolean")
    return boolean_value(name, value) if value else default


def boolean_value(name: str, value: str) -> bool:
    """Return the boolean that a text stands for; raise ImproperlyConfigured for other texts."""
    try:
        return _BOOLEANS[value.strip().lower()]
    except KeyError:
        raise ImproperlyConfigured(f"{name}={value!r} must be true or false.") from None


def choice(env: Environment, name: str, default: str, *, choices: Collection[str]) -> str:
    """Read one of several words in capitals; lower case is accepted."""
    value = env.given(name, "choice")[0].strip() or default
    if value.upper() not in choices:
        raise ImproperlyConfigured(f"{name}={value!r} must be one of {', '.join(choices)}.")
    return value.upper()


def number(
    env: Environment, name: str, default: int, *, bounds: Bounds, also: str | None = None
) -> int:
    """Read a whole number, under `name` or its other spelling."""
    value, source = env.given(name, "number", also=also)
    raw = value.strip() or str(default)
    try:
        return whole_number(raw, bounds)
    except ValueError as error:
        raise ImproperlyConfigured(f"{source}={error}") from None


def seconds(
    env: Environment, name: str, default: str, *, low: float, also: str | None = None
) -> float:
    """Read a duration in seconds: "30", "0.5", "30s", "5m", "1h"."""
    value, source = env.given(name, "seconds", also=also)
    raw = value.strip() or default
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|)", raw)
    if not match or not low <= (duration := float(match[1]) * _UNITS[match[2]]) <= _LONGEST:
        raise ImproperlyConfigured(
            f"{source}={raw!r} is not a duration of at least {low:g} s and at most "
            f"{_LONGEST:,.0f} s, such as 30, 30s or 5m."
        )
    return duration


def seconds_range(env: Environment, name: str, default: str, *, high: float) -> tuple[float, float]:
    """Read the shortest and the longest of durations in seconds: "5-10", or "5" for both."""
    raw = env.given(name, "seconds_range")[0].strip() or default
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:-([0-9]+(?:\.[0-9]+)?))?", raw)
    if match and (low := float(match[1])) <= (upper := float(match[2] or match[1])) <= high:
        return low, upper
    raise ImproperlyConfigured(
        f"{name}={raw!r} must be seconds or a range of seconds, such as 0 or 5-10, "
        f"at most {high:g}."
    )


def words(env: Environment, name: str, default: str, *, type: str = "words") -> list[str]:
    """Read a list separated by commas; `type` is that of its entries."""
    raw = env.given(name, type)[0]
    entries = [entry.strip() for entry in (raw or default).split(",") if entry.strip()]
    if raw and not entries:
        raise ImproperlyConfigured(f"{name} is a list without an entry.")
    return entries


def directory(env: Environment, name: str, default: Path) -> Path:
    """Read the path of a directory, which need not exist yet."""
    raw = printable(env.given(name, "directory")[0].strip(), name) or str(default)
    try:
        path = Path(raw).expanduser().resolve()
        usable = path.is_dir() or not path.exists()
    except (OSError, RuntimeError):
        usable = False
    if not usable:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a directory that can be used.")
    return path


def file(env: Environment, name: str) -> str:
    """Read the path of a file that can be read, empty for none."""
    path = os.path.expanduser(printable(env.given(name, "file")[0].strip(), name))  # noqa: PTH111
    if path and not (Path(path).is_file() and os.access(path, os.R_OK)):
        raise ImproperlyConfigured(f"{name}={path!r} is not a file that can be read.")
    return path

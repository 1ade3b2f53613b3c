"""Play every example against a running system: `python -m tests.documents --url http://…`."""

from __future__ import annotations

import argparse
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import groupby
from types import ModuleType

import requests

import tests.documents
from tests.documents.site import Exchange, Site

Example = Callable[[Site], None]
WIDTHS = (58, 44, 44)


def main() -> int:
    """Print how each example was answered; 1 when any answer is different."""
    options = _options()
    played, failed = 0, list[str]()
    with Site(options.url, key=options.key) as site:
        for document in _documents():
            print(f"\n{document.__doc__}\n")
            print(_row("example", "expected", "got", "ok"))
            for name, example in _examples(document):
                try:
                    fits = _play(example, site, title=name)
                except requests.RequestException as error:
                    sys.exit(f"{options.url} does not answer: {error}")
                played += 1
                failed += [] if fits else [name]
    print(f"\n{played - len(failed)} of {played} examples are answered as documented.")
    return 1 if failed else 0


def _documents() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(tests.documents.__path__):
        if found.name.endswith("_document"):
            yield import_module(f"tests.documents.{found.name}")


def _examples(document: ModuleType) -> Iterator[tuple[str, Example]]:
    """Return the tests that need nothing but an address, by what they show."""
    for name, function in vars(document).items():
        if name.startswith("test_") and list(inspect.signature(function).parameters) == ["site"]:
            yield name.removeprefix("test_").replace("_", " "), function


def _play(example: Example, site: Site, *, title: str) -> bool:
    site.exchanges.clear()
    wrong = ""
    try:
        example(site)
    except AssertionError as error:
        wrong = str(error)
    print(title)
    for _, same in groupby(site.exchanges, key=lambda one: (str(one.request), one.differences)):
        exchange, *others = same
        print(_shown(exchange, times=1 + len(others)))
        for difference in exchange.differences:
            print(f"    {difference}")
    if wrong and not any(exchange.differences for exchange in site.exchanges):
        print(f"    not so: {wrong or title}")
    return not wrong


def _shown(exchange: Exchange, *, times: int) -> str:
    request = f"  {exchange.request}" + (f" × {times}" if times > 1 else "")
    got = f"{exchange.status} {exchange.document!r}"
    return _row(request, exchange.expected, got, "NO" if exchange.differences else "yes")


def _row(*cells: str) -> str:
    *wide, last = cells
    shown = [
        (text if len(text) <= width else f"{text[: width - 1]}…").ljust(width)
        for text, width in zip((" ".join(cell.split("\n")) for cell in wide), WIDTHS, strict=True)
    ]
    return " ".join([*shown, last])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.documents", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="(default: %(default)s)")
    parser.add_argument("--key", default="", help="an operator's API key, where keys are needed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

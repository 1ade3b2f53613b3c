"""Run every example against a running system: `python -m tests.documents --url http://…`."""

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
    """Print the response to each example; return 1 if any is not as documented."""
    options = _options()
    played, failed = 0, list[str]()
    with Site(options.url, key=options.key) as site:
        for document in _documents():
            print(f"\n{document.__doc__}\n")
            print(_row("example", "expected", "received", "ok"))
            for name, example in _examples(document):
                try:
                    fits = _play(example, site, title=name)
                except requests.RequestException as error:
                    sys.exit(f"{options.url} does not respond: {error}")
                played += 1
                failed += [] if fits else [name]
    print(f"\n{played - len(failed)} of {played} examples are answered as documented.")
    return 1 if failed else 0


def _documents() -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(tests.documents.__path__):
        if module.name.endswith("_document"):
            yield import_module(f"tests.documents.{module.name}")


def _examples(document: ModuleType) -> Iterator[tuple[str, Example]]:
    """Return the tests that need only an address, with their names as sentences."""
    for name, function in vars(document).items():
        if name.startswith("test_") and list(inspect.signature(function).parameters) == ["site"]:
            yield name.removeprefix("test_").replace("_", " "), function


def _play(example: Example, site: Site, *, title: str) -> bool:
    site.exchanges.clear()
    failure = ""
    try:
        example(site)
    except AssertionError as error:
        failure = str(error) or title
    print(title)
    for _, repeats in groupby(
        site.exchanges, key=lambda exchange: (str(exchange.request), exchange.differences)
    ):
        exchange, *others = repeats
        print(_summary(exchange, times=1 + len(others)))
        for difference in exchange.differences:
            print(f"    {difference}")
    if failure and not any(exchange.differences for exchange in site.exchanges):
        print(f"    failed: {failure}")
    return not failure


def _summary(exchange: Exchange, *, times: int) -> str:
    request = f"  {exchange.request}" + (f" × {times}" if times > 1 else "")
    response = f"{exchange.status} {exchange.document!r}"
    return _row(request, exchange.expected, response, "NO" if exchange.differences else "yes")


def _row(*cells: str) -> str:
    *wide, last = cells
    padded = [
        (text if len(text) <= width else f"{text[: width - 1]}…").ljust(width)
        for text, width in zip((" ".join(cell.split("\n")) for cell in wide), WIDTHS, strict=True)
    ]
    return " ".join([*padded, last])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.documents", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="(default: %(default)s)")
    parser.add_argument("--key", default="", help="an operator's API key, if the API needs one")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

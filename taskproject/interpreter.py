"""Interpreter: a copy in the virtual environment when only root may enter where Python is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from taskproject.unprivileged import RootRefused, User, first_denied

# Compiled for, and imported by, nothing that runs here.
_LEFT_OUT = shutil.ignore_patterns("site-packages", "test", "idlelib", "config-*", "*.a")


def provide(user: User) -> None:
    """Make sure that the user can run the virtual environment's Python. Raises RootRefused.

    Pythons of pyenv and uv stand in root's home, which others may not enter.
    """
    copy = Path(sys.prefix).resolve() / "python"
    if Path(sys.base_prefix) != copy:
        executable = Path(sys.executable).resolve()
        if not first_denied(user, [Path(sys.base_prefix), executable]):
            return
        if sys.prefix == sys.base_prefix:
            raise RootRefused(
                f"Nothing here runs as root, and user {user.name} cannot enter {sys.prefix}, where "
                "Python is. Use `make run`, which works in a virtual environment, or start as "
                "another user."
            )
        _make(copy, executable)
        _refer_to(copy, executable)
    if list((copy / "lib").glob("libpython*.so*")):
        # The executable names the directory that it was built for.
        before = os.environ.get("LD_LIBRARY_PATH")
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, (str(copy / "lib"), before)))
    _try(user)


def _make(copy: Path, executable: Path) -> None:
    """Copy the interpreter and its standard library, completely or not at all."""
    if copy.exists():
        return
    new = Path(tempfile.mkdtemp(dir=copy.parent, prefix="python-"))
    try:
        base, name = Path(sys.base_prefix), Path(sysconfig.get_path("stdlib")).name
        for part in {Path("lib", name), Path(sys.platlibdir, name)}:
            if (base / part).exists():
                shutil.copytree(base / part, new / part, symlinks=True, ignore=_LEFT_OUT)
        for library in (base / "lib").glob("libpython*.so*"):
            shutil.copy2(library, new / "lib", follow_symlinks=False)
        (new / "bin").mkdir()
        shutil.copy2(executable, new / "bin")
        new.chmod(0o755)
        new.rename(copy)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        # Another start may have been faster.
        if not copy.exists():
            raise


def _refer_to(copy: Path, executable: Path) -> None:
    """Let the virtual environment stand on the copy."""
    settings = copy.with_name("pyvenv.cfg")
    lines = settings.read_text().splitlines()
    values = {"home": copy / "bin", "executable": copy / "bin" / executable.name}
    names = [line.partition("=")[0].strip() for line in lines]
    changed = [
        f"{name} = {values[name]}" if name in values else line
        for name, line in zip(names, lines, strict=True)
    ]
    # Other processes may start at this moment, or do the same.
    new = settings.with_suffix(f".{os.getpid()}")
    new.write_text("\n".join(changed) + "\n")
    new.replace(settings)
    for link in copy.with_name("bin").iterdir():
        if link.is_symlink() and link.readlink().is_absolute() and link.resolve() == executable:
            new = link.with_name(f".{link.name}.{os.getpid()}")
            new.symlink_to(copy / "bin" / executable.name)
            new.replace(link)


def _try(user: User) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import ctypes, ssl"],
        capture_output=True,
        check=False,
        text=True,
        user=user.uid,
        group=user.gid,
        extra_groups=[],
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it does not start"])[-1]
        raise RootRefused(
            f"Nothing here runs as root, and user {user.name} cannot run a copy of Python "
            f"({reason}). Create {sys.prefix} with a Python that every user can run, "
            "or start as another user."
        )

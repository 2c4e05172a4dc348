"""Builds libsora with its Makefile and puts it into the wheel.

Without the library's sources around (a source distribution of this folder alone) the wheel has no library, and the package uses
an installed one. SORA_BUILD names another build folder than `build` of the repository.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before setuptools 70.1
    from wheel.bdist_wheel import bdist_wheel

here = Path(__file__).resolve().parent
top = here.parent.parent
header = top / "include/sora/version.h"
numbers = here / "sora/_capi.py"


def version() -> str:
    """Of the headers that the package was written for: the one place in it that says so."""
    text = numbers.read_text()
    return ".".join(re.search(rf'"VERSION_{part}": (\d+)', text).group(1) for part in ("MAJOR", "MINOR", "PATCH"))


def library() -> Path:
    """Makes the shared library and gives its path."""
    build = os.environ.get("SORA_BUILD", "build")
    path = Path(build) / f"libsora.so.{version().split('.')[0]}"
    subprocess.run(["make", f"BUILD={build}", str(path)], cwd=top, check=True)
    return top / path


class BuildWithLibrary(build_py):
    def run(self) -> None:
        shutil.rmtree(Path(self.build_lib) / "sora", ignore_errors=True)  # what an earlier build left must not come along
        super().run()
        if header.exists() and not self.editable_mode:
            made = library()
            shutil.copy2(made, Path(self.build_lib) / "sora" / made.name)


class PlatformWheel(bdist_wheel):
    """One wheel for every Python 3, but for this machine only: the library is no extension module."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = not header.exists()

    def get_tag(self):
        _python, _abi, platform = super().get_tag()
        return ("py3", "none", platform)


class BinaryDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return header.exists()


setup(version=version(), cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel}, distclass=BinaryDistribution)

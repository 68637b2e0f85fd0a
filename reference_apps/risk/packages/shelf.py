"""Packages kept by their hash beside the decision log, so that what decided once can decide again; and the pointer to the one that followers take."""

import os
from pathlib import Path

from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.faults import BadPackage, Fault
from reference_apps.risk.packages.model import Package

POINTER = "current"


class Shelf:
    """The folder `packages` of a data folder: a folder per hash, which never changes."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "packages"

    def keep(self, package: Package) -> None:
        """Keep a package; one that is kept already stays as it is. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._place(package.hash)
        if place.exists():
            return
        try:
            writing.keep(place, package.files)
        except OSError:
            if not place.exists():  # another instance may have been faster
                raise

    def find(self, package_hash: str) -> Package:
        """Return a kept package, checked against its hash. Raises BadPackage."""
        place = self._place(package_hash)
        package = reading.read(place)
        if package.hash != package_hash:
            fault = Fault("", "", f"its content has the hash {package.hash}", "it was changed on the disk: restore it from the artifact")
            raise BadPackage(str(place), [fault])
        return package

    def point_at(self, package_hash: str) -> None:
        """Make a kept package the one that followers take, at once and whole."""
        beside = self._folder / f".{POINTER}.{os.getpid()}"
        with beside.open("w") as file:
            file.write(package_hash + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._folder / POINTER)

    def pointed_at(self) -> str:
        """Return the hash that followers take; empty: nothing was ever published here."""
        try:
            return (self._folder / POINTER).read_text().strip()
        except FileNotFoundError:
            return ""

    def _place(self, package_hash: str) -> Path:
        return self._folder / package_hash.removeprefix("sha256:")

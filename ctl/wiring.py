"""Settings -> backends -> ControlPlane. The only importer of backends; each is imported when it is chosen."""

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from ctl.control import recover
from ctl.control.desired import Desired
from ctl.control.doors import Doors, Signals
from ctl.control.fences import Fences
from ctl.control.loop import Loop
from ctl.control.plane import ControlPlane
from ctl.control.tick import Ticker
from ctl.model.access import Caller, Role
from ctl.ports import Answers, Plane, Runtime, Tokens, Traffic
from ctl.settings import Settings

"""Settings -> backends -> ControlPlane. The only importer of backends; each is imported when it is chosen."""

import getpass
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ctl.api.backing import Backing
from ctl.client import RemotePlane
from ctl.control import recover
from ctl.control.desired import Desired
from ctl.control.doors import Doors, Signals
from ctl.control.fences import Fences
from ctl.control.loop import Loop
from ctl.control.plane import ControlPlane
from ctl.control.tick import Ticker
from ctl.errors import CtlError
from ctl.model.access import Caller, Role
from ctl.model.fleet import Instance
from ctl.model.view import MistakeView
from ctl.ports import Plane
from ctl.settings import Settings

log = logging.getLogger(__name__)

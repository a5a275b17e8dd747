"""Default deny: every route states a permission, and everybody who lacks it is refused."""

import re
from typing import Annotated, Any

import httpx
import pytest
from conftest import House  # type: ignore[import-not-found]
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.http import app as application
from hub.http.app import build_app
from hub.http.guard import Guarded

pytestmark = pytest.mark.anyio

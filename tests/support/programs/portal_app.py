"""A host application with the portal in it, as a program: ``uvicorn support.programs.portal_app:app``."""

import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from lakekey.web import Portal

portal = Portal(["prod"], url=os.environ["PORTAL_URL"], user=lambda request: request.headers.get("x-user"))


async def headers(request):
    """The header with which the service would act as the user at the browser."""
    provider = await portal.require("prod")(request)
    return JSONResponse(provider.headers())


app = Starlette(routes=[Route("/whoami", headers, methods=["GET", "POST"]), Mount("/lakekey", app=portal)])

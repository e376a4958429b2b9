"""A host application with the portal in it: ``uvicorn portal:app``. Who is at the browser, it knows without waiting."""

import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from lakekey.web import Portal


async def user(request):
    return request.headers.get("x-user")


portal = Portal(["prod"], url=os.environ["PORTAL_URL"], user=user)


async def headers(request):
    provider = await portal.require("prod")(request)
    return JSONResponse(provider.headers())


app = Starlette(routes=[Route("/whoami", headers), Mount("/lakekey", app=portal)])

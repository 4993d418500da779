"""The routes, one family a file; `FAMILIES` are FastAPI routers, `tiles` and `heatmap` plain ASGI."""

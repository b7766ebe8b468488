"""A server that speaks Prometheus' query API, and writes down when it was asked what.

Called as `prometheus_speaking.py PORT FILE`.
"""

import sys
import time

from aiohttp import web


def main() -> None:
    """Serve until it is ended."""
    port, path = int(sys.argv[1]), sys.argv[2]
    with open(path, "w", buffering=1, encoding="utf-8") as file:  # noqa: PTH123  no more imports than needed

        async def query(request: web.Request) -> web.Response:
            now = time.time()
            file.write(f"{now:.3f} {request.query['query']}\n")
            data = {"resultType": "vector", "result": [{"metric": {}, "value": [now, "0.001"]}]}
            return web.json_response({"status": "success", "data": data})

        app = web.Application()
        app.router.add_get("/api/v1/query", query)
        web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main()

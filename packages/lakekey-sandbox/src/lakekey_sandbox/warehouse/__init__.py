"""A SQL warehouse on loopback that the unmodified databricks-sql-connector talks to.

It answers Thrift messages (``TCLIService``, the connector's own generated code) and knows nothing of HTTP or
tokens: the caller of ``Warehouse.handle`` has checked the token and says who the request comes from.
"""

from lakekey_sandbox.warehouse.service import Warehouse

__all__ = ["Warehouse"]

"""What a process of lakekey remembers beside its providers: forgotten between tests, each of which is a process."""

import sys
from typing import Any

#: Module → names of what is emptied.
MEMORY = {
    "lakekey.cache.damaged": ("_reported",),
    "lakekey.cache.durable_files": ("_unsynced",),
    "lakekey.cache.keys.kms.wrapped_ring": ("_unwrapped", "_failed"),
    "lakekey.cache.opening": ("_reported",),
    "lakekey.cache.sealed_store": ("_reported",),
    "lakekey.cache.unwritten": ("_entries", "_reported"),
    "lakekey.cli.signals": ("_told",),
    "lakekey.observability.audit": ("_reported",),
    "lakekey.observability.events": ("_reported",),
    "lakekey.observability.session_metrics": ("_last",),
    "lakekey.observability.telemetry": ("_complaints",),
    "lakekey.providers.factory": ("_warned",),
    "lakekey.session.end_notices": ("_given",),
    "lakekey.session.unsaved": ("_answers",),
    "lakekey.session.wait_notice": ("_told",),
    "lakekey.web.flows": ("_sweeps",),
    "lakekey.web.redemption": ("_kept",),
}
#: Module → names that are set to ``None``.
SINGLE = {"lakekey.cache.opening": ("_memory_cache",)}
#: What stands for something that outlives a test: a thread, a connection, a lock, a pipe.
KEPT = {
    "lakekey._commitment": ("_in_the_air",),
    "lakekey.cache.keys.kms.bounded": ("_silent",),
    "lakekey.cache.stores.postgresql_server": ("_servers",),
    "lakekey.cache.stores.process_mark": ("_marks",),
    "lakekey.cache.stores.redis_server": ("_servers",),
    "lakekey.cache.unwritten": ("_locked",),
    "lakekey.configuration.piped": ("_read",),
    "lakekey.session.host_line": ("_places",),
}


def reset_process_state() -> None:
    """Forget it all, in the modules that are loaded."""
    for modules, forget in ((MEMORY, _empty), (SINGLE, _unset)):
        for module, names in modules.items():
            if module in sys.modules:
                for name in names:
                    forget(sys.modules[module], name)


def forget_unwrapped() -> None:
    """Forget the keys that this process has unwrapped, as a new process would."""
    module = "lakekey.cache.keys.kms.wrapped_ring"
    if module in sys.modules:
        for name in MEMORY[module]:
            _empty(sys.modules[module], name)


def _empty(module: Any, name: str) -> None:
    getattr(module, name).clear()


def _unset(module: Any, name: str) -> None:
    setattr(module, name, None)

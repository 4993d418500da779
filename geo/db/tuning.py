"""The private cluster's configuration: written anew at every start, fitted to the machine it starts on."""

from __future__ import annotations

import os
import shutil

from geo.settings import Settings


def values(settings: Settings) -> dict[str, str]:
    """Name and value of every setting that differs from PostgreSQL's own default."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    free_mb = shutil.disk_usage(settings.home).free // 2**20
    chosen = {
        "listen_addresses": "''",
        "unix_socket_directories": f"'{settings.socket_dir}'",
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": f"{max(64, min(2048, memory_mb // 8))}MB",
        "effective_cache_size": f"{max(256, memory_mb // 2)}MB",
        "work_mem": "32MB",
        "maintenance_work_mem": f"{max(64, min(512, memory_mb // 16))}MB",
        # nobody replicates from a private cluster: bulk loads into new tables then need no WAL
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "wal_compression": "on",
        "max_wal_size": f"{max(256, min(4096, free_mb // 20))}MB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",  # compiling costs more than our short queries take
        "client_connection_check_interval": "2s",  # a client that died frees its query
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "logging_collector": "on",
        "log_directory": "'log'",
        "log_filename": "'postgresql-%a.log'",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
    }
    if not settings.fsync:
        chosen |= {
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "shared_buffers": "128MB",
            "logging_collector": "off",
        }
    return chosen


def text(settings: Settings) -> str:
    """The file `wangge.conf`."""
    lines = [f"{name} = {value}\n" for name, value in values(settings).items()]
    return "# written by wangge at every start; put your own into postgresql.auto.conf\n" + "".join(lines)

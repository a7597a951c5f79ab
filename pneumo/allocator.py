"""Make the C library keep the memory that it was given back.

A training step takes and frees hundreds of megabytes. By default glibc returns blocks of that size to the kernel each
time, which hands them out again page by page; on virtual machines that can take as long as the arithmetic.
"""

import ctypes
import sys

# From glibc's malloc.h. One arena, because memory that a thread's own arena frees is not kept for other threads.
_SETTINGS = {
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_TOP_PAD": (-2, 64 << 20),
    "M_MMAP_MAX": (-4, 0),
    "M_ARENA_MAX": (-8, 1),
}


def keep_freed_memory() -> bool:
    """Keep freed memory in this process from now on; call it before other threads start.

    Returns:
        Whether the C library took the settings: glibc does, others know none of them and are left alone.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return all(library.mallopt(*setting) for setting in _SETTINGS.values())

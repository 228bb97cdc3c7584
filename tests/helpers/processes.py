"""Waiting for other processes to get somewhere, or to be gone."""

import time

import psutil


def wait_for(condition, seconds=30.0):
    """Poll until the condition holds; whether it did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_gone(process_id):
    try:
        return psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True

"""Tests of compatibility are collected where the repository's history is there."""

from support import earlier_releases

if not earlier_releases.are_there():
    collect_ignore = ["test_earlier_releases.py"]

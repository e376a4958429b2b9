"""The page of the key sources, where its examples cannot run: the clouds are not here."""

import re
from pathlib import Path

import pytest

from lakekey.cache.keys.kms.services import OURS, open_service

PAGE = (Path(__file__).parents[3] / "docs/reference/key-sources.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["aws", "azure", "gcp"])
def test_what_the_page_sets_names_a_key(kind):
    (name,) = re.findall(rf"^export LAKEKEY_KMS=({kind}:\S+)", PAGE, re.MULTILINE)
    service = open_service(name.replace("…", "1234"), {})
    assert service.where


@pytest.mark.parametrize("kind", OURS)
def test_each_trouble_of_each_service_has_a_next_step(kind):
    from lakekey.cache.keys.kms.service import Kind

    names = {
        "aws": "aws:alias/lakekey",
        "vault": "vault:transit/lakekey",
        "azure": "azure:https://fleet.vault.azure.net/keys/lakekey",
        "gcp": "gcp:projects/p/locations/l/keyRings/r/cryptoKeys/k",
    }
    service = open_service(names[kind], {})
    without = {kind for kind in Kind if kind not in service.hints}
    assert without <= {Kind.PENDING_DELETION, Kind.SEALED}
    for said in (kind.value for kind in Kind):
        assert f"| {said.partition(':')[0].partition(' as it')[0]}" in PAGE or said.startswith("which cannot be used")

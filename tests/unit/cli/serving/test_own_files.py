"""The file that holds the service's address."""

import os
import stat

from lakekey.cli.serving import own_files

BEFORE, URL = "http://127.0.0.1:1/of-an-earlier-start", "http://127.0.0.1:1/of-this-one"


def test_address_is_private_and_goes_with_its_service_alone(tmp_path):
    tmp_path.chmod(0o700)
    file = tmp_path / "url"
    own_files.write_address(str(file), BEFORE)
    own_files.write_address(str(file), URL)
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    own_files.remove_address(str(file), BEFORE)
    assert file.read_text().strip() == URL
    own_files.remove_address(str(file), URL)
    assert not file.exists()
    own_files.remove_address(str(file), URL)

"""schemathesis: requests made from the OpenAPI document, against every one of its operations."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from reporting import Report, given

_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def main() -> None:
    report, said = Report("schemathesis", version("schemathesis")), given()
    program = [str(Path(sys.executable).with_name("schemathesis")), "run"]
    program += [f"{said['rest']}/api/v1/openapi.json", "--checks", _CHECKS, "--max-examples", "15"]
    program += ["--seed", "1", "--workers", "1", "--no-color", "--mode", "all"]
    done = subprocess.run(program, check=False, capture_output=True, text=True)
    print(done.stdout[-4_000:], done.stderr[-2_000:], file=sys.stderr)
    with report.step("no request is a server error, every answer is as the document says"):
        assert done.returncode == 0, re.sub(r"\s+", " ", done.stdout[-600:])
    report.end()


main()

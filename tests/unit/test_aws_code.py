"""The code of functions: what of the app is packed, which wheels, and what importing it takes."""

import importlib
import sys

import pytest
from aws_examples import ROOT

from eitherway.aws import imports
from eitherway.aws.imports import import_seconds
from eitherway.aws.package import beside
from eitherway.aws.wheels import platforms
from eitherway.errors import ConfigurationError

SHOP = ROOT / "examples" / "shop"
MARKING = """
from pathlib import Path
from eitherway import App
with Path("marks").open("a") as marks: marks.write("x")
app = App("marking")
"""


@pytest.mark.slow  # an interpreter for each
def test_what_functions_import_has_the_app_with_it(tmp_path):
    (tmp_path / "marking.py").write_text(MARKING)
    assert set(import_seconds("marking:app", tmp_path)) == set(imports.HANDLERS)
    assert len((tmp_path / "marks").read_text()) >= len(imports.HANDLERS)


def test_a_function_without_the_app_is_not_measured(monkeypatch):
    monkeypatch.setattr(imports, "HANDLERS", ["api_events"])
    with pytest.raises(ConfigurationError, match="does not load shop"):
        import_seconds("shop:app", SHOP)


def test_a_function_that_cannot_be_imported_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(imports, "HANDLERS", ["sweeper"])
    (tmp_path / "picky.py").write_text("raise RuntimeError('BANK_URL is not set')")
    with pytest.raises(ConfigurationError, match=r"sweeper cannot be imported: .*BANK_URL") as no:
        import_seconds("picky:app", tmp_path)
    assert "\n" not in str(no.value)


def test_of_an_installed_app_its_package_alone_is_packed(tmp_path, monkeypatch):
    for name in ("home", "site-packages"):
        for package in (f"{name[:4]}_shop", "other"):
            (tmp_path / name / package).mkdir(parents=True)
            (tmp_path / name / package / "__init__.py").touch()
        (tmp_path / name / "six.py").touch()
        monkeypatch.syspath_prepend(tmp_path / name)
    for name in ("home_shop", "site_shop"):
        monkeypatch.setitem(sys.modules, name, importlib.import_module(name))
    assert [path.name for path in beside("home_shop:app")] == ["home_shop", "other", "six.py"]
    assert [path.name for path in beside("site_shop:app")] == ["site_shop"]


def test_wheels_are_of_any_glibc_up_to_lambdas():
    new, old = list(platforms("arm64", "3.13")), list(platforms("x86_64", "3.11"))
    assert {"manylinux2014_aarch64", "manylinux_2_28_aarch64", "manylinux_2_34_aarch64"} < {*new}
    assert old[-1] == "manylinux_2_26_x86_64"
    assert new[-1] == "manylinux_2_34_aarch64"

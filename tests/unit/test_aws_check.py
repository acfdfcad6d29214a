"""`eitherway aws check`: a stack is deployed over no other app's, and over nothing else's."""

import json
import sys
from pathlib import Path

import boto3
import pytest
from aws_examples import small, template_of

from aws import REGION
from eitherway.cli.main import main

QUEUE = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """The command: its exit code, and what it says, in one line."""

    def check(file: Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["eitherway", "aws", "check", str(file)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = "".join(capsys.readouterr())
        assert said.count("\n") == 1, said
        return int(ended.value.code or 0), said

    return check


@pytest.fixture
def built(tmp_path: Path):
    """The template of an app, as it is for a stack of this name."""

    def built(stack: str) -> Path:
        file = tmp_path / "template.json"
        file.write_text(json.dumps(template_of(small(), stack)))
        return file

    return built


@pytest.fixture
def cloud(stack_url: str, monkeypatch: pytest.MonkeyPatch):
    """CloudFormation, for this test and for what it starts."""
    assert stack_url
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return boto3.client("cloudformation")


def of_app(name: str) -> str:
    """A stack that remembers whose it is, and has little else."""
    parameters = {"EitherwayApp": {"Type": "String", "Default": name}}
    return json.dumps({**QUEUE, "Parameters": parameters})


@pytest.mark.slow
def test_a_name_that_nothing_has_is_free(cloud, built, check):
    assert cloud.list_stacks()
    code, said = check(built("free"))
    assert (code, said) == (
        0,
        f"no stack is called free in {REGION}: a deployment makes it\n",
    )


@pytest.mark.slow
def test_the_stack_of_the_same_app_is_changed(cloud, built, check):
    cloud.create_stack(StackName="own", TemplateBody=of_app("small"))
    code, said = check(built("own"))
    assert (code, said) == (
        0,
        f"the stack own in {REGION} is of the app small: a deployment changes it\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("there", "says"),
    [
        (("others", of_app("staff")), "is of the app 'staff'"),
        (("foreign", json.dumps(QUEUE)), "is none that aws build made"),
    ],
)
def test_another_s_stack_is_one_line(cloud, built, check, there, says):
    name, template = there
    cloud.create_stack(StackName=name, TemplateBody=template)
    code, said = check(built(name))
    assert code == 2
    assert f"the stack {name} in {REGION} {says}" in said
    assert "build with another --stack" in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("nonsense", "is not JSON"),
        ("{}", "is no template"),
        (json.dumps(QUEUE), "is no template that aws build made"),
        (json.dumps({**QUEUE, "Metadata": {"eitherway": {"app": 1}}}), "that aws build made"),
    ],
)
def test_what_is_no_template_of_ours_is_one_line(tmp_path, check, text, says):
    file = tmp_path / "template.json"
    if text is not None:
        file.write_text(text)
    code, said = check(file)
    assert code == 2
    assert says in said


def test_without_credentials_it_says_what_to_give(built, check, monkeypatch):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    code, said = check(built("free"))
    assert code == 2
    assert "give a region and credentials" in said

"""A request of the reference in three languages, with the fields that it must have."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from markdown_it.token import Token

from beam_api.web.documents.code import ADDRESS

if TYPE_CHECKING:
    from beam_api.web.documents.reference import Operation
    from beam_api.web.documents.schemas import Field

_KEY = "beam_sk_your_key"


def fences(operation: Operation) -> list[Token]:
    """The request as blocks of code, one for each language."""
    made = {"sh": _curl(operation), "python": _python(operation), "javascript": _javascript(operation)}
    return [Token("fence", "", 0, info=language, content=content) for language, content in made.items()]


def body_example(fields: tuple[Field, ...]) -> dict[str, Any]:
    """A body in JSON, of what is required; of what is optional there if nothing is required."""
    wanted = [field for field in fields if field.required] or [field for field in fields if field.example is not None]
    return {field.name: _value(field) for field in wanted}


def _value(field: Field) -> Any:
    if field.example is not None:
        return field.example
    if field.fields:
        inner = {member.name: _value(member) for member in field.fields if member.required}
        return [inner] if field.kind.startswith("list") else inner
    if field.kind.startswith("list"):
        return []
    return {"string": "…", "boolean": True}.get(field.kind.partition(" ")[0], 0)


def _path(operation: Operation, opened: str = "", closed: str = "") -> str:
    return re.sub(r"{(\w+)}", lambda name: f"{opened}{name[1].upper()}{closed}", operation.path)


def _form(operation: Operation) -> list[Field]:
    """Of a form the file, and what else is required."""
    if operation.media != "multipart/form-data":
        return []
    return [field for field in operation.body if field.required or "file" in field.kind]


def _file(operation: Operation) -> str:
    return "face.mp4" if operation.takes_video else "face.jpg"


def _json(operation: Operation) -> str:
    return json.dumps(body_example(operation.body), ensure_ascii=False) if operation.media == "application/json" else ""


def _curl(operation: Operation) -> str:
    method = "" if operation.method == "GET" else f" -X {operation.method}"
    stream = " -N" if operation.is_stream else ""
    lines = [f"curl{stream}{method} {ADDRESS}{_path(operation)}"]
    if operation.needs_key:
        lines.append(f'-H "X-API-Key: {_KEY}"')
    for field in _form(operation):
        value = f"@{_file(operation)}" if "file" in field.kind else str(_value(field))
        lines.append(f'-F "{field.name}={value}"')
    if body := _json(operation):
        lines += ['-H "Content-Type: application/json"', f"-d '{body}'"]
    return " \\\n  ".join(lines) + "\n"


def _python(operation: Operation) -> str:
    lines = [f'"{ADDRESS}{_path(operation)}"']
    if operation.needs_key:
        lines.append(f'headers={{"X-API-Key": "{_KEY}"}}')
    form = _form(operation)
    if files := [f'"{field.name}": open("{_file(operation)}", "rb")' for field in form if "file" in field.kind]:
        lines.append(f"files={{{', '.join(files)}}}")
    if fields := {field.name: _value(field) for field in form if "file" not in field.kind}:
        lines.append(f"data={fields!r}")
    if operation.media == "application/json":
        lines.append(f"json={body_example(operation.body)!r}")
    if operation.is_stream:
        lines.append("stream=True")
    shown = "for line in answer.iter_lines():\n    print(line.decode())" if operation.is_stream else _printed(operation)
    arguments = "".join(f"\n    {line}," for line in lines)
    return f"import requests\n\nanswer = requests.{operation.method.lower()}({arguments}\n)\n{shown}\n"


def _printed(operation: Operation) -> str:
    first = operation.answers[0]
    return "print(answer.json())" if first.media.endswith("json") else "print(answer.status_code, answer.text)"


def _javascript(operation: Operation) -> str:
    before, options = "", []
    headers = [f'"X-API-Key": "{_KEY}"'] if operation.needs_key else []
    if form := _form(operation):
        lines = ["const form = new FormData();"]
        for field in form:
            value = "file" if "file" in field.kind else json.dumps(str(_value(field)))
            lines.append(f'form.append("{field.name}", {value});')
        before = "\n".join(lines) + "\n"
    if operation.method != "GET":
        options.append(f'method: "{operation.method}"')
    body = "form" if form else ""
    if written := _json(operation):
        headers.append('"Content-Type": "application/json"')
        body = f"JSON.stringify({written})"
    if headers:
        options.append(f"headers: {{ {', '.join(headers)} }}")
    if body:
        options.append(f"body: {body}")
    arguments = f", {{{''.join(f'{chr(10)}  {option},' for option in options)}\n}}" if options else ""
    is_json = operation.answers[0].media.endswith("json") and not operation.is_stream
    shown = f"console.log({'await answer.json()' if is_json else 'answer.status, await answer.text()'});"
    if operation.is_stream:
        shown = "for await (const bytes of answer.body) console.log(new TextDecoder().decode(bytes));"
    return f'{before}const answer = await fetch("{ADDRESS}{_path(operation)}"{arguments});\n{shown}\n'

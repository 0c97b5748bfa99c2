"""What the fake provider remembers: files, batches, fine-tuning jobs and responses; all bounded.

Sources: https://platform.openai.com/docs/api-reference/files, …/batch, …/fine-tuning
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from llmgateway.testing.answers import (
    CREATED,
    Answer,
    FakeError,
    as_json,
    listing,
    text_field,
)
from llmgateway.testing.multipart import KEPT_FILE_BYTES, Upload
from llmgateway.types import JSON

MAX_KEPT = 100
"""So many of each kind are kept; the oldest go first."""


class Box:
    """The newest objects of one kind, by id."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._numbers = itertools.count(1)
        self._objects: OrderedDict[str, JSON] = OrderedDict()

    def new_id(self, prefix: str) -> str:
        """Return an id that no other object of this box has."""
        return f"{prefix}{next(self._numbers)}"

    def put(self, thing: JSON) -> JSON:
        """Keep an object under its `id`."""
        self._objects[thing["id"]] = thing
        while len(self._objects) > MAX_KEPT:
            self._objects.popitem(last=False)
        return thing

    def get(self, id_: str) -> JSON:
        """Return an object; raises `FakeError` (404)."""
        if id_ not in self._objects:
            raise FakeError(404, f"No such {self._what}: {id_[:100]}", param="id")
        return self._objects[id_]

    def remove(self, id_: str) -> JSON:
        """Take an object out; raises `FakeError` (404)."""
        self.get(id_)
        return self._objects.pop(id_)

    def all(self) -> list[JSON]:
        """Return all objects, the newest first."""
        return list(reversed(self._objects.values()))


class Shelf:
    """The boxes, and the endpoints that are made of nothing else."""

    def __init__(self) -> None:
        self.files = Box("file")
        self.batches = Box("batch")
        self.jobs = Box("fine-tuning job")
        self.responses = Box("response")
        self._contents: dict[str, bytes] = {}
        self._inputs: dict[str, list[JSON]] = {}

    def upload(self, fields: Mapping[str, str], files: Sequence[Upload]) -> Answer:
        """Answer `POST /v1/files`."""
        if not files:
            raise FakeError(400, "You must send a file in 'file'.", param="file")
        if "purpose" not in fields:
            raise FakeError(400, "You must provide the parameter 'purpose'.", param="purpose")
        file = self.files.put(
            {
                "id": self.files.new_id("file-"),
                "object": "file",
                "bytes": files[0].size,
                "created_at": CREATED,
                "filename": files[0].filename,
                "purpose": fields["purpose"],
                "status": "processed",
                "sha256": files[0].sha256,
            }
        )
        self._contents[file["id"]] = bytes(files[0].kept)
        kept = {thing["id"] for thing in self.files.all()}
        self._contents = {key: data for key, data in self._contents.items() if key in kept}
        return as_json(file)

    def list_files(self, query: Mapping[str, str]) -> Answer:
        """Answer `GET /v1/files`."""
        purpose = query.get("purpose")
        return as_json(
            listing([f for f in self.files.all() if purpose is None or f["purpose"] == purpose])
        )

    def content(self, id_: str) -> Answer:
        """Answer `GET /v1/files/{id}/content`."""
        file = self.files.get(id_)
        if file["bytes"] > KEPT_FILE_BYTES:
            raise FakeError(404, "The fake provider does not keep the content of large files.")
        return Answer(self._contents[id_], content_type="application/octet-stream")

    def delete_file(self, id_: str) -> Answer:
        """Answer `DELETE /v1/files/{id}`."""
        self.files.remove(id_)
        self._contents.pop(id_, None)
        return as_json({"id": id_, "object": "file", "deleted": True})

    def keep_response(self, response: JSON, items: list[JSON]) -> None:
        """Keep a response and the input that it answered."""
        self.responses.put(response)
        self._inputs[response["id"]] = items
        kept = {thing["id"] for thing in self.responses.all()}
        self._inputs = {key: given for key, given in self._inputs.items() if key in kept}

    def input_items(self, id_: str) -> Answer:
        """Answer `GET /v1/responses/{id}/input_items`."""
        self.responses.get(id_)
        return as_json(listing(self._inputs[id_]))

    def forget_response(self, id_: str) -> None:
        """Take a response out; raises `FakeError` (404)."""
        self.responses.remove(id_)
        del self._inputs[id_]

    def create_batch(self, body: JSON) -> Answer:
        """Answer `POST /v1/batches`; a batch is done by the time that it is asked for."""
        self.files.get(text_field(body, "input_file_id"))
        batch = self.batches.put(
            {
                "id": self.batches.new_id("batch_"),
                "object": "batch",
                "endpoint": text_field(body, "endpoint"),
                "input_file_id": body["input_file_id"],
                "completion_window": text_field(body, "completion_window"),
                "status": "completed",
                "created_at": CREATED,
                "output_file_id": None,
                "error_file_id": None,
                "errors": None,
                "request_counts": {"total": 0, "completed": 0, "failed": 0},
                "metadata": body.get("metadata"),
            }
        )
        return as_json({**batch, "status": "validating"})

    def create_job(self, body: JSON) -> Answer:
        """Answer `POST /v1/fine_tuning/jobs`."""
        self.files.get(text_field(body, "training_file"))
        job = {
            "id": self.jobs.new_id("ftjob-"),
            "object": "fine_tuning.job",
            "model": text_field(body, "model"),
            "training_file": body["training_file"],
            "validation_file": body.get("validation_file"),
            "status": "queued",
            "created_at": CREATED,
            "finished_at": None,
            "fine_tuned_model": None,
            "organization_id": "org-fake",
            "result_files": [],
            "seed": body.get("seed", 0),
            "trained_tokens": None,
            "error": None,
            "hyperparameters": {"n_epochs": "auto"},
        }
        return as_json(self.jobs.put(job))

    def cancel(self, box: Box, id_: str, status: str) -> Answer:
        """Answer `POST …/{id}/cancel`."""
        return as_json(box.put({**box.get(id_), "status": status}))

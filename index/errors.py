"""Everything that can go wrong in the index.

PinciteError
├── DocumentError              one document cannot be taken; the others go on
│   ├── BinaryFile
│   ├── UndecodableFile
│   ├── StatefulEncoding
│   ├── UnknownEncoding
│   ├── FormatNotRead
│   ├── UnreadableFile
│   ├── DocumentTooLarge
│   ├── DamagedFile            not what its format asks for
│   ├── EncryptedFile
│   ├── EmptyDocument          it has no text
│   ├── UnpackedTooLarge       a container whose contents are too much to read
│   ├── TooManyPages
│   ├── TooMuchText
│   ├── DocumentTooSlow        it takes longer to read than a document may
│   ├── PageNotFound           a picture of a page that it does not have
│   ├── OldOfficeFormat        the binary formats of before 2007
│   ├── BeyondStore            a part of it is larger than the store takes
│   └── BadSource
├── SourceConflict             the same source from two folders
├── UploadExists               a build would overwrite an uploaded document
├── DocumentNotFound
├── CollectionNotFound
├── CollectionExists
├── CollectionNotMade          by a process of its own, which says why
├── BadCollectionName
├── DefaultCollection          it cannot be dropped
├── BadPattern
├── NotInstalled               an option needs what was not installed
├── RayProblem                 encoding on many machines
│   ├── BadRayAddress          an address that is none
│   ├── RayUnavailable
│   ├── RayVersionMismatch     a worker has another version of Pincite
│   └── RayFailed
├── BadStore                   an address that is none
├── OnlyInFolder               what a store does by means of its own
├── IndexProblem
│   ├── IndexNotFound
│   ├── IndexDamaged
│   ├── IndexVersion           written by another version of Pincite
│   ├── IndexLocked            another process is writing
│   ├── AlreadyThere           a backup or an index would take the place of something
│   ├── BackupDamaged
│   ├── StorageFull
│   ├── StorageReadOnly
│   ├── StoreUnavailable       Milvus does not answer
│   └── StoreRefused           Milvus answers, but not what was asked
└── ModelError
    ├── ModelNotFound
    ├── ModelDamaged           the weights are not the published ones
    ├── NotExportable          the model has no equal in ONNX; sentence-transformers can still run it
    ├── ExportDamaged          an exported encoder is not what was exported
    └── EncoderMismatch        the index was built with another encoder

Each class names its facts as keyword arguments; the message names them and the way out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial


class PinciteError(Exception):
    """An error with facts. `str()` is one clear sentence or two: what is wrong, and the way out."""

    message = "Something went wrong."

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.message.format(**facts))

    def __reduce__(self) -> tuple[Callable[[], PinciteError], tuple[()]]:
        """For the way from one process to another: made again from its facts."""
        return partial(type(self), **self.facts), ()


class DocumentError(PinciteError):
    message = "{source}: cannot be read."


class BinaryFile(DocumentError):
    message = "{source}: looks binary, not text. Convert it to UTF-8 text or Markdown first."


class UndecodableFile(DocumentError):
    message = "{source}: cannot be decoded as {encoding}. Save it as UTF-8."


class StatefulEncoding(DocumentError):
    message = (
        "{source}: {encoding} is a stateful encoding, in which byte positions have no fixed meaning. Save it as UTF-8."
    )


class UnknownEncoding(DocumentError):
    message = "{source}: {encoding} is not a known text encoding. Save it as UTF-8."


class FormatNotRead(DocumentError):
    message = "{source}: {media_type} is not read. Plain text (.txt) and Markdown (.md) are."


class UnreadableFile(DocumentError):
    message = "{source}: cannot be opened: {reason}."


class DocumentTooLarge(DocumentError):
    message = "{source}: {bytes} bytes are more than the limit of {limit}. Split the document."


class DamagedFile(DocumentError):
    message = "{source}: is damaged: {reason}. Open it in the program that made it, and save it again."


class EncryptedFile(DocumentError):
    message = "{source}: is encrypted. Save it without a password."


class EmptyDocument(DocumentError):
    message = "{source}: has no text{reason}."


class UnpackedTooLarge(DocumentError):
    message = "{source}: {part} has more than {limit} {unit} when unpacked. Split the document."


class TooManyPages(DocumentError):
    message = "{source}: has {pages} pages; the limit is {limit}. Split the document."


class TooMuchText(DocumentError):
    message = "{source}: has more than {limit} characters. Split the document."


class DocumentTooSlow(DocumentError):
    message = "{source}: took more than {seconds} seconds, with {done} of {pages} pages read. Split the document."


class PageNotFound(DocumentError):
    message = "{source}: has {pages} pages, and no page {page}."


class OldOfficeFormat(DocumentError):
    message = (
        "{source}: is in an Office format of before 2007. Save it as .docx, .xlsx or .pptx "
        "(`soffice --headless --convert-to {target} FILE`)."
    )


class BeyondStore(DocumentError):
    message = "{source}: {part} takes {bytes} bytes; the store takes no more than {limit}."


class BadSource(DocumentError):
    message = "{source!r} cannot name a document: {reason}."


class SourceConflict(PinciteError):
    message = (
        "{source}: comes from {first} and from {second}. "
        "Rename one of the files, build their common parent folder, or let the new one win with --replace."
    )


class UploadExists(PinciteError):
    message = "{source}: was uploaded. Overwrite it with --replace, or rename the file."


class DocumentNotFound(PinciteError):
    message = "There is no document {source!r}."


class CollectionNotFound(PinciteError):
    message = "There is no collection {collection!r}. There is: {existing}."


class CollectionExists(PinciteError):
    message = "There is a collection {collection!r} already."


class CollectionNotMade(PinciteError):
    message = "The collection {collection!r} could not be made: {reason}"


class BadCollectionName(PinciteError):
    message = "{collection!r} cannot name a collection: 1 to 64 lower-case letters, digits and hyphens can."


class DefaultCollection(PinciteError):
    message = "The collection {collection!r} is always there. Delete its documents instead."


class BadPattern(PinciteError):
    message = "The pattern {pattern!r} cannot be used: {reason}."


class NotInstalled(PinciteError):
    message = (
        "{option} needs the package {package}, which is not installed. "
        "Install what an index beyond one machine needs: pip install --requirement requirements/scale.txt"
    )


class RayProblem(PinciteError):
    message = "Other machines cannot be used."


class BadRayAddress(RayProblem):
    message = "--ray {address} cannot be used: {reason}."


class RayUnavailable(RayProblem):
    message = "Ray cannot be used at {address}: {reason}. {way}."


class RayVersionMismatch(RayProblem):
    message = "{machine} has another version of Pincite than this machine. Install the same on both."


class RayFailed(RayProblem):
    message = "The Ray cluster gave up: {reason}. What was committed stays; the same command goes on from there."


class BadStore(PinciteError):
    message = (
        "--store cannot be used: {reason}. "
        "Give milvus+http://HOST:PORT/DATABASE, milvus+https://…, or milvus+file:PATH for the embedded engine."
    )


class OnlyInFolder(PinciteError):
    message = "`pincite {command}` is for an index folder. {way}"


class IndexProblem(PinciteError):
    message = "The index cannot be used."


class IndexNotFound(IndexProblem):
    message = "There is no index in {path}. Make one: pincite build SOURCE --index {path}"


class IndexDamaged(IndexProblem):
    message = (
        "The index in {path} is damaged: {reason}. Restore a backup, or save what can be read: "
        "pincite check --save-to FOLDER"
    )


class IndexVersion(IndexProblem):
    message = (
        "The index in {path} has format {found}; this version reads format {supported}. "
        "Build it anew in an empty folder."
    )


class IndexLocked(IndexProblem):
    message = "Another process is writing to the index in {path}. Wait for it to end."


class AlreadyThere(IndexProblem):
    message = "{path} is there already, and not empty. Name a folder that is not there."


class BackupDamaged(IndexProblem):
    message = "The backup in {path} is damaged, and nothing was restored: {reason}."


class StorageFull(IndexProblem):
    message = "The disk of the index in {path} is full. Nothing was changed; make room and try again."


class StorageReadOnly(IndexProblem):
    message = "The index in {path} cannot be written to. Nothing was changed; check the folder's permissions."


class StoreUnavailable(IndexProblem):
    message = "The store {store} does not answer: {reason}. Nothing was half changed; start it, and try again."


class StoreRefused(IndexProblem):
    message = "The store {store} refuses: {reason}."


class ModelError(PinciteError):
    message = "The model cannot be used."


class ModelNotFound(ModelError):
    message = "There is no model {name!r}: {reason}."


class ModelDamaged(ModelError):
    message = "{path} has the SHA-256 {found}, not {expected}: it is not the published model. Install it again."


class NotExportable(ModelError):
    message = "The model {name!r} cannot be exported to ONNX: {reason}. It can still run on sentence-transformers."


class ExportDamaged(ModelError):
    message = "The exported encoder in {path} cannot be used: {reason}. Delete that folder and build again."


class EncoderMismatch(ModelError):
    message = (
        "The index was built with the encoder {built_with}, not with {serving}. "
        "Serve it with its own, or build a new index."
    )

"""The errors of the index.

PinciteError
├── DocumentError              a single document is rejected; the others are not affected
│   ├── BinaryFile
│   ├── UndecodableFile
│   │   ├── BrokenUtf8         UTF-8 but for a few bytes
│   │   └── AmbiguousEncoding  too little text to tell several old encodings apart
│   ├── StatefulEncoding
│   ├── UnknownEncoding
│   ├── FormatNotRead
│   ├── UnreadableFile
│   ├── DocumentTooLarge
│   ├── DamagedFile            violates its format
│   ├── EncryptedFile
│   ├── EmptyDocument          it has no text
│   ├── UnpackedTooLarge       a container with too large contents
│   ├── TooManyPages
│   ├── TooMuchText
│   ├── DocumentTooSlow        reading takes too long
│   ├── PageNotFound           a picture of a page that does not exist
│   ├── OldOfficeFormat        the binary formats of before 2007
│   ├── ParserFailed           its parser crashed, hung or ran out of memory; the service did not
│   ├── BeyondStore            a part is larger than the store allows
│   └── BadSource
├── SourceConflict             the same source from two folders
├── UploadExists               a build would overwrite an uploaded document
├── DocumentNotFound
├── CollectionNotFound
├── CollectionExists
├── CollectionNotMade          the subprocess that creates it failed
├── BadCollectionName
├── DefaultCollection          it cannot be dropped
├── BadPattern
├── NotInstalled               an option needs a package that is not installed
├── BadRayAddress
├── RayUnavailable
├── RayVersionMismatch         a worker has another version of Pincite
├── RayFailed
├── BadStore                   not the address of a store
├── OnlyInFolder               a command that does not apply to Milvus
├── IndexProblem
│   ├── IndexNotFound
│   ├── IndexDamaged
│   ├── IndexVersion           written by another version of Pincite
│   ├── IndexLocked            another process is writing
│   ├── AlreadyThere           the target of a backup or a restore exists
│   ├── BackupDamaged
│   ├── StorageFull
│   ├── StorageReadOnly
│   ├── StoreUnavailable       Milvus does not answer
│   └── StoreRefused           Milvus rejected the request
└── ModelError
    ├── ModelNotFound
    ├── ModelDamaged           the weights are not the published ones
    ├── NotExportable          the model cannot be exported to ONNX; sentence-transformers can still run it
    ├── ExportDamaged          an exported encoder is damaged
    └── EncoderMismatch        the index was built with another encoder

Each class takes its facts as keyword arguments. Its message states the facts and a remedy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial


class PinciteError(Exception):
    """An error with facts. `str()` says in one or two sentences what is wrong and how to fix it."""

    message = "Something went wrong."

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.message.format(**facts))

    def __reduce__(self) -> tuple[Callable[[], PinciteError], tuple[()]]:
        """Pickle an error by its facts."""
        return partial(type(self), **self.facts), ()


class DocumentError(PinciteError):
    message = "{source}: cannot be read."


class BinaryFile(DocumentError):
    message = "{source}: looks like a binary file. Convert it to UTF-8 text or Markdown first."


class UndecodableFile(DocumentError):
    message = "{source}: cannot be decoded as {encoding}. Save it as UTF-8."


class BrokenUtf8(UndecodableFile):
    message = "{source}: is UTF-8, but for the byte {byte} at {offset}. Correct it, and save it again."


class AmbiguousEncoding(UndecodableFile):
    message = (
        "{source}: is not UTF-8, and may be {candidates}. Say which: `--encoding NAME` of `pincite build`, "
        "`?encoding=NAME` of a request; or save it as UTF-8."
    )


class StatefulEncoding(DocumentError):
    message = (
        "{source}: {encoding} is a stateful encoding, in which byte positions have no fixed meaning. Save it as UTF-8."
    )


class UnknownEncoding(DocumentError):
    message = "{source}: {encoding} is not a known text encoding. Save it as UTF-8."


class FormatNotRead(DocumentError):
    message = "{source}: {media_type} is not supported. Use plain text (.txt) or Markdown (.md)."


class UnreadableFile(DocumentError):
    message = "{source}: cannot be opened: {reason}."


class DocumentTooLarge(DocumentError):
    message = "{source}: has {bytes} bytes; the limit is {limit}. Split the document."


class DamagedFile(DocumentError):
    message = "{source}: is damaged: {reason}. Open it in the program that made it, and save it again."


class EncryptedFile(DocumentError):
    message = "{source}: is encrypted. Save it without a password."


class ParserFailed(DocumentError):
    message = "{source}: {reason}. Convert it to another format, or to text."


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
    message = "{source}: has {pages} pages; page {page} does not exist."


class OldOfficeFormat(DocumentError):
    message = (
        "{source}: is in an Office format from before 2007. Save it as .docx, .xlsx or .pptx "
        "(`soffice --headless --convert-to {target} FILE`)."
    )


class BeyondStore(DocumentError):
    message = "{source}: {part} has {bytes} bytes; the limit of the store is {limit}."


class BadSource(DocumentError):
    message = "{source!r} is not a valid document name: {reason}."


class SourceConflict(PinciteError):
    message = (
        "{source}: comes from {first} and from {second}. "
        "Rename one of the files, build their common parent folder, or overwrite with --replace."
    )


class UploadExists(PinciteError):
    message = "{source}: was uploaded. Overwrite it with --replace, or rename the file."


class DocumentNotFound(PinciteError):
    message = "The document {source!r} does not exist."


class CollectionNotFound(PinciteError):
    message = "The collection {collection!r} does not exist. Existing collections: {existing}."


class CollectionExists(PinciteError):
    message = "The collection {collection!r} already exists."


class CollectionNotMade(PinciteError):
    message = "The collection {collection!r} could not be created: {reason}"


class BadCollectionName(PinciteError):
    message = "{collection!r} is not a valid collection name: use 1 to 64 lower-case letters, digits and hyphens."


class DefaultCollection(PinciteError):
    message = "The collection {collection!r} cannot be dropped. Delete its documents instead."


class BadPattern(PinciteError):
    message = "The pattern {pattern!r} is invalid: {reason}."


class NotInstalled(PinciteError):
    message = (
        "{option} needs the package {package}, which is not installed. "
        "To install it: pip install --requirement requirements/scale.txt"
    )


class BadRayAddress(PinciteError):
    message = "--ray {address} is invalid: {reason}."


class RayUnavailable(PinciteError):
    message = "Ray cannot be used at {address}: {reason}. {way}."


class RayVersionMismatch(PinciteError):
    message = "{machine} runs another version of Pincite. Install the same version on all machines."


class RayFailed(PinciteError):
    message = "The Ray cluster failed: {reason}. Committed documents are kept; run the same command again to continue."


class BadStore(PinciteError):
    message = (
        "--store is invalid: {reason}. "
        "Give milvus+http://HOST:PORT/DATABASE, milvus+https://…, or milvus+file:PATH for the embedded engine."
    )


class OnlyInFolder(PinciteError):
    message = "`pincite {command}` works on index folders only. {way}"


class IndexProblem(PinciteError):
    message = "The index cannot be used."


class IndexNotFound(IndexProblem):
    message = "There is no index in {path}. Create one: pincite build SOURCE --index {path}"


class IndexDamaged(IndexProblem):
    message = (
        "The index in {path} is damaged: {reason}. Restore a backup, or save what can be read: "
        "pincite check --save-to FOLDER"
    )


class IndexVersion(IndexProblem):
    message = (
        "The index in {path} has format {found}; this version reads format {supported}. Rebuild it in an empty folder."
    )


class IndexLocked(IndexProblem):
    message = "Another process is writing to the index in {path}. Wait for it to end."


class AlreadyThere(IndexProblem):
    message = "{path} already exists and is not empty. Choose a folder that does not exist."


class BackupDamaged(IndexProblem):
    message = "The backup in {path} is damaged, and nothing was restored: {reason}."


class StorageFull(IndexProblem):
    message = "The disk of the index in {path} is full. Nothing was changed; free some space and try again."


class StorageReadOnly(IndexProblem):
    message = "The index in {path} is not writable. Nothing was changed; check the folder's permissions."


class StoreUnavailable(IndexProblem):
    message = "The store {store} does not respond: {reason}. No change is incomplete; start the store and try again."


class StoreRefused(IndexProblem):
    message = "The store {store} rejected the request: {reason}."


class ModelError(PinciteError):
    message = "The model cannot be used."


class ModelNotFound(ModelError):
    message = "The model {name!r} was not found: {reason}."


class ModelDamaged(ModelError):
    message = "{path} has SHA-256 {found}, not {expected}, so it is not the published model. Reinstall it."


class NotExportable(ModelError):
    message = "The model {name!r} cannot be exported to ONNX: {reason}. It can still run on sentence-transformers."


class ExportDamaged(ModelError):
    message = "The exported encoder in {path} is unusable: {reason}. Delete that folder and build again."


class EncoderMismatch(ModelError):
    message = (
        "The index was built with the encoder {built_with}, not {serving}. Leave out --encoder, or build a new index."
    )
